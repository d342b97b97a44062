package moe

import "math"

// weigh turns the chosen experts' scores or logits into final weights, and fills the weights of the shared slots, whose
// scores stand behind those of the experts:
//
//	w = score | softmax over the chosen | sigmoid;  norm;  · Scale · perExpert[e]
func (g *GateSpec) weigh(ids []int32, weights, shared, score, logits, perExpert []float32) {
	for j, e := range ids {
		switch g.WeightFrom {
		case FromSoftmaxSelected:
			weights[j] = logits[e]
		case FromSigmoidSelected:
			weights[j] = sigmoid(logits[e])
		default:
			weights[j] = score[e]
		}
	}
	if g.WeightFrom == FromSoftmaxSelected {
		softmax(weights)
	}
	copy(shared, score[len(score)-len(shared):])
	g.finish(ids, weights, shared, perExpert)
}

// finish normalises and scales.
func (g *GateSpec) finish(ids []int32, weights, shared, perExpert []float32) {
	if by := g.divisor(weights, shared); by != 1 {
		divide(weights, by)
		divide(shared, by)
	}
	scale := g.scale()
	for j, e := range ids {
		weights[j] *= scale
		if perExpert != nil {
			weights[j] *= perExpert[e]
		}
	}
	for j := range shared {
		shared[j] *= scale
	}
}

// divisor is what weights are divided by: their sum (with the shared slots', plus epsilon, at least the floor) or their
// p-norm, summed in slot order. A sum of 0, where all scores underflowed, leaves the weights at 0.
func (g *GateSpec) divisor(weights, shared []float32) float32 {
	by := float32(1)
	switch g.Norm {
	case NormSum, NormShared:
		by = max(sum(weights)+sum(shared)+g.NormEps, g.NormFloor)
	case NormPow:
		p := 0.0
		for _, v := range weights {
			p += math.Pow(math.Abs(float64(v)), float64(g.NormP))
		}
		by = float32(math.Pow(p, 1/float64(g.NormP)))
	}
	if by == 0 {
		return 1
	}
	return by
}

func sum(w []float32) float32 {
	var s float32
	for _, v := range w {
		s += v
	}
	return s
}

func divide(w []float32, by float32) {
	for j := range w {
		w[j] /= by
	}
}
