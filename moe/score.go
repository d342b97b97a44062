package moe

import (
	"fmt"
	"math"
)

// score fills s with the scores of one token's logits. Exponentials and sums are f64, results f32. It fails on NaN.
func (g *GateSpec) score(s, logits []float32) error {
	for i, l := range logits {
		if l != l {
			return fmt.Errorf("expert %d: %w", i, ErrBadScore)
		}
		if g.Softcap > 0 {
			l = g.Softcap * float32(math.Tanh(float64(l/g.Softcap)))
		}
		s[i] = l
	}
	switch g.Score {
	case ScoreSoftmax:
		softmax(s)
	case ScoreSigmoid:
		for i, l := range s {
			s[i] = sigmoid(l)
		}
	case ScoreSqrtSoftplus:
		for i, l := range s {
			s[i] = float32(math.Sqrt(softplus(float64(l))))
		}
	}
	return nil
}

// softmax is in place, largest subtracted first. Where the largest is +Inf, the infinite ones share the whole.
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
