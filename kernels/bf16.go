package kernels

import "github.com/seed2fbf7788/switchyard/tensor"

// blockBF16 is block with X rounded to bfloat16 and W in bfloat16: through the dot product of the CPU, which generic
// specifies, else through the f32 kernels.
func (e *Engine) blockBF16(worker int, p *Product, n0, n1 int) {
	for t := 0; t < p.X.Rows; t += blockRows {
		rows := min(blockRows, p.X.Rows-t)
		part := *p
		part.X, part.Dst = p.X.Slice(t, t+rows), p.Dst.Slice(t, t+rows)
		switch {
		case e.level.mat.lanes == 0:
			blockBF16Generic(&e.scratch[worker], &part, n0, n1)
		case e.level.mat.dot[1] != nil:
			e.blockDot(worker, &part, n0, n1)
		default:
			part.X = e.round(worker, part.X)
			e.blockExact(worker, &part, n0, n1)
		}
	}
}

// blockDot computes up to blockRows rows by bf16 dot products.
func (e *Engine) blockDot(worker int, p *Product, n0, n1 int) {
	s, k := &e.scratch[worker], p.X.Cols
	stride := ceilDiv(k, pairLanes)*pairLanes + pairLanes // no power of two: rows do not fall on the same cache sets
	s.half = grown(s.half, p.X.Rows*stride)
	for t := range p.X.Rows {
		row := s.half[t*stride : (t+1)*stride]
		e.ops.p.narrowBF16(row[:k], p.X.Row(t))
		clear(row[k:])
	}
	b := tiledBlock{m: &e.level.mat, s: s, p: *p, f: bf16, size: 2, unit: pairLanes, dot: true, rows: p.X.Rows,
		x: pointerOf(s.half), xs: 2 * stride}
	b.columns(n0, n1)
}

// round is x rounded to bfloat16 and widened again, in the scratch of the worker.
func (e *Engine) round(worker int, x tensor.Mat) tensor.Mat {
	s := &e.scratch[worker]
	s.half = grown(s.half, x.Cols)
	s.rounded = grown(s.rounded, x.Rows*x.Cols)
	out := tensor.MatOf(s.rounded[:x.Rows*x.Cols], x.Rows, x.Cols)
	for t := range x.Rows {
		h := s.half[:x.Cols]
		e.ops.p.narrowBF16(h, x.Row(t))
		e.ops.p.widenBF16(out.Row(t), h)
	}
	return out
}

// grown is a slice of at least n elements, s itself where that is long enough.
func grown[E any](s []E, n int) []E {
	if len(s) >= n {
		return s
	}
	return make([]E, n)
}
