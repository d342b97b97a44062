package model

import (
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
)

// readGate starts a gate: softmax over all experts, the top k of them, weights as the scores are. The number of experts
// stands under num_experts or num_local_experts: the reference writes either for one family, depending on its version.
func readGate(c *loader.Fields, key string, experts, k int) moe.GateSpec {
	for _, other := range []string{"num_experts", "num_local_experts"} {
		if !c.Has(key) && c.Has(other) {
			key = other
		}
	}
	g := moe.GateSpec{Score: moe.ScoreSoftmax, Select: moe.SelectTopK, WeightFrom: moe.FromScore, Norm: moe.NormNone}
	g.Experts = c.IntOr(key, experts, 1, maxExperts)
	g.TopK = c.IntOr("num_experts_per_tok", k, 1, maxExperts)
	if g.TopK > g.Experts {
		bad(c, "num_experts_per_tok", "at most the number of experts", g.TopK)
	}
	return g
}

// normTopK reads norm_topk_prob: are the chosen weights divided by their sum?
func normTopK(c *loader.Fields, def bool) moe.WeightNorm {
	if c.BoolOr("norm_topk_prob", def) {
		return moe.NormSum
	}
	return moe.NormNone
}

// moe is a mixture layer of experts that use the model's activation.
func (b *base) moe(gate moe.GateSpec, width int) *MoE {
	return &MoE{Gate: gate, Width: width, Block: moe.BlockSpec{Act: moe.GLU(b.act)}}
}
