package moe

import (
	"fmt"
	"slices"
)

// Recording is the routing of some texts, as a trace file holds it; slices may be mapped from one and are not changed.
// T tokens of all sequences one after the other, L layers, K places a token and layer.
type Recording struct {
	Tokens  []int32   // [T] token ids
	Offsets []int32   // [S+1] sequence s is tokens Offsets[s]:Offsets[s+1]
	Layers  []int32   // [L] the model's layer of each column
	K       int       //
	Expert  []uint16  // [T,L,K] by falling weight; NoExpert: empty
	Weight  []float32 // [T,L,K]
	Slot    []uint8   // [T,L,K] place in the order of choice, or nil where that is the order of weights
}

// NoExpert stands in Recording.Expert where a token has fewer experts than K.
const NoExpert = 0xFFFF

// Check holds a recording to its form and to a model's gates; gates has nil for a dense layer. The error names what is
// wrong first; it wraps [ErrReplay].
func (r *Recording) Check(gates []*GateSpec) error {
	n := len(r.Tokens) * len(r.Layers) * r.K
	if len(r.Expert) != n || len(r.Weight) != n || r.Slot != nil && len(r.Slot) != n {
		return fmt.Errorf("%w: want %d experts and weights, found %d and %d", ErrReplay, n, len(r.Expert), len(r.Weight))
	}
	if s := len(r.Offsets); s < 2 || r.Offsets[0] != 0 || int(r.Offsets[s-1]) != len(r.Tokens) || !slices.IsSorted(r.Offsets) {
		return fmt.Errorf("%w: seq_offsets: want rising values from 0 to %d, found %v", ErrReplay, len(r.Tokens), few(r.Offsets))
	}
	for i, g := range gates {
		if g != nil && slices.Index(r.Layers, int32(i)) < 0 {
			return fmt.Errorf("%w: want every mixture layer, found none for layer %d", ErrReplay, i)
		}
	}
	for c, layer := range r.Layers {
		if layer < 0 || int(layer) >= len(gates) || gates[layer] == nil {
			return fmt.Errorf("%w: moe_layer_index: want mixture layers of the model, found %d", ErrReplay, layer)
		}
		if err := r.checkColumn(c, gates[layer]); err != nil {
			return fmt.Errorf("layer %d %w", layer, err)
		}
	}
	return nil
}

func (r *Recording) checkColumn(c int, g *GateSpec) error {
	for t := range r.Tokens {
		at := (t*len(r.Layers) + c) * r.K
		end := at + r.K
		for i := at; i < end; i++ {
			e := r.Expert[i]
			if e == NoExpert {
				continue
			}
			if int(e) >= g.Slots() {
				return fmt.Errorf("token %d: %w: want an expert from 0 to %d, found %d", t, ErrReplay, g.Slots()-1, e)
			}
			if slices.Contains(r.Expert[at:i], e) || i > at && r.Expert[i-1] == NoExpert {
				return fmt.Errorf("token %d: %w: want distinct experts, then empty places, found %v", t, ErrReplay, r.Expert[at:end])
			}
			if !finite(r.Weight[i]) {
				return fmt.Errorf("token %d: %w: want finite weights, found %v", t, ErrReplay, r.Weight[i])
			}
		}
		if r.Slot != nil && !r.ordered(at) {
			return fmt.Errorf("token %d: %w: topk_slots: want each place once, found %v", t, ErrReplay, r.Slot[at:end])
		}
	}
	return nil
}

// ordered says that the slots of a token's n experts are 0 to n-1, each once.
func (r *Recording) ordered(at int) bool {
	n := 0
	for n < r.K && r.Expert[at+n] != NoExpert {
		n++
	}
	for j := range n {
		if int(r.Slot[at+j]) >= n || slices.Contains(r.Slot[at:at+j], r.Slot[at+j]) {
			return false
		}
	}
	return true
}

func few(v []int32) []int32 { return v[:min(len(v), 8)] }

// Follow gives every token the experts and weights that a recording has for it: the routing is held fixed while
// something else changes, with the same bits where nothing does. A call's text is found among the recorded sequences by
// its ids from the first on (Call.IDs, Pos and Past are needed); a token that no sequence goes on with, or that stands
// beyond all of them, is an [ErrReplay].
type Follow struct {
	From *Recording
	E    int // experts of the layer, null experts included
}

func (g *Follow) maxK() int { return g.From.K }

// Route implements Gate.
func (g *Follow) Route(dst *Routing, c Call) error {
	n, r := c.X.Rows, g.From
	if len(c.Pos) != n || len(c.IDs) != n || len(c.Past) != n {
		return fmt.Errorf("%w: layer %d: a replay needs %d ids, positions and pasts, found %d, %d and %d", ErrGate, c.Layer, n, len(c.IDs), len(c.Pos), len(c.Past))
	}
	column := slices.Index(r.Layers, int32(c.Layer))
	if column < 0 {
		return fmt.Errorf("layer %d: %w: no such layer", c.Layer, ErrReplay)
	}
	dst.NoLogits()
	dst.Reset(g.E, n, r.K)
	for a := 0; a < n; {
		b := a + 1 // a text's tokens follow each other
		for b < n && int(c.Pos[b]) != len(c.Past[b]) {
			b++
		}
		from, err := r.find(c.Past[a], c.IDs[a:b])
		if err != nil {
			return fmt.Errorf("layer %d: %w", c.Layer, err)
		}
		for t := range b - a {
			r.give(dst, (from+t)*len(r.Layers)+column)
		}
		a = b
	}
	return nil
}

// find is the row of the first of ids, which follow past in their text.
func (r *Recording) find(past, ids []int32) (int, error) {
	best := 0 // the longest agreement says where a text leaves the recording
	for s := range len(r.Offsets) - 1 {
		seq := r.Tokens[r.Offsets[s]:r.Offsets[s+1]]
		n := agree(seq, past)
		if n == len(past) {
			n += agree(seq[n:], ids)
		}
		if n == len(past)+len(ids) {
			return int(r.Offsets[s]) + len(past), nil
		}
		best = max(best, n)
	}
	id := append(slices.Clone(past), ids...)[best]
	return 0, fmt.Errorf("%w: token %d at position %d: no recorded text goes on so", ErrReplay, id, best)
}

// agree is how many leading ids of two texts are equal.
func agree(a, b []int32) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// give appends one token's experts in the order of choice.
func (r *Recording) give(dst *Routing, row int) {
	at, base := row*r.K, len(dst.Expert)
	for j := range r.K {
		if r.Expert[at+j] == NoExpert {
			break
		}
		dst.Add(int32(r.Expert[at+j]), r.Weight[at+j])
	}
	if r.Slot != nil {
		for j := range len(dst.Expert) - base {
			to := base + int(r.Slot[at+j])
			dst.Expert[to], dst.Weight[to] = int32(r.Expert[at+j]), r.Weight[at+j]
		}
	}
	dst.EndToken()
}
