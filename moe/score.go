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
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range s {
		e := 1.0
		if v != top {
			e = math.Exp(float64(v) - float64(top))
		}
		s[i] = float32(e)
		sum += e
	}
	for i, v := range s {
		s[i] = float32(float64(v) / sum)
	}
}

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
