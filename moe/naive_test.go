package moe_test

import (
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// The oracle of the experts: a loop over tokens and slots in f64, as the formula stands in a paper.

// naiveBlock computes one token's output from its routing.
func naiveBlock(b *moe.Block, x []float32, ids []int32, weights []float32, shared float64) []float64 {
	in := wide(x)
	out := make([]float64, len(x))
	for j, e := range ids {
		w := float64(weights[j])
		switch {
		case int(e) >= len(b.Experts) && b.Spec.NullKind == moe.NullIdentity:
			addTo(out, w, in)
		case int(e) >= len(b.Experts):
		case b.Spec.ApplyInput:
			addTo(out, 1, naiveMLP(&b.Experts[e], each(in, func(v float64) float64 { return w * v })))
		default:
			addTo(out, w, naiveMLP(&b.Experts[e], in))
		}
	}
	if f := b.Spec.SumScale; f != 0 {
		out = each(out, func(v float64) float64 { return v * float64(f) })
	}
	if b.Shared != nil {
		out = naiveShared(b.Shared, out, in, shared)
	}
	return out
}

func naiveShared(h *moe.Shared, routed, in []float64, share float64) []float64 {
	y, gate := naiveMLP(&h.MLP, in), []float64(nil)
	if h.Gate.Rows > 0 {
		gate = naiveProduct(h.Gate, h.GateBias, in)
	}
	switch {
	case h.Routed:
		addTo(routed, share, y)
	case len(gate) == 1:
		addTo(routed, logistic(gate[0]), y)
	case len(gate) == 2:
		c := soft(gate)
		routed = each(routed, func(v float64) float64 { return v * c[0] })
		addTo(routed, c[1], y)
	default:
		addTo(routed, 1, y)
	}
	return routed
}

func naiveMLP(m *moe.MLP, in []float64) []float64 {
	up := naiveProduct(m.Up, m.UpBias, in)
	if m.Act.Kind == moe.ActPlain {
		return naiveProduct(m.Down, m.DownBias, each(up, func(v float64) float64 { return naiveAct(m.Act.Func, v) }))
	}
	gate := naiveProduct(m.Gate, m.GateBias, in)
	limit := float64(m.Act.Limit)
	for i, g := range gate {
		u := math.Max(-limit, math.Min(limit, up[i]))
		switch m.Act.Kind {
		case moe.ActOAI:
			g = math.Min(g, limit)
			gate[i] = (u + 1) * g * logistic(1.702*g)
		case moe.ActClampPre:
			gate[i] = naiveAct(kernels.SiLU, math.Min(g, limit)) * u
		case moe.ActClampPost:
			gate[i] = math.Min(naiveAct(kernels.SiLU, g), limit) * u
		default:
			gate[i] = naiveAct(m.Act.Func, g) * up[i]
		}
	}
	return naiveProduct(m.Down, m.DownBias, gate)
}

func naiveAct(a kernels.Activation, v float64) float64 {
	switch a {
	case kernels.SiLU:
		return v * logistic(v)
	case kernels.ReLU:
		return math.Max(v, 0)
	case kernels.ReLU2:
		return math.Max(v, 0) * math.Max(v, 0)
	case kernels.GELUTanh:
		return v / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
	}
	return v / 2 * (1 + math.Erf(v/math.Sqrt2))
}

func naiveProduct(w kernels.Matrix, bias []float32, in []float64) []float64 {
	out, row := make([]float64, w.Rows), make([]float32, w.Cols)
	for n := range out {
		w.Row(row, n)
		for k, v := range row {
			out[n] += float64(v) * in[k]
		}
		if bias != nil {
			out[n] += float64(bias[n])
		}
	}
	return out
}

func addTo(dst []float64, f float64, v []float64) {
	for i := range dst {
		dst[i] += f * v[i]
	}
}

// narrow rounds to f32, for tensor.Compare.
func narrow(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// bitsOf lists the bits of a matrix row by row.
func bitsOf(m tensor.Mat) []uint32 {
	var out []uint32
	for t := range m.Rows {
		for _, v := range m.Row(t) {
			out = append(out, math.Float32bits(v))
		}
	}
	return out
}
