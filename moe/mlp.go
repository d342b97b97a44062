package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// MLP is a gated feed-forward: down( act(x·gateᵀ, x·upᵀ) ). Experts, shared experts and dense layers are MLPs. Without
// a gate (Act.Kind plain) Gate is empty and the activation works on up.
type MLP struct {
	Gate, Up, Down             kernels.Matrix // [I,H], [I,H], [H,I]
	GateBias, UpBias, DownBias []float32      // or nil
	Act                        Act
}

// Width is I.
func (m *MLP) Width() int { return m.Up.Rows }

// Forward fills dst [T,H] from x [T,H]; they must not overlap.
func (m *MLP) Forward(e *kernels.Engine, dst, x tensor.Mat, s *State) {
	inner := s.inner.mat(x.Rows, m.Width())
	s.mlp = mlpJob{e: e, m: m, x: x, inner: inner, block: e.BlockRows(x.Rows, m.Width(), x.Cols)}
	e.Run((m.Width()+s.mlp.block-1)/s.mlp.block, &s.mlp)
	s.prod[0] = kernels.Product{Dst: dst, X: inner, W: m.Down, Bias: m.DownBias}
	e.MatMul(s.prod[:]...)
}

type mlpJob struct {
	e        *kernels.Engine
	m        *MLP
	x, inner tensor.Mat
	block    int
}

// Do implements kernels.Job: one block of columns of the inner layer.
func (j *mlpJob) Do(worker, chunk int) {
	a := chunk * j.block
	j.m.rise(j.e, worker, j.inner, j.x, a, min(a+j.block, j.m.Width()))
}

// rise computes columns [a,b) of the inner layer: gate, up and activation. Serial, inside a Job.
func (m *MLP) rise(e *kernels.Engine, worker int, inner, x tensor.Mat, a, b int) {
	switch {
	case m.Act.Kind == ActGLU:
		e.GatedBlock(worker, inner, x, m.Gate, m.Up, m.GateBias, m.UpBias, m.Act.Func, a, b)
	case m.Act.Kind == ActPlain:
		e.Block(worker, kernels.Product{Dst: inner, X: x, W: m.Up, Bias: m.UpBias}, a, b)
		for t := range x.Rows {
			row := inner.Row(t)[a:b]
			e.Ops().Act(row, row, m.Act.Func)
		}
	default:
		m.riseClamped(e, worker, inner, x, a, b)
	}
}

// riseClamped is rise for the activations that no kernel fuses.
func (m *MLP) riseClamped(e *kernels.Engine, worker int, inner, x tensor.Mat, a, b int) {
	up := tensor.NewMat(x.Rows, m.Width())
	e.Block(worker, kernels.Product{Dst: inner, X: x, W: m.Gate, Bias: m.GateBias}, a, b)
	e.Block(worker, kernels.Product{Dst: up, X: x, W: m.Up, Bias: m.UpBias}, a, b)
	for t := range x.Rows {
		m.Act.apply(inner.Row(t)[a:b], up.Row(t)[a:b])
	}
}
