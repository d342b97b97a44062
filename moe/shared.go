package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Shared is the expert that works on every token, and its gate [1,H] where it has one.
type Shared struct {
	MLP  MLP
	Gate kernels.Matrix // [1,H]; empty: added as it is
}

// run fills s.shared [T,H], gated.
func (h *Shared) run(e *kernels.Engine, x tensor.Mat, s *State) {
	out := s.shared.mat(x.Rows, x.Cols)
	h.MLP.Forward(e, out, x, s) // the experts' inner layer is not needed any more: its memory serves again
	if h.Gate.Rows == 0 {
		return
	}
	sigma := s.sigma.mat(x.Rows, 1)
	s.prod[0] = kernels.Product{Dst: sigma, X: x, W: h.Gate}
	e.MatMul(s.prod[:]...)
	for t := range x.Rows {
		e.Ops().Scale(out.Row(t), sigmoid(sigma.Data[t]))
	}
}
