package kernels

import (
	"fmt"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Gated is Dst[T,N] = act(X·Gateᵀ + GateBias) · (X·Upᵀ + UpBias), the first half of a gated feed-forward: X [T,K], Gate
// and Up [N,K]; a bias may be nil. XQ is X quantised already, for packed weights, as in [Product]. Where DstQ is not
// empty the result is quantised into it and Dst is not looked at. Dst and DstQ must not overlap the others.
type Gated struct {
	Dst, X           tensor.Mat
	DstQ, XQ         QuantRows
	Gate, Up         Matrix
	GateBias, UpBias []float32
	Act              Activation
	Ready            *ReadyRow // X prepared by ReadyRow.Fill, or nil

	Then, ThenUp []byte // what is read after this call, of weights like Gate and like Up (see [Product.Then])
}

// GatedBlock computes dst[:,n] = act(x·gateᵀ + gateBias) · (x·upᵀ + upBias) for n in [n0,n1), all rows, on the calling
// goroutine with the scratch of the worker; for use inside a [Job]. x is [T,K], gate and up are [N,K], dst is [T,N];
// a bias may be nil. dst must not overlap the others. Bits do not depend on n0, n1 or T.
func (e *Engine) GatedBlock(worker int, dst, x tensor.Mat, gate, up Matrix, gateBias, upBias []float32, act Activation, n0, n1 int) {
	e.Gated(worker, &Gated{Dst: dst, X: x, Gate: gate, Up: up, GateBias: gateBias, UpBias: upBias, Act: act}, n0, n1)
}

// Gated computes columns [n0,n1) of g, as GatedBlock does. With DstQ n0 must be a multiple of 32, and n1 as well unless
// it is N.
func (e *Engine) Gated(worker int, g *Gated, n0, n1 int) {
	pg := Product{Dst: g.Dst, X: g.X, XQ: g.XQ, W: g.Gate, Bias: g.GateBias, Ready: g.Ready}
	pu := Product{Dst: g.Dst, X: g.X, XQ: g.XQ, W: g.Up, Bias: g.UpBias, Ready: g.Ready}
	if g.DstQ.data != nil {
		if g.DstQ.Rows != pg.rows() || g.DstQ.Cols != g.Gate.Rows {
			panic(fmt.Sprintf("kernels.Gated: quantised dst [%d %d] of x [%d] · w [%d]ᵀ", g.DstQ.Rows, g.DstQ.Cols, pg.rows(), g.Gate.Rows))
		}
		pg.Dst = tensor.Mat{Rows: pg.rows(), Cols: g.Gate.Rows}
		pu.Dst = pg.Dst
	} else {
		checkMat("GatedBlock", g.Dst)
	}
	pg.checkShapes("GatedBlock")
	pu.checkShapes("GatedBlock")
	if n0 < 0 || n1 < n0 || n1 > g.Gate.Rows {
		panic(fmt.Sprintf("kernels.GatedBlock: columns [%d,%d) of %d", n0, n1, g.Gate.Rows))
	}
	rows := pg.rows()
	if g.Gate.Packed() && g.Up.Packed() && !pg.quantised() {
		pg.XQ = e.quantiseInto(&e.scratch[worker].xq, g.X)
		pu.XQ = pg.XQ
	}
	then := [2][]byte{e.then(g.Then, &g.Gate, n0, n1), e.then(g.ThenUp, &g.Up, n0, n1)}
	height := e.gatedHeight(&pg, &pu)
	for t := 0; t < rows; t += height {
		t1 := min(t+height, rows)
		e.gatedParts(worker, &pg, &pu, t, t1)
		for n := n0; n < n1; {
			end := min(n/gatedCols*gatedCols+gatedCols, n1)
			next := then
			if end < n1 {
				next = [2][]byte{g.Gate.From(end), g.Up.From(end)}
			}
			e.gatedTile(worker, g, &pg, &pu, t, t1, n, end, next)
			n = end
		}
	}
}

// gatedHeight is how many rows are taken at once.
func (e *Engine) gatedHeight(g, u *Product) int {
	if e.tiled(g) && e.tiled(u) {
		return min(gatedRows, e.partsHeight(g.W.Cols))
	}
	return gatedRows
}

// gatedParts packs rows [t,t1) of X for both products, where both go through tiles.
func (e *Engine) gatedParts(worker int, g, u *Product, t, t1 int) {
	if !e.tiled(g) || !e.tiled(u) {
		return
	}
	if g.parts = g.Ready.of(g); g.parts.parts == 0 {
		g.parts = e.splitRows(worker, g.X.Slice(t, t1))
	}
	u.parts = g.parts
}

// gatedTile computes rows [t0,t1) and columns [n0,n1) through the scratch of the worker; next are the weights that are
// wanted afterwards.
func (e *Engine) gatedTile(worker int, g *Gated, pg, pu *Product, t0, t1, n0, n1 int, next [2][]byte) {
	s := &e.scratch[worker]
	a, b := sub(pg, s.gate[:], t0, t1, n0, n1), sub(pu, s.up[:], t0, t1, n0, n1)
	e.claim(g.DstQ, t0, t1, n0)
	if !e.gatedPair(s, &a, &b, n0, n1, next) {
		a.Then, b.Then = pu.W.From(n0), next[0]
		e.gatedHalf(worker, &a, n0, n1)
		e.gatedHalf(worker, &b, n0, n1)
	}
	for t := t0; t < t1; t++ {
		gate, up := a.Dst.Row(t-t0), b.Dst.Row(t-t0)
		if g.DstQ.data != nil {
			e.ops.p.actMul[g.Act](gate, gate, up)
			e.Quantise(g.DstQ, t, n0, gate)
			continue
		}
		e.ops.p.actMul[g.Act](g.Dst.Row(t)[n0:n1], gate, up)
	}
}

// claim asks for the memory of rows [t0,t1) from column n on, which would else be waited for when it is written.
func (e *Engine) claim(q QuantRows, t0, t1, n int) {
	k := &e.level.packed
	if q.data != nil && k.claim != nil && t1 > t0+pairRows {
		k.claim(uintptr(unsafe.Pointer(&q.row(t0)[n/blockDepth*k.block])), q.stride, t1-t0)
	}
}

// gatedHalf computes one of the two products into its scratch.
func (e *Engine) gatedHalf(worker int, part *Product, n0, n1 int) {
	if part.W.Packed() {
		e.blockPackedAt(worker, part, n0, n1, part.Then)
		return
	}
	half := *part
	half.W = part.W.RowRange(n0, n1)
	e.block(worker, &half, 0, n1-n0)
}

// gatedPair takes a panel of gate and the same of up together, where columns are whole panels and the level can.
func (e *Engine) gatedPair(s *scratch, g, u *Product, n0, n1 int, next [2][]byte) bool {
	k := &e.level.packed
	rows := g.Dst.Rows
	if k.pair == nil || rows <= pairRows || !g.quantised() || g.W.DType != u.W.DType || n0%panelRows != 0 || n1%panelRows != 0 {
		return false
	}
	t := s.task
	*t = panelTask{x: g.XQ, k: ceilDiv(g.XQ.Cols, stepDepth), block: k.block, cold: true}
	t.f, _ = packFormatOf(g.W.DType)
	for n := n0; n < n1; n += panelRows {
		p := n / panelRows
		t.w, t.next = [2][]byte{g.W.panel(p), u.W.panel(p)}, next
		if n+panelRows < n1 {
			t.next = [2][]byte{g.W.from(p + 1), u.W.from(p + 1)}
		}
		t.dst = [2]tensor.Mat{g.Dst.ColSlice(n-n0, n-n0+panelRows), u.Dst.ColSlice(n-n0, n-n0+panelRows)}
		k.pair(s, t)
	}
	e.addBias(g, 0, n1-n0)
	e.addBias(u, 0, n1-n0)
	return true
}

// gatedRows is packedRows as well; gatedCols is a multiple of the blocks of quantised activations.
const gatedRows, gatedCols = 96, 64

// sub is rows [t0,t1) and columns [n0,n1) of a product, its result in buf, all of its weight; parts are of these rows.
func sub(p *Product, buf []float32, t0, t1, n0, n1 int) Product {
	q := Product{Dst: tensor.MatOf(buf, t1-t0, n1-n0), W: p.W, parts: p.parts}
	if p.quantised() {
		q.XQ = p.XQ.Slice(t0, t1)
	} else {
		q.X = p.X.Slice(t0, t1)
	}
	if p.Bias != nil {
		q.Bias = p.Bias[n0:n1]
	}
	return q
}
