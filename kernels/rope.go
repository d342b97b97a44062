package kernels

// Rope turns the pairs (i, i+h) of the first 2h elements of x by the angles whose cosines and sines are given,
// h = len(cos) = len(sin), in place: (a, b) becomes (a·cos - b·sin, b·cos + a·sin). The rest of x stays.
// Source: Su et al., RoFormer, arXiv 2104.09864, eq. 34, with the pairing of halves that Hugging Face checkpoints use.
func (o *Ops) Rope(x, cos, sin []float32) {
	h := len(cos)
	if len(sin) != h || len(x) < 2*h {
		panic("kernels.Rope: x is shorter than two halves, or cos and sin differ in length")
	}
	o.p.rope(x[:h:h], x[h:2*h:2*h], cos, sin)
}

// RopeInterleaved is Rope with the pairs (2i, 2i+1).
func (o *Ops) RopeInterleaved(x, cos, sin []float32) {
	if len(sin) != len(cos) || len(x) < 2*len(cos) {
		panic("kernels.RopeInterleaved: x is shorter than its pairs, or cos and sin differ in length")
	}
	for i, c := range cos {
		a, b := x[2*i], x[2*i+1]
		x[2*i] = float32(a*c) - float32(b*sin[i])
		x[2*i+1] = float32(b*c) + float32(a*sin[i])
	}
}

func ropeGeneric(lo, hi, cos, sin []float32) {
	for i, c := range cos {
		a, b := lo[i], hi[i]
		lo[i] = float32(a*c) - float32(b*sin[i])
		hi[i] = float32(b*c) + float32(a*sin[i])
	}
}
