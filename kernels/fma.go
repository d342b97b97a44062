package kernels

import "math"

// fma is a·b + c rounded once, the bits of the fused instruction: the f64 sum of the exact product is rounded to odd,
// which makes the second rounding harmless (Boldo & Melquiond, Emulation of FMA and correctly rounded sums, 2008).
func fma(a, b, c float32) float32 {
	p, d := float64(a)*float64(b), float64(c) // p is exact
	s := p + d
	t := s - p
	err := (p - (s - t)) + (d - t)
	if bits := math.Float64bits(s); bits&1 == 0 && (err > 0 || err < 0) {
		if (err > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
		s = math.Float64frombits(bits)
	}
	return float32(s)
}
