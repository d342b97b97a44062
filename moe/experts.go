package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Experts are the routed experts of a layer, all of one width.
type Experts []MLP

// units lists the experts with work as units over rows in expert order, so that a weight is read once however many
// tokens want it. A call of one token needs no gathering: every expert reads the token's row.
func (x Experts) units(e *kernels.Engine, in tensor.Mat, applyInput bool, s *State) {
	s.plan.Build(&s.Routing, len(x))
	s.units = s.units[:0]
	n := len(s.plan.Token)
	if n == 0 {
		return
	}
	alone := in.Rows == 1 && !applyInput
	gathered := in
	if !alone {
		gathered = s.gather.mat(n, in.Cols)
		s.gathering.run(e, gathered, in, applyInput, s)
	}
	outer := s.outer.mat(n, in.Cols)
	inner := s.inner.mat(n, x[0].Width())
	var aux tensor.Mat
	if x[0].Act.clamped() {
		aux = s.aux.mat(n, x[0].Width())
	}
	for i := range x {
		a, b := s.plan.Of(i)
		if a == b {
			continue
		}
		u := unit{m: &x[i], in: gathered, inner: inner.Slice(a, b), out: outer.Slice(a, b)}
		if !alone {
			u.in = gathered.Slice(a, b)
		}
		if aux.Rows > 0 {
			u.aux = aux.Slice(a, b)
		}
		s.units = append(s.units, u)
	}
}

// gatherJob copies the tokens' rows into expert order, scaled by their weights where those apply to the input.
type gatherJob struct {
	e       *kernels.Engine
	dst, in tensor.Mat
	plan    *Plan
	scale   bool
}

const (
	gatherTile   = 32      // rows a chunk
	serialGather = 1 << 15 // elements below which a second thread costs more than it saves
)

func (j *gatherJob) run(e *kernels.Engine, dst, in tensor.Mat, scale bool, s *State) {
	*j = gatherJob{e: e, dst: dst, in: in, plan: &s.plan, scale: scale}
	chunks := (dst.Rows + gatherTile - 1) / gatherTile
	if dst.Rows*dst.Cols >= serialGather {
		e.Run(chunks, j)
		return
	}
	for i := range chunks {
		j.Do(0, i)
	}
}

// Do implements kernels.Job.
func (j *gatherJob) Do(_, chunk int) {
	for i := chunk * gatherTile; i < min((chunk+1)*gatherTile, j.dst.Rows); i++ {
		row := j.dst.Row(i)
		copy(row, j.in.Row(int(j.plan.Token[i])))
		if j.scale {
			j.e.Ops().Scale(row, j.plan.Weight[i])
		}
	}
}
