package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// rowRule decides about one token from its logits alone: it fills ids, weights and shared, and gives -1, or the expert
// whose score cannot be used. id is the token's id where the call has ids. w.logits holds the logits behind the softcap.
type rowRule interface {
	row(ids []int32, weights, shared []float32, id int32, w *scratch) int
}

// scratch is what one worker needs for one token.
type scratch struct {
	logits, score, choice []float32 // [E+Null+S]
	groups                []float32
	best                  []int32
	skip                  []bool
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
}

// run fills dst from logits.
func (r *rows) run(spec *GateSpec, rule rowRule, dst *Routing, logits tensor.Mat, c Call) error {
	dst.Uniform(spec.Slots(), logits.Rows, spec.TopK)
	dst.Shared = sized(dst.Shared, logits.Rows*spec.SharedSlots)
	r.spec, r.rule, r.dst, r.logits, r.ids = spec, rule, dst, logits, c.IDs
	r.bad = sized(r.bad, logits.Rows)
	if c.Engine != nil && c.Engine.Threads() > 1 && logits.Rows*logits.Cols >= serialLogits {
		r.reserve(c.Engine.Threads())
		c.Engine.Run((logits.Rows+selectTile-1)/selectTile, r)
	} else {
		r.reserve(1)
		r.span(0, logits.Rows, &r.workers[0])
	}
	r.rule, r.dst, r.logits, r.ids = nil, nil, tensor.Mat{}, nil
	for t, e := range r.bad {
		if e >= 0 {
			return fmt.Errorf("layer %d token %d expert %d: %w: logit %v", c.Layer, t, e, ErrBadScore, logits.Row(t)[e])
		}
	}
	return nil
}

func (r *rows) reserve(workers int) {
	for len(r.workers) < workers {
		n := r.spec.Logits()
		w := scratch{logits: make([]float32, n), score: make([]float32, n), choice: make([]float32, n)}
		if g := r.spec.Groups; g != nil {
			w.groups, w.best, w.skip = make([]float32, g.N), make([]int32, g.Keep), make([]bool, n)
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
	s := r.spec.SharedSlots
	for t := a; t < b; t++ {
		var id int32
		if t < len(r.ids) {
			id = r.ids[t]
		}
		w.logits = append(w.logits[:0], r.logits.Row(t)...)
		bad := firstNaN(w.logits)
		if bad < 0 {
			r.spec.cap(w.logits)
			ids, weights := r.dst.Of(t)
			bad = r.rule.row(ids, weights, r.dst.Shared[t*s:(t+1)*s], id, w)
			if bad < 0 {
				bad = badWeight(ids, weights)
			}
		}
		r.bad[t] = int32(bad)
	}
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
