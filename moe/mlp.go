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
	s.units = append(s.units[:0], s.unit(m, x, dst, &s.inner, &s.aux))
	s.up.run(e, s.units, nil)
	s.prod[0] = kernels.Product{Dst: dst, X: s.units[0].inner, W: m.Down, Bias: m.DownBias}
	e.MatMul(s.prod[:]...)
}

// unit is one MLP at work on some rows: in [M,H] → inner [M,I] → out [M,H].
type unit struct {
	m              *MLP
	in, inner, out tensor.Mat
	aux            tensor.Mat // [M,I] up of the clamped activations
}

// unit makes a unit whose inner matrices fill the given buffers.
func (s *State) unit(m *MLP, in, out tensor.Mat, inner, aux *buffer) unit {
	u := unit{m: m, in: in, out: out, inner: inner.mat(in.Rows, m.Width())}
	if m.Act.clamped() {
		u.aux = aux.mat(in.Rows, m.Width())
	}
	return u
}

// rows is the unit on rows [a,b).
func (u unit) rows(a, b int) unit {
	u.in, u.inner, u.out = u.in.Slice(a, b), u.inner.Slice(a, b), u.out.Slice(a, b)
	if u.aux.Rows > 0 {
		u.aux = u.aux.Slice(a, b)
	}
	return u
}

// rise computes columns [a,b) of inner: gate, up and activation. Serial, inside a Job.
func (u *unit) rise(e *kernels.Engine, worker, a, b int) {
	m := u.m
	switch m.Act.Kind {
	case ActGLU:
		e.GatedBlock(worker, u.inner, u.in, m.Gate, m.Up, m.GateBias, m.UpBias, m.Act.Func, a, b)
	case ActPlain:
		e.Block(worker, kernels.Product{Dst: u.inner, X: u.in, W: m.Up, Bias: m.UpBias}, a, b)
		for t := range u.in.Rows {
			row := u.inner.Row(t)[a:b]
			e.Ops().Act(row, row, m.Act.Func)
		}
	default:
		e.Block(worker, kernels.Product{Dst: u.inner, X: u.in, W: m.Gate, Bias: m.GateBias}, a, b)
		e.Block(worker, kernels.Product{Dst: u.aux, X: u.in, W: m.Up, Bias: m.UpBias}, a, b)
		for t := range u.in.Rows {
			m.Act.apply(u.inner.Row(t)[a:b], u.aux.Row(t)[a:b])
		}
	}
}

// fall computes columns [a,b) of out. Serial, inside a Job.
func (u *unit) fall(e *kernels.Engine, worker, a, b int) {
	e.Block(worker, kernels.Product{Dst: u.out, X: u.inner, W: u.m.Down, Bias: u.m.DownBias}, a, b)
}
