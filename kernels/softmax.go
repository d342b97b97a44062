package kernels

import "math"

// Softmax computes x[i] = e^(x[i]-max) / Σ e^(x[j]-max) in place. A row of -Inf only, or with a NaN, becomes NaN.
func (o *Ops) Softmax(x []float32) {
	if len(x) == 0 {
		return
	}
	sum := o.p.expSum(x, o.p.max(x))
	o.p.scale(x, 1/sum)
}

// Max is the largest element, skipping NaN; -Inf of nothing.
func (o *Ops) Max(x []float32) float32 { return o.p.max(x) }

// ExpSum computes x[i] = e^(x[i]-max) in place and returns their sum in the lanes of the level. Each exponential is
// within 2 ulp.
func (o *Ops) ExpSum(x []float32, max float32) float32 { return o.p.expSum(x, max) }

func maxGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v > m {
			m = v
		}
	}
	return m
}

func expSumGeneric(x []float32, max float32) float32 {
	var acc [8]float32
	for i, v := range x {
		x[i] = expGeneric(v - max)
		acc[i&7] += x[i]
	}
	return sumLanes(&acc)
}
