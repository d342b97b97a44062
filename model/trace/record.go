package trace

import (
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/moe"
)

// record is an observer that lays a chunk's routing out as the file has it. It is filled anew for every chunk.
type record struct {
	w      *writer
	points moe.Point
	n      int   // tokens of the chunk
	err    error // of an observation

	ids      []uint16  // [n,L,K]
	weights  []float32 // [n,L,K]
	slots    []uint8   // [n,L,K]
	logits   []float32 // [n,L,E]
	entropy  []float32 // [n,L]
	choice   []float32 // [n,L,E]
	norms    []float32 // [n,L,E] of the experts that worked
	outNorms []float32 // [n,L,K]
	early    []uint16  // [n,L,K]

	look *moe.Lookahead // or nil
}

// sized is s with n elements of unspecified content.
func sized[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// begin makes room for a chunk of n tokens.
func (r *record) begin(n int) {
	w, l := r.w, len(r.w.layers)
	r.n, r.err, r.points = n, nil, 0
	r.ids, r.weights = sized(r.ids, n*l*w.k), sized(r.weights, n*l*w.k)
	for i := range r.ids {
		r.ids[i] = empty
	}
	clear(r.weights)
	if w.slots {
		r.slots = sized(r.slots, n*l*w.k)
		clear(r.slots)
	}
	if w.o.Logits {
		r.logits = fill(sized(r.logits, n*l*w.e), math.Inf(-1))
	}
	if w.o.Entropy {
		r.entropy = fill(sized(r.entropy, n*l), math.NaN())
	}
	if w.o.Lookahead {
		r.points |= r.look.Points()
		r.early = sized(r.early, n*l*w.k)
		for i := range r.early {
			r.early[i] = empty
		}
	}
	if w.o.Choice {
		r.points |= moe.PointScores
		r.choice = fill(sized(r.choice, n*l*w.e), math.Inf(-1))
	}
	if w.o.Norms {
		r.points |= moe.PointExpert
		r.norms, r.outNorms = sized(r.norms, n*l*w.e), sized(r.outNorms, n*l*w.k)
		clear(r.norms)
		clear(r.outNorms)
	}
}

func fill(s []float32, v float64) []float32 {
	for i := range s {
		s[i] = float32(v)
	}
	return s
}

// ObserveRouting implements moe.Observer.
func (r *record) ObserveRouting(layer int, x *moe.Routing) {
	c, l := r.w.column[layer], len(r.w.layers)
	for t := range x.Tokens() {
		ids, weights := x.Of(t)
		if len(ids) > r.w.k {
			r.err = fmt.Errorf("%w: layer %d: want at most %d experts a token, as the gate says, found %d", ErrTrace, layer, r.w.k, len(ids))
			return
		}
		r.place((t*l+c)*r.w.k, ids, weights)
		if x.Logits.Rows != x.Tokens() {
			continue
		}
		row := x.Logits.Row(t)
		if r.w.o.Logits {
			copy(r.logits[(t*l+c)*r.w.e:(t*l+c+1)*r.w.e], row)
		}
		if r.w.o.Entropy && len(row) > 0 {
			r.entropy[t*l+c] = float32(moe.Entropy(row))
		}
	}
}

// place writes one token's experts by falling weight, from at on. Ties go to the lower id where slots say the order of
// choice, else they stand in that order, which is by lower id where scores tie: a replay must add outputs in it.
func (r *record) place(at int, ids []int32, weights []float32) {
	for j, e := range ids {
		w, i := weights[j], at+j
		for i > at && (w > r.weights[i-1] || r.slots != nil && w == r.weights[i-1] && uint16(e) < r.ids[i-1]) {
			r.ids[i], r.weights[i] = r.ids[i-1], r.weights[i-1]
			if r.slots != nil {
				r.slots[i] = r.slots[i-1]
			}
			i--
		}
		r.ids[i], r.weights[i] = uint16(e), w
		if r.slots != nil {
			r.slots[i] = uint8(j)
		}
	}
}

// Points implements moe.Hook.
func (r *record) Points() moe.Point { return r.points }

// At implements moe.Hook.
func (r *record) At(p moe.Point, v *moe.View) error {
	c, l, e := r.w.column[v.Layer], len(r.w.layers), r.w.e
	if r.look != nil && r.look.Points()&p != 0 {
		if err := r.look.At(p, v); err != nil {
			return err
		}
	}
	switch p {
	case moe.PointScores:
		for t := range v.Choice.Rows {
			copy(r.choice[(t*l+c)*e:(t*l+c+1)*e], v.Choice.Row(t))
		}
	case moe.PointExpert:
		for i, t := range v.Tokens {
			sum := 0.0
			for _, o := range v.Out.Row(i) {
				sum += float64(o) * float64(o)
			}
			r.norms[(int(t)*l+c)*e+v.Expert] = float32(math.Sqrt(sum))
		}
	}
	return nil
}

// lookAhead makes every gate decide a layer early too, on the input of the mixture layer before.
func (r *record) lookAhead() {
	r.look = &moe.Lookahead{}
	for _, v := range r.w.m.Gates(nil) {
		var g moe.Gate
		if v != nil {
			g = v.Gate
		}
		r.look.Gates = append(r.look.Gates, g)
	}
	r.look.Seen = func(layer int, x *moe.Routing) {
		c, l := r.w.column[layer], len(r.w.layers)
		for t := range x.Tokens() {
			ids, _ := x.Of(t)
			for j, e := range ids[:min(len(ids), r.w.k)] {
				r.early[(t*l+c)*r.w.k+j] = uint16(e)
			}
		}
	}
}

// end orders the norms as the experts are.
func (r *record) end() {
	if !r.w.o.Norms {
		return
	}
	for i, id := range r.ids {
		if id != empty {
			r.outNorms[i] = r.norms[i/r.w.k*r.w.e+int(id)]
		}
	}
}
