package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Experts are the routed experts of a layer, all of one width.
type Experts []MLP

// run computes the unweighted output of every pair into s.outer [rows,H], expert by expert, so that a weight is read
// once however many tokens want it. Three steps: gather the tokens' rows in expert order, gate·up fused with the
// activation, down.
func (x Experts) run(e *kernels.Engine, in tensor.Mat, applyInput bool, s *State) {
	s.plan.Build(&s.Routing, len(x))
	rows := len(s.plan.Token)
	gathered := s.gather.mat(rows, in.Cols)
	for i, t := range s.plan.Token {
		row := gathered.Row(i)
		copy(row, in.Row(int(t)))
		if applyInput {
			e.Ops().Scale(row, s.plan.Weight[i])
		}
	}
	width := 0
	if len(x) > 0 {
		width = x[0].Width()
	}
	s.up = upJob{pieces: s.up.pieces[:0], e: e, x: x, in: gathered, out: s.inner.mat(rows, width)}
	s.up.pieces = s.plan.cut(s.up.pieces, e, width, in.Cols)
	e.Run(len(s.up.pieces), &s.up)
	s.down = downJob{pieces: s.down.pieces[:0], e: e, x: x, in: s.up.out, out: s.outer.mat(rows, in.Cols)}
	s.down.pieces = s.plan.cut(s.down.pieces, e, in.Cols, width)
	e.Run(len(s.down.pieces), &s.down)
}

// piece is one chunk of work: columns [a,b) of the product of one expert with its rows.
type piece struct {
	expert, from, to int32 // rows
	a, b             int32 // columns
}

// cut lists pieces of about equal work for products with n columns that sum over k.
func (p *Plan) cut(list []piece, e *kernels.Engine, n, k int) []piece {
	for x := range len(p.Offset) - 1 {
		from, to := p.Of(x)
		if from == to {
			continue
		}
		block := e.BlockRows(to-from, n, k)
		for a := 0; a < n; a += block {
			list = append(list, piece{int32(x), int32(from), int32(to), int32(a), int32(min(a+block, n))})
		}
	}
	return list
}

type upJob struct {
	e       *kernels.Engine
	x       Experts
	in, out tensor.Mat
	pieces  []piece
}

// Do implements kernels.Job.
func (j *upJob) Do(worker, chunk int) {
	p := j.pieces[chunk]
	from, to := int(p.from), int(p.to)
	j.x[p.expert].rise(j.e, worker, j.out.Slice(from, to), j.in.Slice(from, to), int(p.a), int(p.b))
}

type downJob struct {
	e       *kernels.Engine
	x       Experts
	in, out tensor.Mat
	pieces  []piece
}

// Do implements kernels.Job.
func (j *downJob) Do(worker, chunk int) {
	p := j.pieces[chunk]
	from, to := int(p.from), int(p.to)
	m := &j.x[p.expert]
	j.e.Block(worker, kernels.Product{Dst: j.out.Slice(from, to), X: j.in.Slice(from, to), W: m.Down, Bias: m.DownBias}, int(p.a), int(p.b))
}
