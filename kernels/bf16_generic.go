package kernels

import "math"

// pairLanes are the elements of a register of bf16 pairs.
const pairLanes = 32

// blockBF16Generic is the specification of a product of bfloat16 by bfloat16: with 16 lanes, the elements of each run of
// 32 are taken in pairs, pair i by lane i, first the odd element, then the even one, each by a fused multiply-add that
// takes denormals for zero and leaves none; then the tree of 16 lanes of the package comment, and the bias. X is rounded
// to bfloat16, ties to even. Rows whose length is no multiple of 32 are taken as padded with zeros.
func blockBF16Generic(s *scratch, p *Product, n0, n1 int) {
	k := p.X.Cols
	s.half = grown(s.half, k)
	x := s.half[:k]
	for t := range p.X.Rows {
		narrowBF16Generic(x, p.X.Row(t))
		for n := n0; n < n1; n++ {
			y := dotBF16Generic(as[uint16](p.W.RowRange(n, n+1).Data), x)
			if p.Bias != nil {
				y += p.Bias[n]
			}
			p.Dst.Row(t)[n] = y
		}
	}
}

func dotBF16Generic(w, x []uint16) float32 {
	var acc [16]float32
	for k := 0; k < len(w); k += 2 {
		a := &acc[k%pairLanes/2]
		if k+1 < len(w) {
			*a = fmaBF16(w[k+1], x[k+1], *a)
		} else {
			*a = fmaBF16(0, 0, *a)
		}
		*a = fmaBF16(w[k], x[k], *a)
	}
	var half [8]float32
	for i := range half {
		half[i] = acc[i] + acc[i+8]
	}
	return sumLanes(&half)
}

// fmaBF16 is w·x + a rounded once, ties to even, denormals being zero.
func fmaBF16(w, x uint16, a float32) float32 {
	wide := func(b uint16) float64 { return float64(flushed(math.Float32frombits(uint32(b) << 16))) }
	p, c := wide(w)*wide(x), float64(flushed(a)) // the product of two 8-bit significands is exact
	s := p + c
	// Rounding s again to f32 is right only if s was rounded to odd: a sum that was not exact has an odd last bit.
	v := s - p
	if lost := (p - (s - v)) + (c - v); lost != 0 && math.Float64bits(s)&1 == 0 {
		toward := math.Inf(1)
		if lost < 0 {
			toward = math.Inf(-1)
		}
		s = math.Nextafter(s, toward)
	}
	return flushed(float32(s))
}

// flushed is f, or zero of its sign where f is denormal.
func flushed(f float32) float32 {
	if math.Abs(float64(f)) < 0x1p-126 {
		return float32(math.Copysign(0, float64(f)))
	}
	return f
}
