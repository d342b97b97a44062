package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// SharedSpec describes experts that work on every token.
type SharedSpec struct {
	Width int        `json:"width"`
	Gate  SharedGate `json:"gate,omitempty"`
}

// SharedGate says what multiplies the shared experts' output.
type SharedGate string

// Shared experts are added as they are; multiplied by sigmoid(W·x), W [1,H] (qwen2_moe); blended, c₀·routed + c₁·shared
// with c = softmax(W·x + b), W [2,H] (Klear); multiplied by the weight that the gate gives them (inkling, NormShared).
const (
	SharedPlain   SharedGate = ""
	SharedSigmoid SharedGate = "sigmoid"
	SharedBlend   SharedGate = "softmax2"
	SharedRouted  SharedGate = "router"
)

// Shared is the expert that works on every token, and its gate where it has one: sigmoid with one row, blend with two.
type Shared struct {
	MLP      MLP
	Gate     kernels.Matrix // [1,H] or [2,H]; empty: added as it is
	GateBias []float32      // [1] or [2] or nil
	Routed   bool           // multiplied by Routing.Shared [T,1]
}

// unit appends the shared expert's unit to s.units and gives the product of its gate, or nil.
func (h *Shared) unit(e *kernels.Engine, x tensor.Mat, s *State) *kernels.Product {
	out := s.shared.mat(x.Rows, x.Cols)
	s.units = append(s.units, s.unit(e, &h.MLP, x, out, &s.sharedInner))
	if h.Gate.Rows == 0 {
		return nil
	}
	s.prod[0] = kernels.Product{Dst: s.sigma.mat(x.Rows, h.Gate.Rows), X: x, W: h.Gate, Bias: h.GateBias, Exact: true}
	return &s.prod[0]
}

// add adds columns [a,b) of the shared expert's output of token t to dst, which holds the routed sum.
func (h *Shared) add(ops *kernels.Ops, dst []float32, s *State, t, a, b int) {
	out := s.shared.last.Row(t)[a:b]
	switch {
	case h.Routed:
		ops.Axpy(dst, s.Routing.Shared[t], out)
	case h.Gate.Rows == 1:
		ops.Axpy(dst, sigmoid(s.sigma.last.Row(t)[0]), out)
	case h.Gate.Rows == 2:
		c := s.sigma.last.Row(t)
		share := sigmoid(c[1] - c[0]) // softmax of two
		ops.Scale(dst, 1-share)
		ops.Axpy(dst, share, out)
	default:
		ops.Add(dst, out)
	}
}
