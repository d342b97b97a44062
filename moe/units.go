package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
)

// piece is one chunk of work: rows [from,to) and columns [a,b) of the product of one unit.
type piece struct {
	unit, from, to int32
	a, b           int32
}

// maxPieceRows keeps the rows of a piece in the caches while its columns pass; a multiple of all tile heights.
const maxPieceRows = 96

func rowBlocks(m int) int { return (m + maxPieceRows - 1) / maxPieceRows }

// blocksOf is how many blocks of rows all units have.
func blocksOf(units []unit) int {
	n := 0
	for i := range units {
		n += rowBlocks(units[i].out.Rows)
	}
	return n
}

// cut appends pieces of about equal work for a product of m rows, one of so many blocks of rows in all, with the weight
// w, columns in multiples of grain.
func cut(list []piece, e *kernels.Engine, unit, m, blocks int, w kernels.Matrix, grain int) []piece {
	step := (e.BlockCols(min(m, maxPieceRows), blocks, w) + grain - 1) / grain * grain
	for a := 0; a < w.Rows; {
		b := min(a+step, w.Rows)
		for from := 0; from < m; from += maxPieceRows {
			list = append(list, piece{int32(unit), int32(from), int32(min(from+maxPieceRows, m)), int32(a), int32(b)})
		}
		a = b
	}
	return list
}

// upJob is the region of gate·up and activation of all units, with the product of the shared expert's gate along.
type upJob struct {
	e      *kernels.Engine
	units  []unit
	pieces []piece
	gate   *kernels.Product // or nil
	ready  kernels.ReadyRow // of the row that all units of one token read
}

func (j *upJob) run(e *kernels.Engine, units []unit, gate *kernels.Product) {
	j.e, j.units, j.pieces, j.gate = e, units, j.pieces[:0], gate
	blocks := blocksOf(units)
	for i := range units {
		u := &units[i]
		w := u.m.Up
		if u.m.Gate.Rows > 0 {
			w.Cols += u.m.Gate.Cols // a column is one of both
		}
		j.pieces = cut(j.pieces, e, i, u.out.Rows, blocks, w, kernels.QuantBlock)
	}
	if len(units) > 0 && units[0].in.Rows == 1 {
		j.ready.Fill(e, units[0].in, units[0].m.Up)
	}
	for i := range units {
		u := &units[i]
		if u.ready = nil; u.in.Rows == 1 && &u.in.Data[0] == &units[0].in.Data[0] {
			u.ready = &j.ready
		}
	}
	n := len(j.pieces)
	if gate != nil {
		n++
	}
	e.Run(n, j)
}

// Do implements kernels.Job.
func (j *upJob) Do(worker, chunk int) {
	if chunk == len(j.pieces) {
		j.e.Block(worker, *j.gate, 0, j.gate.W.Rows)
		return
	}
	p := j.pieces[chunk]
	u := j.units[p.unit].rows(int(p.from), int(p.to))
	u.rise(j.e, worker, int(p.a), int(p.b), j.then(chunk))
}

// then are the gate's and up's weights of the chunk that the worker of a chunk will most likely claim next.
func (j *upJob) then(chunk int) (t [2][]byte) {
	if chunk += j.e.Threads(); chunk < len(j.pieces) {
		p := &j.pieces[chunk]
		m := j.units[p.unit].m
		t = [2][]byte{m.Gate.From(int(p.a)), m.Up.From(int(p.a))}
	}
	return t
}

// downJob is the region of the down products of all units.
type downJob struct {
	e      *kernels.Engine
	units  []unit
	pieces []piece
}

func (j *downJob) run(e *kernels.Engine, units []unit) {
	j.e, j.units, j.pieces = e, units, j.pieces[:0]
	blocks := blocksOf(units)
	for i := range units {
		u := &units[i]
		u.ready = nil
		j.pieces = cut(j.pieces, e, i, u.out.Rows, blocks, u.m.Down, 1)
	}
	e.Run(len(j.pieces), j)
}

// Do implements kernels.Job.
func (j *downJob) Do(worker, chunk int) {
	p := j.pieces[chunk]
	u := j.units[p.unit].rows(int(p.from), int(p.to))
	var then []byte
	if chunk += j.e.Threads(); chunk < len(j.pieces) {
		next := &j.pieces[chunk]
		then = j.units[next.unit].m.Down.From(int(next.a))
	}
	u.fall(j.e, worker, int(p.a), int(p.b), then)
}

// lastJob is the down region of a call of one token: a chunk computes some columns of every unit and combines them at
// once, which saves a region and is the same arithmetic.
type lastJob struct {
	e       *kernels.Engine
	units   []unit
	combine *combineJob
	block   int
	ready   []kernels.ReadyRow // inner of each unit
}

func (j *lastJob) run(e *kernels.Engine, units []unit, c *combineJob) {
	n := c.dst.Cols
	all := kernels.Matrix{Rows: n} // as if the units' weights stood side by side
	for len(j.ready) < len(units) {
		j.ready = append(j.ready, kernels.ReadyRow{})
	}
	for i := range units {
		u := &units[i]
		if u.ready = nil; u.inner.Rows == 1 {
			u.ready = &j.ready[i]
			u.ready.Fill(e, u.inner, u.m.Down)
		}
		all.DType = units[i].m.Down.DType
		all.Cols += units[i].m.Width()
	}
	j.e, j.units, j.combine, j.block = e, units, c, e.BlockCols(1, 1, all)
	e.Run((n+j.block-1)/j.block, j)
}

// Do implements kernels.Job.
func (j *lastJob) Do(worker, chunk int) {
	a := chunk * j.block
	b := min(a+j.block, j.combine.dst.Cols)
	for i := range j.units {
		next, at := i+1, a // the same columns of the next unit, and behind the last unit those of the next chunk
		if next == len(j.units) {
			next, at = 0, a+j.e.Threads()*j.block
		}
		j.units[i].fall(j.e, worker, a, b, j.units[next].m.Down.From(at))
	}
	j.combine.token(0, a, b)
}
