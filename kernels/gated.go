package kernels

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// GatedBlock computes dst[:,n] = act(x·gateᵀ + gateBias) · (x·upᵀ + upBias) for n in [n0,n1), all rows, on the calling
// goroutine with the scratch of the worker; for use inside a [Job]. x is [T,K], gate and up are [N,K], dst is [T,N];
// a bias may be nil. dst must not overlap the others. Bits do not depend on n0, n1 or T.
func (e *Engine) GatedBlock(worker int, dst, x tensor.Mat, gate, up Matrix, gateBias, upBias []float32, act Activation, n0, n1 int) {
	pg := Product{Dst: dst, X: x, W: gate, Bias: gateBias}
	pu := Product{Dst: dst, X: x, W: up, Bias: upBias}
	pg.check("GatedBlock")
	pu.check("GatedBlock")
	if n0 < 0 || n1 < n0 || n1 > gate.Rows {
		panic(fmt.Sprintf("kernels.GatedBlock: columns [%d,%d) of %d", n0, n1, gate.Rows))
	}
	s := &e.scratch[worker]
	for t := 0; t < x.Rows; t += gatedRows {
		t1 := min(t+gatedRows, x.Rows)
		for n := n0; n < n1; n += gatedCols {
			e.gatedTile(worker, s, &pg, &pu, act, t, t1, n, min(n+gatedCols, n1))
		}
	}
}

// gatedTile computes rows [t0,t1) and columns [n0,n1) through the scratch of the worker.
func (e *Engine) gatedTile(worker int, s *scratch, pg, pu *Product, act Activation, t0, t1, n0, n1 int) {
	g := sub(pg, s.gate[:], t0, t1, n0, n1)
	u := sub(pu, s.up[:], t0, t1, n0, n1)
	e.block(worker, &g, 0, n1-n0)
	e.block(worker, &u, 0, n1-n0)
	for t := t0; t < t1; t++ {
		e.ops.p.actMul[act](pg.Dst.Row(t)[n0:n1], g.Dst.Row(t-t0), u.Dst.Row(t-t0))
	}
}

const gatedRows, gatedCols = 96, 64

// sub is rows [t0,t1) and columns [n0,n1) of a product, its result in buf.
func sub(p *Product, buf []float32, t0, t1, n0, n1 int) Product {
	q := Product{Dst: tensor.MatOf(buf, t1-t0, n1-n0), X: p.X.Slice(t0, t1), W: p.W.RowRange(n0, n1)}
	if p.Bias != nil {
		q.Bias = p.Bias[n0:n1]
	}
	return q
}
