package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// combineJob adds up what the experts made of each token, in ascending order of slot whoever computed it:
//
//	dst = (Σ_slots w·y + identity experts' w·x) · SumScale + shared
type combineJob struct {
	e      *kernels.Engine
	b      *Block
	s      *State
	dst, x tensor.Mat
	alone  bool // leave the shared expert out
}

// combineTile is how many tokens a chunk combines.
const combineTile = 8

func (j *combineJob) run() { j.e.Run((j.dst.Rows+combineTile-1)/combineTile, j) }

// Do implements kernels.Job.
func (j *combineJob) Do(_, chunk int) {
	for t := chunk * combineTile; t < min((chunk+1)*combineTile, j.dst.Rows); t++ {
		j.token(t, 0, j.dst.Cols)
	}
}

// token combines columns [a,b) of token t.
func (j *combineJob) token(t, a, b int) {
	ops, dst := j.e.Ops(), j.dst.Row(t)[a:b]
	clear(dst)
	r := &j.s.Routing
	for i := r.Start[t]; i < r.Start[t+1]; i++ {
		row := int(j.s.plan.Row[i])
		switch {
		case row >= 0 && j.b.Spec.ApplyInput:
			ops.Add(dst, j.s.outer.last.Row(row)[a:b])
		case row >= 0:
			ops.Axpy(dst, r.Weight[i], j.s.outer.last.Row(row)[a:b])
		case j.b.Spec.NullKind == NullIdentity:
			ops.Axpy(dst, r.Weight[i], j.x.Row(t)[a:b])
		}
	}
	scale, shared := j.b.around(j.s, t)
	if scale != 0 && scale != 1 {
		ops.Scale(dst, scale)
	}
	if shared != nil && !j.alone {
		shared.add(ops, dst, j.s, t, a, b)
	}
}
