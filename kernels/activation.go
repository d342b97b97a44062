package kernels

import "fmt"

// Activation names an elementwise function between the gate and up products of a feed-forward layer.
type Activation uint8

// The activations. GELUTanh is the tanh approximation in its sigmoid form x·σ(2u); GELU is the exact one with erf.
const (
	SiLU     Activation = iota // x / (1+e^-x)
	GELUTanh                   // x / (1+e^(-2u)), u = sqrt(2/π)·(x + 0.044715·x³)
	ReLU                       // max(x, 0)
	ReLU2                      // max(x, 0)²
	GELU                       // x/2 · (1 + erf(x/√2))
	numActivations
)

// String is the name that config files use where there is one.
func (a Activation) String() string {
	names := [numActivations]string{"silu", "gelu_pytorch_tanh", "relu", "relu2", "gelu"}
	if a >= numActivations {
		return fmt.Sprintf("Activation(%d)", uint8(a))
	}
	return names[a]
}

// Act computes dst[i] = act(x[i]); dst may be x.
// Sources: SiLU and GELU: Hendrycks & Gimpel, arXiv 1606.08415; ReLU²: So et al., Primer, arXiv 2109.08668.
func (o *Ops) Act(dst, x []float32, act Activation) {
	if len(dst) != len(x) {
		panic("kernels.Act: len(dst) != len(x)")
	}
	o.p.act[act](dst, x)
}

// ActMul computes dst[i] = act(gate[i])·up[i]; dst may be gate or up.
// Source: Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202, eq. 5.
func (o *Ops) ActMul(dst, gate, up []float32, act Activation) {
	if len(dst) != len(gate) || len(up) != len(gate) {
		panic("kernels.ActMul: dst, gate and up differ in length")
	}
	o.p.actMul[act](dst, gate, up)
}

// Constants of GELUTanh: -2u = geluA·x + geluB·x³.
const (
	geluA = -2 * 0.7978845608028654
	geluB = geluA * 0.044715
)

func siluGeneric(x float32) float32 { return x / (1 + expGeneric(-x)) }

func geluTanhGeneric(x float32) float32 {
	t := float32(float32(x*x)*geluB) + geluA
	return x / (1 + expGeneric(float32(t*x)))
}

// reluGeneric keeps a NaN.
func reluGeneric(x float32) float32 {
	if x < 0 {
		return 0
	}
	return x
}

func relu2Generic(x float32) float32 { r := reluGeneric(x); return float32(r * r) }

var (
	actGeneric = [numActivations]func(dst, x []float32){
		SiLU:     func(dst, x []float32) { mapInto(dst, x, siluGeneric) },
		GELUTanh: func(dst, x []float32) { mapInto(dst, x, geluTanhGeneric) },
		ReLU:     func(dst, x []float32) { mapInto(dst, x, reluGeneric) },
		ReLU2:    func(dst, x []float32) { mapInto(dst, x, relu2Generic) },
		GELU:     func(dst, x []float32) { mapInto(dst, x, geluGeneric) },
	}
	actMulGeneric = [numActivations]func(dst, gate, up []float32){
		SiLU:     func(dst, gate, up []float32) { mulInto(dst, gate, up, siluGeneric) },
		GELUTanh: func(dst, gate, up []float32) { mulInto(dst, gate, up, geluTanhGeneric) },
		ReLU:     func(dst, gate, up []float32) { mulInto(dst, gate, up, reluGeneric) },
		ReLU2:    func(dst, gate, up []float32) { mulInto(dst, gate, up, relu2Generic) },
		GELU:     func(dst, gate, up []float32) { mulInto(dst, gate, up, geluGeneric) },
	}
)

func mapInto(dst, x []float32, f func(float32) float32) {
	for i, v := range x {
		dst[i] = f(v)
	}
}

func mulInto(dst, gate, up []float32, f func(float32) float32) {
	for i, v := range gate {
		dst[i] = f(v) * up[i]
	}
}
