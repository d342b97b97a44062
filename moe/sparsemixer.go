package moe

import (
	"math"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// SparseMixer is the gate of Phi-3.5-MoE at inference (arXiv 2409.12136; transformers models/phimoe, sparsemixer). For
// each of K ≤ 2 steps: the winner is the largest logit among those not taken; its weight is the softmax at the winner
// over the logits that are close to it, that is (m − l_i)/max(|l_i|, m) ≤ 2·Jitter with m the winner's logit; where that
// ratio is 0/0 the expert stays, as in the reference. Each weight is near 1 unless experts nearly tie; Spec.Norm is none
// in the published model, so they do not add up to 1. Score functions and choice biases do not apply.
type SparseMixer struct {
	Spec      GateSpec
	PerExpert []float32 // [E+Null] or nil

	rows rows
}

// Select implements Selector.
func (s *SparseMixer) Select(dst *Routing, logits tensor.Mat, c Call) error {
	return s.rows.run(&s.Spec, s, dst, logits, c)
}

func (s *SparseMixer) choose(w *scratch) {
	copy(w.score, w.logits)
	w.choice = append(w.choice[:0], w.logits[:s.Spec.Slots()]...)
}

func (s *SparseMixer) pick(ids []int32, _ int32, w *scratch) int {
	taken := -1
	for j := range ids {
		taken = bestBut(w.choice, taken)
		ids[j] = int32(taken)
	}
	return len(ids)
}

func (s *SparseMixer) weigh(ids []int32, weights, shared []float32, w *scratch) {
	taken := -1
	for j, e := range ids {
		weights[j] = s.weight(w.logits, int(e), taken)
		taken = int(e)
	}
	s.Spec.finish(ids, weights, shared, s.PerExpert)
}

// bestBut is the index of the largest logit, one index left out (-1: none), ties to the lower.
func bestBut(l []float32, not int) int {
	win := -1
	for i, v := range l {
		if i != not && (win < 0 || v > l[win]) {
			win = i
		}
	}
	return win
}

// weight is the softmax at the winner over the experts that stay; the one taken before never does.
func (s *SparseMixer) weight(l []float32, win, taken int) float32 {
	m, sum := l[win], 0.0
	for i, v := range l {
		if i == taken {
			continue
		}
		factor := max(float32(math.Abs(float64(v))), m)
		if (m-v)/factor > 2*s.Spec.Jitter {
			continue
		}
		sum += math.Exp(float64(v) - float64(m))
	}
	return float32(1 / sum)
}
