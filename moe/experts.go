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
	all := s.inner.room(e, &x[0], n)
	all.out = s.outer.mat(n, in.Cols)
	alone := in.Rows == 1 && !applyInput
	if !alone {
		s.gatherInput(e, &all, in, applyInput, x[0].quantIn())
	}
	for i := range x {
		a, b := s.plan.Of(i)
		if a == b {
			continue
		}
		u := all.rows(a, b)
		u.m = &x[i]
		if alone {
			u.in = in
			if x[0].quantIn() {
				u.inQ = s.quantised(e, in)
			}
		}
		s.units = append(s.units, u)
	}
}

// gatherInput gives u the tokens' rows in expert order. Rows as int8 are quantised once a token, then copied, unless a
// weight applies to each.
func (s *State) gatherInput(e *kernels.Engine, u *unit, in tensor.Mat, scale, quant bool) {
	n := u.out.Rows
	s.gathering = gatherJob{e: e, plan: &s.plan, rows: n, in: in, scale: scale}
	if quant {
		s.gatherQ.Resize(e, n, in.Cols)
		u.inQ = s.gatherQ
	}
	if quant && !scale {
		s.gathering.inQ, s.gathering.dstQ = s.quantised(e, in), u.inQ
	} else {
		u.in = s.gather.mat(n, in.Cols)
		s.gathering.dst = u.in
	}
	s.gathering.run(n * in.Cols)
	if quant && scale {
		e.QuantiseRows(u.inQ, u.in)
	}
}

// gatherJob copies the tokens' rows into expert order, scaled by their weights where those apply to the input; or the
// quantised rows, where dstQ is not empty.
type gatherJob struct {
	e         *kernels.Engine
	dst, in   tensor.Mat
	dstQ, inQ kernels.QuantRows
	plan      *Plan
	rows      int
	scale     bool
}

const (
	gatherTile   = 32      // rows a chunk
	serialGather = 1 << 15 // elements below which a second thread costs more than it saves
)

func (j *gatherJob) run(work int) {
	chunks := (j.rows + gatherTile - 1) / gatherTile
	if work >= serialGather {
		j.e.Run(chunks, j)
		return
	}
	for i := range chunks {
		j.Do(0, i)
	}
}

// Do implements kernels.Job.
func (j *gatherJob) Do(_, chunk int) {
	for i := chunk * gatherTile; i < min((chunk+1)*gatherTile, j.rows); i++ {
		token := int(j.plan.Token[i])
		if j.dstQ.Rows > 0 {
			j.dstQ.CopyRow(i, j.inQ, token)
			continue
		}
		row := j.dst.Row(i)
		copy(row, j.in.Row(token))
		if j.scale {
			j.e.Ops().Scale(row, j.plan.Weight[i])
		}
	}
}
