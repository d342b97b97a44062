package moe

import "github.com/seed2fbf7788/switchyard/tensor"

// TopK is the selector of most families: scores, a bias that counts for the choice only, groups, the K best, and
// weights made of scores or of the chosen logits, normalised and scaled:
//
//	s = score(softcap(l));  chosen = top K of s + ChoiceBias, within the best groups;  w = norm(s[chosen]) · Scale
//
// All of it in f32 from f32 logits [T, E+Null+S], however the weights are stored. Experts that are left out are left out
// by a flag, not by a score. Results do not depend on the number of threads. Nothing is allocated after the first call
// of a size; not safe for concurrent use.
//
// Sources: transformers models mixtral, qwen3_moe, olmoe, deepseek_v2, deepseek_v3, granitemoe, gpt_oss, llama4,
// lfm2_moe, ernie4_5_moe, longcat_flash, laguna, mistral4, minimax_m2; DeepSeek-V3 (arXiv 2412.19437, eq. 12-16).
type TopK struct {
	Spec       GateSpec
	ChoiceBias []float32 // [E+Null] or nil
	PerExpert  []float32 // [E+Null] or nil

	rows rows
}

// Select implements Selector.
func (s *TopK) Select(dst *Routing, logits tensor.Mat, c Call) error {
	return s.rows.run(&s.Spec, s, dst, logits, c)
}

func (s *TopK) choose(w *scratch) { s.Spec.choose(w, s.ChoiceBias, nil) }

func (s *TopK) pick(ids []int32, _ int32, w *scratch) int {
	return choose(ids, w.choice, w.skips(s.Spec.Slots()))
}

func (s *TopK) weigh(ids []int32, weights, shared []float32, w *scratch) {
	s.Spec.weigh(ids, weights, shared, w.score, w.logits, s.PerExpert)
}

// choose fills scores and choice scores: biases added, groups limited.
func (g *GateSpec) choose(w *scratch, bias, more []float32) {
	g.score(w.score, w.logits)
	w.choice = append(w.choice[:0], w.score[:g.Slots()]...)
	for e, b := range bias {
		w.choice[e] += b
	}
	for e, b := range more {
		w.choice[e] += b
	}
	if g.Groups != nil && firstNaN(w.choice) < 0 {
		w.skipping = g.Groups.limit(w.choice, g.Experts, w) != nil
	}
}
