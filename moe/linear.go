package moe

import (
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Linear is the usual Scorer: logits = x·Wᵀ (+ Bias), x [T,H], accumulated in f32 whatever the dtype of W, then rounded
// as Round says.
//
// Where Input is set the router reads x / sqrt(mean(x²)+Eps) · Input · H^-½ (source: transformers models/gemma4,
// Gemma4TextRouter). Not for use by several callers at once; no allocation after the first call of a size.
type Linear struct {
	W     kernels.Matrix // [E+Null+S, H]
	Bias  []float32      // [E+Null+S] or nil
	Round Compute
	Input []float32 // [H] or nil
	Eps   float32   // of Input's norm

	prod   [1]kernels.Product
	normed []float32 // [T,H]
	scale  []float32 // [H] Input · H^-½
}

// Score implements Scorer.
func (l *Linear) Score(dst tensor.Mat, c Call) error {
	x := c.X
	if l.Input != nil {
		x = l.normalise(x, c.Engine)
	}
	l.prod[0] = kernels.Product{Dst: dst, X: x, W: l.W, Bias: l.Bias, Exact: true}
	c.Engine.MatMul(l.prod[:]...)
	round(dst.Data, l.Round)
	return nil
}

func (l *Linear) normalise(x tensor.Mat, e *kernels.Engine) tensor.Mat {
	if l.scale == nil {
		l.scale = make([]float32, len(l.Input))
		for i, v := range l.Input {
			l.scale[i] = v * float32(1/math.Sqrt(float64(len(l.Input))))
		}
	}
	l.normed = sized(l.normed, x.Rows*x.Cols)
	out := tensor.MatOf(l.normed, x.Rows, x.Cols)
	for t := range x.Rows {
		e.Ops().RMSNorm(out.Row(t), x.Row(t), l.scale, l.Eps)
	}
	return out
}

// round rounds logits to the type that a reference keeps them in.
func round(l []float32, to Compute) {
	switch to {
	case ComputeBF16:
		for i, v := range l {
			l[i] = tensor.BF16ToF32(tensor.F32ToBF16(v))
		}
	case ComputeF16:
		for i, v := range l {
			l[i] = tensor.F16ToF32(tensor.F32ToF16(v))
		}
	}
}
