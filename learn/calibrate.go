package learn

import (
	"math"
	"slices"
)

// Temperature finds the temperature t that minimises the mean of -log softmax(logits/t)[y] by golden-section search on
// log t between 1/20 and 20 (Guo et al., arXiv 1706.04599).
func Temperature(logits [][]float32, y []int) float64 {
	loss := func(logT float64) float64 {
		t, sum := math.Exp(logT), 0.0
		for i, l := range logits {
			p := append([]float32(nil), l...)
			Softmax(p, t)
			sum -= math.Log(max(float64(p[y[i]]), 1e-30))
		}
		return sum
	}
	const ratio = 0.6180339887498949
	a, b := -math.Log(20), math.Log(20)
	c, d := b-ratio*(b-a), a+ratio*(b-a)
	fc, fd := loss(c), loss(d)
	for range 40 {
		if fc < fd {
			b, d, fd = d, c, fc
			c = b - ratio*(b-a)
			fc = loss(c)
		} else {
			a, c, fc = c, d, fd
			d = a + ratio*(b-a)
			fd = loss(d)
		}
	}
	return math.Exp((a + b) / 2)
}

// Threshold is the largest share of probability below which an answer counts as out of scope at the price of at most
// cost of the accuracy on what is in scope: right holds the top probabilities of examples answered rightly, n how many
// examples there are.
func Threshold(right []float64, n int, cost float64) float64 {
	may := int(cost * float64(n))
	if may <= 0 || len(right) == 0 {
		return 0
	}
	sorted := append([]float64(nil), right...)
	slices.Sort(sorted)
	return sorted[min(may, len(sorted)-1)]
}
