package moe

import "math"

// score fills s with the scores of one token's logits l, which have passed the softcap; s may not be l. Exponentials
// and sums are f64, results f32.
func (g *GateSpec) score(s, l []float32) {
	copy(s, l)
	switch g.Score {
	case ScoreSoftmax:
		softmax(s)
	case ScoreSigmoid:
		for i, v := range s {
			s[i] = sigmoid(v)
		}
	case ScoreSqrtSoftplus:
		for i, v := range s {
			s[i] = float32(math.Sqrt(softplus(float64(v))))
		}
	}
}

// cap applies the softcap to logits in place: l = c·tanh(l/c).
func (g *GateSpec) cap(l []float32) {
	if g.Softcap <= 0 {
		return
	}
	for i, v := range l {
		l[i] = g.Softcap * float32(math.Tanh(float64(v/g.Softcap)))
	}
}

// softmax is in place, largest subtracted first, summed in ascending order. Where the largest is infinite, those equal
// to it share the whole.
func softmax(s []float32) {
	top := float32(math.Inf(-1))
	for _, v := range s {
		if v > top { // max would mind NaN and signs of zero, in turn for every element
			top = v
		}
	}
	sum := 0.0
	for i, v := range s {
		e := 1.0
		if v != top {
			e = expBelow(float64(v) - float64(top))
		}
		s[i] = float32(e)
		sum += e
	}
	for i, v := range s {
		s[i] = float32(float64(v) / sum)
	}
}

// expBelow is exp(x) for x ≤ 0 to about an ulp, in less than half the time of math.Exp: x = k·ln2 + r, and Taylor's polynomial.
func expBelow(x float64) float64 {
	const (
		shift = 0x1.8p52 // x+shift rounds to an integer, found in the low bits
		hi    = 0x1.62e42feep-1
		lo    = 0x1.a39ef35793c76p-33
	)
	if !(x >= -700) {
		return math.Exp(x)
	}
	t := float64(x*math.Log2E) + shift
	k := t - shift
	r := float64(x-float64(k*hi)) - float64(k*lo)
	r2 := float64(r * r)
	r4 := float64(r2 * r2)
	a := pair(1, r, 1) + float64(r2*pair(1./2, r, 1./6))
	b := pair(1./24, r, 1./120) + float64(r2*pair(1./720, r, 1./5040))
	c := pair(1./40320, r, 1./362880) + float64(r2*pair(1./3628800, r, 1./39916800))
	p := a + float64(r4*(b+float64(r4*(c+float64(r4*pair(1./479001600, r, 1./6227020800))))))
	return math.Float64frombits(math.Float64bits(p) + math.Float64bits(t)<<52)
}

// pair is a + b·r.
func pair(a, r, b float64) float64 { return a + float64(b*r) }

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// softplus is ln(1+exp(v)) without overflow.
func softplus(v float64) float64 { return max(v, 0) + math.Log1p(math.Exp(-math.Abs(v))) }

// firstNaN is the index of the first NaN, or -1.
func firstNaN(s []float32) int {
	for i, v := range s {
		if v != v {
			return i
		}
	}
	return -1
}
