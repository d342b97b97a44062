package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// combineJob adds up what the experts made of each token, in ascending order of slot whoever computed it.
type combineJob struct {
	e      *kernels.Engine
	b      *Block
	s      *State
	dst, x tensor.Mat
}

// combineTile is how many tokens a chunk combines.
const combineTile = 8

func (j *combineJob) run() { j.e.Run((j.dst.Rows+combineTile-1)/combineTile, j) }

// Do implements kernels.Job.
func (j *combineJob) Do(_, chunk int) {
	ops := j.e.Ops()
	for t := chunk * combineTile; t < min((chunk+1)*combineTile, j.dst.Rows); t++ {
		dst := j.dst.Row(t)
		clear(dst)
		j.token(ops, dst, t)
		if f := j.b.Spec.SumScale; f != 0 && f != 1 {
			ops.Scale(dst, f)
		}
		if j.b.Shared != nil {
			ops.Add(dst, tensor.MatOf(j.s.shared.data, j.dst.Rows, j.dst.Cols).Row(t))
		}
	}
}

// token adds the pairs of token t.
func (j *combineJob) token(ops *kernels.Ops, dst []float32, t int) {
	r, h := &j.s.Routing, j.dst.Cols
	for i := r.Start[t]; i < r.Start[t+1]; i++ {
		row, w := int(j.s.plan.Row[i]), r.Weight[i]
		switch {
		case row >= 0 && j.b.Spec.ApplyInput:
			ops.Add(dst, j.s.outer.data[row*h:(row+1)*h])
		case row >= 0:
			ops.Axpy(dst, w, j.s.outer.data[row*h:(row+1)*h])
		case j.b.Spec.NullKind == NullIdentity:
			ops.Axpy(dst, w, j.x.Row(t))
		}
	}
}
