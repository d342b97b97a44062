package model

import (
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Mixtral (arXiv 2401.04088; reference: transformers models/mixtral): every layer a mixture; softmax over all experts,
// the chosen weights always divided by their sum. Experts are as wide as intermediate_size; theta is 1e6 where absent.
func specMixtral(c *loader.Fields) *Spec {
	b := readBase(c, defaults{theta: 1e6, eps: 1e-5, kvHeads: 8})
	b.attn.Window = window(c, 0)
	gate := readGate(c, "num_local_experts", 8, 2)
	gate.Norm = moe.NormSum
	return b.layers(func(_ int, l *Layer) { l.MoE = b.moe(gate, b.inner) })
}

// bindMixtral claims the tensors of the families whose mixture is called block_sparse_moe: mixtral and phimoe.
func bindMixtral(b *binder, s *Spec, w *Weights) {
	b.ends(s, w)
	for i := range s.Layers {
		l, at := &w.Layers[i], b.at(i)
		b.norms(at, s, l)
		b.attention(at, s, i, l)
		b.router(s, i, l, at+"block_sparse_moe.gate.weight", at+"mlp.gate.weight")
		b.experts(at, s, i, l)
	}
}
