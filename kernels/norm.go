package kernels

import "math"

// RMSNorm computes dst = x / sqrt(mean(x²)+eps) · w over one row; all slices have the same length and dst may be x.
// Source: Zhang & Sennrich, Root Mean Square Layer Normalization, arXiv 1910.07467, eq. 4.
func (o *Ops) RMSNorm(dst, x, w []float32, eps float32) {
	if len(dst) != len(x) || len(w) != len(x) {
		panic("kernels.RMSNorm: dst, x and w differ in length")
	}
	o.p.mulScale(dst, x, w, invRoot(o.p.sumSq(x, 0), len(x), eps))
}

// LayerNorm computes dst = (x-mean(x)) / sqrt(var(x)+eps) · w + b over one row; b may be nil and dst may be x.
// Source: Ba, Kiros & Hinton, Layer Normalization, arXiv 1607.06450, eq. 4.
func (o *Ops) LayerNorm(dst, x, w, b []float32, eps float32) {
	if len(dst) != len(x) || len(w) != len(x) || (b != nil && len(b) != len(x)) {
		panic("kernels.LayerNorm: dst, x, w and b differ in length")
	}
	if len(x) == 0 {
		return
	}
	mean := o.p.sum(x) / float32(len(x))
	s := invRoot(o.p.sumSq(x, mean), len(x), eps)
	o.p.affine(dst, x, w, b, mean, s)
}

// NotFinite is the index of the first NaN or infinity in x, or -1.
func (o *Ops) NotFinite(x []float32) int {
	if s := o.p.sum(x); s-s == 0 { // no sum with NaN or infinities is finite
		return -1
	}
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

// ArgMax is the index of the largest element, the first of equals; 0 of nothing. NaN is never the largest.
func (o *Ops) ArgMax(x []float32) int {
	const block = 1024 // stays in L1 for the second look
	best, top := 0, float32(math.Inf(-1))
	for at := 0; at < len(x); at += block {
		if m := o.p.max(x[at:min(at+block, len(x))]); m > top {
			best, top = at, m
		}
	}
	for i, v := range x[best:] {
		if v == top {
			return best + i
		}
	}
	return 0
}

// invRoot is 1/sqrt(sum/n + eps), correctly rounded from f32 operands.
func invRoot(sum float32, n int, eps float32) float32 {
	return float32(1 / math.Sqrt(float64(sum/float32(max(n, 1))+eps)))
}

// mulScaleGeneric is dst = (x·s)·w.
func mulScaleGeneric(dst, x, w []float32, s float32) {
	for i, v := range x {
		dst[i] = float32(v*s) * w[i]
	}
}

// affineGeneric is dst = ((x-mean)·s)·w + b.
func affineGeneric(dst, x, w, b []float32, mean, s float32) {
	for i, v := range x {
		y := float32(float32(v-mean)*s) * w[i]
		if b != nil {
			y += b[i]
		}
		dst[i] = y
	}
}
