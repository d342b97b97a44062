package moe

import "github.com/seed2fbf7788/switchyard/tensor"

// ReLU is the gate of ReMoE (arXiv 2412.14711): w_e = max(l_e − Shift, 0), and every expert whose weight is above 0 works,
// none or all of them, by falling weight. The paper's weights are used as they are (Spec.Norm none); a norm and a scale
// of the spec apply where it has them, which suits routers that were trained with another gate. Score, K, biases and
// groups of the spec do not count.
type ReLU struct {
	Spec      GateSpec
	Shift     float32
	PerExpert []float32 // [E+Null] or nil

	rows rows
	all  GateSpec
}

// Select implements Selector.
func (s *ReLU) Select(dst *Routing, logits tensor.Mat, c Call) error {
	s.all = s.Spec
	s.all.TopK, s.all.WeightFrom, s.all.Groups = s.Spec.Slots(), FromScore, nil
	return s.rows.run(&s.all, s, dst, logits, c)
}

func (s *ReLU) maxK() int { return s.Spec.Slots() }

func (s *ReLU) choose(w *scratch) {
	for e, l := range w.logits {
		w.score[e] = max(l-s.Shift, 0)
	}
	w.choice = append(w.choice[:0], w.score[:s.Spec.Slots()]...)
}

func (s *ReLU) pick(ids []int32, _ int32, w *scratch) int {
	n := choose(ids, w.choice, nil)
	for n > 0 && w.choice[ids[n-1]] <= 0 {
		n--
	}
	return n
}

func (s *ReLU) weigh(ids []int32, weights, shared []float32, w *scratch) {
	s.all.weigh(ids, weights, shared, w.score, w.logits, s.PerExpert)
}
