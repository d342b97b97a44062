package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// rowRule decides about one token from its logits alone, in three steps. w.logits holds the logits behind the softcap.
type rowRule interface {
	// choose fills w.score [E+Null+S] and w.choice [E+Null], and w.skip where w.skipping is set; choice scores that are
	// NaN are refused.
	choose(w *scratch)
	// pick writes the chosen experts into ids and gives how many there are; id is the token's, where the call has ids.
	pick(ids []int32, id int32, w *scratch) int
	// weigh fills the weights of the chosen and of the shared slots.
	weigh(ids []int32, weights, shared []float32, w *scratch)
}

// scratch is what one worker needs for one token.
type scratch struct {
	logits, score, choice []float32 // [E+Null+S]
	groups                []float32
	best                  []int32
	skip                  []bool // [E+Null+S] experts that are not there, whatever their score
	skipping              bool
	weights               []float32 // [K] of rules that look at weights before they have chosen
}

// skips is skip, or nil where every expert is there.
func (w *scratch) skips(n int) []bool {
	if !w.skipping {
		return nil
	}
	return w.skip[:n]
}

const (
	selectTile   = 16   // tokens a chunk
	serialLogits = 4096 // with fewer logits a second thread costs more than it saves
)

// rows applies a rule to every row of a call, on all threads where there is much to do; results are the same. It is a
// kernels.Job.
type rows struct {
	spec    *GateSpec
	rule    rowRule
	dst     *Routing
	logits  tensor.Mat
	ids     []int32
	bad     []int32 // [T] expert of a score that cannot be used, or -1
	workers []scratch

	scores, choices buffer // [T,E+Null+S], [T,E+Null] where a hook sees them
	skips           []bool // [T,E+Null]
}

// run fills dst from logits.
func (r *rows) run(spec *GateSpec, rule rowRule, dst *Routing, logits tensor.Mat, c Call) error {
	dst.Uniform(spec.Slots(), logits.Rows, spec.TopK)
	dst.Shared = sized(dst.Shared, logits.Rows*spec.SharedSlots)
	r.spec, r.rule, r.dst, r.logits, r.ids = spec, rule, dst, logits, c.IDs
	r.bad = sized(r.bad, logits.Rows)
	var err error
	switch {
	case c.stage.wants(PointScores | PointSelection):
		r.reserve(1)
		err = r.staged(c, &r.workers[0])
	case c.Engine != nil && c.Engine.Threads() > 1 && logits.Rows*logits.Cols >= serialLogits:
		r.reserve(c.Engine.Threads())
		c.Engine.Run((logits.Rows+selectTile-1)/selectTile, r)
	default:
		r.reserve(1)
		r.span(0, logits.Rows, &r.workers[0])
	}
	r.rule, r.dst, r.logits, r.ids = nil, nil, tensor.Mat{}, nil
	if err != nil {
		return err
	}
	for t, e := range r.bad {
		if e >= 0 {
			return fmt.Errorf("layer %d token %d expert %d: %w: logit %v", c.Layer, t, e, ErrBadScore, logits.Row(t)[e])
		}
	}
	compact(dst)
	return nil
}

func (r *rows) reserve(workers int) {
	for len(r.workers) < workers {
		n := r.spec.Logits()
		w := scratch{logits: make([]float32, n), score: make([]float32, n), choice: make([]float32, n), skip: make([]bool, n), weights: make([]float32, r.spec.TopK)}
		if g := r.spec.Groups; g != nil {
			w.groups, w.best = make([]float32, g.N), make([]int32, g.Keep)
		}
		r.workers = append(r.workers, w)
	}
}

// Do implements kernels.Job: one chunk is selectTile tokens.
func (r *rows) Do(worker, chunk int) {
	a := chunk * selectTile
	r.span(a, min(a+selectTile, r.logits.Rows), &r.workers[worker])
}

func (r *rows) span(a, b int, w *scratch) {
	for t := a; t < b; t++ {
		if r.begin(t, w) {
			r.weigh(t, r.pick(t, w), w)
		}
	}
}

// begin scores token t; false where a score cannot be used.
func (r *rows) begin(t int, w *scratch) bool {
	bad := r.load(t, w)
	if bad < 0 {
		r.rule.choose(w)
		bad = firstNaN(w.choice)
	}
	r.bad[t] = int32(bad)
	return bad < 0
}

// load puts the capped logits of token t in place; it gives the expert of a NaN, or -1.
func (r *rows) load(t int, w *scratch) int {
	w.logits, w.skipping = append(w.logits[:0], r.logits.Row(t)...), false
	bad := firstNaN(w.logits)
	if bad < 0 {
		r.spec.cap(w.logits)
	}
	return bad
}

// pick chooses for token t; places that stay empty hold -1.
func (r *rows) pick(t int, w *scratch) int {
	var id int32
	if t < len(r.ids) {
		id = r.ids[t]
	}
	ids, weights := r.dst.Of(t)
	n := r.rule.pick(ids, id, w)
	for j := n; j < len(ids); j++ {
		ids[j], weights[j] = -1, 0
	}
	return n
}

// weigh weighs the n chosen experts of token t.
func (r *rows) weigh(t, n int, w *scratch) {
	s := r.spec.SharedSlots
	ids, weights := r.dst.Of(t)
	r.rule.weigh(ids[:n], weights[:n], r.dst.Shared[t*s:(t+1)*s], w)
	r.bad[t] = int32(badWeight(ids[:n], weights[:n]))
}

// badWeight is the expert whose weight is NaN or infinite, or -1.
func badWeight(ids []int32, weights []float32) int {
	for j, v := range weights {
		if !finite(v) {
			return int(ids[j])
		}
	}
	return -1
}

// compact removes the pairs of expert -1.
func compact(r *Routing) {
	n, a := int32(0), int32(0)
	for t := range r.Tokens() {
		b := r.Start[t+1]
		for i := a; i < b; i++ {
			if r.Expert[i] >= 0 {
				r.Expert[n], r.Weight[n] = r.Expert[i], r.Weight[i]
				n++
			}
		}
		a, r.Start[t+1] = b, n
	}
	r.Expert, r.Weight = r.Expert[:n], r.Weight[:n]
}
