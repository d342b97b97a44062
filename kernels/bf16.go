package kernels

import "github.com/seed2fbf7788/switchyard/tensor"

// bf16Rows is how many rows of X are rounded at once; they stay in the caches while the columns of a chunk pass.
const bf16Rows = 96

// blockBF16 is block with X rounded to bfloat16 and W in bfloat16.
func (e *Engine) blockBF16(worker int, p *Product, n0, n1 int) {
	for t := 0; t < p.X.Rows; t += bf16Rows {
		part := *p
		part.X, part.Dst = p.X.Slice(t, min(t+bf16Rows, p.X.Rows)), p.Dst.Slice(t, min(t+bf16Rows, p.X.Rows))
		part.X = e.round(worker, part.X)
		e.blockExact(worker, &part, n0, n1)
	}
}

// round is x rounded to bfloat16, in the scratch of the worker.
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
