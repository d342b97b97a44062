package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// MLP is a gated feed-forward: down( act(x·gateᵀ, x·upᵀ) ), each product with its bias. Experts, shared experts and
// dense layers are MLPs. Without a gate (Act.Kind plain) Gate is empty and the activation works on up.
type MLP struct {
	Gate, Up, Down             kernels.Matrix // [I,H], [I,H], [H,I]
	GateBias, UpBias, DownBias []float32      // [I], [I], [H] or nil
	Act                        Act
}

// Width is I.
func (m *MLP) Width() int { return m.Up.Rows }

// Forward fills dst [T,H] from x [T,H]; they must not overlap. Bits do not depend on the number of threads or on T.
// No allocation after the first call of a size.
func (m *MLP) Forward(e *kernels.Engine, dst, x tensor.Mat, s *State) {
	s.begin()
	s.units = append(s.units[:0], s.unit(e, m, x, dst, &s.inner))
	s.up.run(e, s.units, nil)
	u := &s.units[0]
	s.prod[0] = kernels.Product{Dst: dst, X: u.inner, XQ: u.innerQ, W: m.Down, Bias: m.DownBias}
	e.MatMul(s.prod[:]...)
}

// quantIn says whether gate and up want their input as int8.
func (m *MLP) quantIn() bool { return m.Up.Packed() || m.Gate.Packed() }

// quantInner says the same of down.
func (m *MLP) quantInner() bool { return m.Down.Packed() }

// unit is one MLP at work on some rows: in [M,H] → inner [M,I] → out [M,H]. Where weights are packed, in and inner
// stand ready as int8 too; then inner itself may be empty.
type unit struct {
	m              *MLP
	in, inner, out tensor.Mat
	aux            tensor.Mat // [M,I] up of the clamped activations
	inQ, innerQ    kernels.QuantRows
	ready          *kernels.ReadyRow // in, then inner, of a call of one token; or nil
}

// innerBuffers hold what stands between the products of some units.
type innerBuffers struct {
	inner, aux buffer // [N,I]
	quant      kernels.QuantRows
}

// room gives a unit of n rows the matrices that an MLP like m needs.
func (b *innerBuffers) room(e *kernels.Engine, m *MLP, n int) (u unit) {
	if !m.quantInner() || m.Act.Kind != ActGLU {
		u.inner = b.inner.mat(n, m.Width())
	}
	if m.Act.clamped() {
		u.aux = b.aux.mat(n, m.Width())
	}
	if m.quantInner() {
		b.quant.Resize(e, n, m.Width())
		u.innerQ = b.quant
	}
	return u
}

// unit makes a unit of the rows of the call, whose inner matrices fill the given buffers.
func (s *State) unit(e *kernels.Engine, m *MLP, in, out tensor.Mat, b *innerBuffers) unit {
	u := b.room(e, m, in.Rows)
	u.m, u.in, u.out = m, in, out
	if m.quantIn() {
		u.inQ = s.quantised(e, in)
	}
	return u
}

// rows is the unit on rows [a,b).
func (u unit) rows(a, b int) unit {
	u.in, u.inner, u.aux, u.out = part(u.in, a, b), part(u.inner, a, b), part(u.aux, a, b), u.out.Slice(a, b)
	u.inQ, u.innerQ = partQ(u.inQ, a, b), partQ(u.innerQ, a, b)
	return u
}

// part and partQ are rows [a,b) of a matrix that may be empty.
func part(m tensor.Mat, a, b int) tensor.Mat {
	if m.Rows == 0 {
		return m
	}
	return m.Slice(a, b)
}

func partQ(q kernels.QuantRows, a, b int) kernels.QuantRows {
	if q.Rows == 0 {
		return q
	}
	return q.Slice(a, b)
}

// rise computes columns [a,b) of inner: gate, up and activation. Serial, inside a Job. The gate's and up's weights that
// are read then are known, or nil.
func (u *unit) rise(e *kernels.Engine, worker, a, b int, then [2][]byte) {
	m := u.m
	switch m.Act.Kind {
	case ActGLU:
		e.Gated(worker, &kernels.Gated{
			Dst: u.inner, X: u.in, DstQ: u.innerQ, XQ: u.inQ, Gate: m.Gate, Up: m.Up,
			GateBias: m.GateBias, UpBias: m.UpBias, Act: m.Act.Func, Then: then[0], ThenUp: then[1], Ready: u.ready,
		}, a, b)
		return
	case ActPlain:
		e.Block(worker, kernels.Product{Dst: u.inner, X: u.in, XQ: u.inQ, W: m.Up, Bias: m.UpBias, Then: then[1], Ready: u.ready}, a, b)
		for t := range u.out.Rows {
			row := u.inner.Row(t)[a:b]
			e.Ops().Act(row, row, m.Act.Func)
		}
	default:
		e.Block(worker, kernels.Product{Dst: u.inner, X: u.in, XQ: u.inQ, W: m.Gate, Bias: m.GateBias, Then: m.Up.From(a), Ready: u.ready}, a, b)
		e.Block(worker, kernels.Product{Dst: u.aux, X: u.in, XQ: u.inQ, W: m.Up, Bias: m.UpBias, Then: then[0], Ready: u.ready}, a, b)
		for t := range u.out.Rows {
			m.Act.apply(u.inner.Row(t)[a:b], u.aux.Row(t)[a:b])
		}
	}
	if m.quantInner() {
		for t := range u.out.Rows {
			e.Quantise(u.innerQ, t, a, u.inner.Row(t)[a:b])
		}
	}
}

// fall computes columns [a,b) of out. Serial, inside a Job. The weights that are read then are known, or nil.
func (u *unit) fall(e *kernels.Engine, worker, a, b int, then []byte) {
	e.Block(worker, kernels.Product{Dst: u.out, X: u.inner, XQ: u.innerQ, W: u.m.Down, Bias: u.m.DownBias, Then: then, Ready: u.ready}, a, b)
}
