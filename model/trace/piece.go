package trace

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Piece is some tokens of one sequence, in order. Everything in it is filled again by the next piece. Tensors that the
// trace does not hold are nil.
type Piece struct {
	Seq, Pos  int           // the sequence, and the position in it of the first token
	At        int           // the first token's row in the trace
	IDs       []int32       // [T]
	Next      []int32       // [T] the token that follows each; -1 behind the last of a sequence
	Routing   []moe.Routing // [L]; Logits where recorded
	Lookahead []moe.Routing // [L] what each layer's gate chooses from the input of the layer before
	Norms     [][]float32   // [L][N] expert output norms, in the order of Routing[l].Expert
	Entropy   []float32     // [T,L]
	LogProb   []float32     // [T] of Next
	Predicted []int32       // [T] the token that the model holds most likely

	last bool // of its sequence
}

// Last says that a sequence ends with this piece.
func (p *Piece) Last() bool { return p.last }

// pieceTokens bounds a piece; sequences are cut there.
const pieceTokens = 1024

// Pieces walks through the trace, piece by piece; after an error it ends.
func (r *Reader) Pieces(ctx context.Context) iter.Seq2[*Piece, error] {
	return func(yield func(*Piece, error) bool) {
		bufs := make([]tensor.Tensor, len(r.cols))
		p := &Piece{Routing: make([]moe.Routing, len(r.Layers))}
		for s := range r.Labels {
			a, end := int(r.Offsets[s]), int(r.Offsets[s+1])
			for at := a; at < end; at += pieceTokens {
				n := min(pieceTokens, end-at)
				p.Seq, p.Pos, p.At, p.last = s, at-a, at, at+n == end
				err := ctx.Err()
				if err == nil {
					err = r.fill(p, n, bufs)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(p, nil) {
					return
				}
			}
		}
	}
}

// fill reads n tokens from row p.At on. One token more is looked at for what follows the last.
func (r *Reader) fill(p *Piece, n int, bufs []tensor.Tensor) error {
	get := map[string]*tensor.Tensor{}
	for i := range r.cols {
		c := &r.cols[i]
		rows := n
		if c.name == "token_ids" && !p.last {
			rows++
		}
		if err := r.read(c, p.At, rows, &bufs[i]); err != nil {
			return err
		}
		get[c.name] = &bufs[i]
	}
	tokens := get["token_ids"].I32s()
	p.IDs = tokens[:n]
	p.Next = append(append(p.Next[:0], tokens[1:]...), -1)[:n]
	for i, id := range p.IDs {
		if id < 0 {
			return r.fault(fmt.Sprintf("token_ids %d", p.At+i), "ids from 0", id)
		}
	}
	if t := get["gate_entropy"]; t != nil {
		p.Entropy = t.F32s()
	}
	if t := get["next_token_logprob"]; t != nil {
		p.LogProb = t.F32s()
	}
	for name, list := range map[string][]float32{"gate_entropy": p.Entropy, "next_token_logprob": p.LogProb} {
		for i, v := range list {
			if math.IsInf(float64(v), 0) {
				return r.fault(fmt.Sprintf("%s %d of the tokens from %d", name, i, p.At), "a number, or NaN where there is none", v)
			}
		}
	}
	if t := get["predicted_ids"]; t != nil {
		p.Predicted = t.I32s()
	}
	return r.fillLayers(p, n, get)
}

func (r *Reader) fillLayers(p *Piece, n int, get map[string]*tensor.Tensor) error {
	ids, weights := get["topk_ids"].U16s(), get["topk_weights"].F32s()
	var norms []float32
	if t := get["expert_out_norm"]; t != nil {
		norms = t.F32s()
		p.Norms = sizedLayers(p.Norms, len(r.Layers))
	}
	for c := range r.Layers {
		if err := r.route(&p.Routing[c], "topk_ids", p.At, c, n, ids, weights); err != nil {
			return err
		}
		if norms != nil {
			if i := slices.IndexFunc(norms, func(v float32) bool { return !finite(v) }); i >= 0 {
				return r.fault(fmt.Sprintf("expert_out_norm of token %d", p.At+i/(len(r.Layers)*r.K)), "finite norms", norms[i])
			}
			p.Norms[c] = r.normsOf(p.Norms[c][:0], &p.Routing[c], c, norms)
		}
	}
	if t := get["router_logits"]; t != nil {
		if err := r.logits(p, n, t); err != nil {
			return err
		}
	}
	t := get["lookahead_ids"]
	if t == nil {
		return nil
	}
	p.Lookahead = sizedLayers(p.Lookahead, len(r.Layers))
	for c := range r.Layers {
		if err := r.route(&p.Lookahead[c], "lookahead_ids", p.At, c, n, t.U16s(), nil); err != nil {
			return err
		}
	}
	return nil
}

func sizedLayers[E any](s []E, n int) []E {
	if len(s) != n {
		return make([]E, n)
	}
	return s
}

// route makes column c of ids [n,L,K] and weights a routing, and refuses what no gate can have decided.
func (r *Reader) route(dst *moe.Routing, name string, at, c, n int, ids []uint16, weights []float32) error {
	e := r.Gates[c].Slots()
	dst.Reset(e, n, r.K)
	for t := range n {
		row := (t*len(r.Layers) + c) * r.K
		ended := false
		for j, id := range ids[row : row+r.K] {
			where := func() string { return fmt.Sprintf("%s of token %d, layer %d", name, at+t, r.Layers[c]) }
			if id == empty {
				ended = true
				continue
			}
			if ended || int(id) >= e {
				return r.fault(where(), fmt.Sprintf("experts from 0 to %d, then empty places", e-1), ids[row:row+r.K])
			}
			for _, other := range ids[row : row+j] {
				if other == id {
					return r.fault(where(), "distinct experts", ids[row:row+r.K])
				}
			}
			w := float32(1)
			if weights != nil {
				w = weights[row+j]
			}
			if !finite(w) {
				return r.fault(where(), "finite weights", w)
			}
			dst.Add(int32(id), w)
		}
		dst.EndToken()
	}
	return nil
}

// normsOf appends the norms of a column in the order of its pairs.
func (r *Reader) normsOf(dst []float32, g *moe.Routing, c int, norms []float32) []float32 {
	for t := range g.Tokens() {
		row := (t*len(r.Layers) + c) * r.K
		dst = append(dst, norms[row:row+int(g.Start[t+1]-g.Start[t])]...)
	}
	return dst
}

// logits gives every layer's routing its raw router logits [n,E]; none where its gate had no router.
func (r *Reader) logits(p *Piece, n int, t *tensor.Tensor) error {
	l := len(r.Layers)
	for c := range r.Layers {
		width := r.Gates[c].Slots()
		m, routed := tensor.NewMat(n, width), false
		for i := range n {
			at := (i*l + c) * r.e
			row := m.Row(i)
			for j := range row {
				if t.DType == tensor.F32 {
					row[j] = t.F32s()[at+j]
				} else {
					row[j] = tensor.F16ToF32(t.U16s()[at+j])
				}
				if math.IsNaN(float64(row[j])) || math.IsInf(float64(row[j]), 1) {
					return r.fault(fmt.Sprintf("router_logits of token %d, layer %d", p.At+i, r.Layers[c]), "numbers, or -Inf", row[j])
				}
				routed = routed || finite(row[j])
			}
		}
		p.Routing[c].NoLogits()
		if routed {
			p.Routing[c].Logits = m
		}
	}
	return nil
}
