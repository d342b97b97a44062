package model

import (
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
)

// GraniteMoE (reference: transformers models/granitemoe): top-k on the logits, softmax over the chosen; embeddings,
// residual branches, attention scores and logits are scaled by four configured numbers.
func specGraniteMoE(c *loader.Fields) *Spec { return granite(c, 0) }

// GraniteMoEShared adds a shared expert without a gate (reference: transformers models/granitemoeshared).
func specGraniteMoEShared(c *loader.Fields) *Spec {
	return granite(c, c.IntOr("shared_intermediate_size", 0, 0, maxDim))
}

func granite(c *loader.Fields, shared int) *Spec {
	b := readBase(c, defaults{})
	b.attn.QKVBias = c.BoolOr("attention_bias", false)
	b.attn.OBias = b.attn.QKVBias
	b.attn.Scale = float32(c.FloatOr("attention_multiplier", 1))
	b.spec.EmbedScale = float32(c.FloatOr("embedding_multiplier", 1))
	b.spec.ResidualScale = float32(c.FloatOr("residual_multiplier", 1))
	b.spec.LogitDivisor = float32(c.FloatOr("logits_scaling", 1))
	for _, key := range []string{"attention_multiplier", "embedding_multiplier", "residual_multiplier", "logits_scaling"} {
		if c.FloatOr(key, 1) == 0 {
			bad(c, key, "a number other than 0", 0)
		}
	}
	gate := readGate(c, "num_local_experts", 8, 2)
	gate.Score, gate.WeightFrom = moe.ScoreIdentity, moe.FromSoftmaxSelected
	return b.layers(func(_ int, l *Layer) {
		l.MoE = b.moe(gate, b.inner)
		if shared > 0 {
			l.MoE.Block.Shared = &moe.SharedSpec{Width: shared}
		}
	})
}

// bindGraniteMoE claims the tensors of granitemoe and granitemoeshared; the shared expert's gate and up are one tensor.
func bindGraniteMoE(b *binder, s *Spec, w *Weights) {
	b.ends(s, w)
	for i := range s.Layers {
		l, at := &w.Layers[i], b.at(i)
		b.norms(at, s, l)
		b.attention(at, s, i, l)
		b.router(s, i, l, at+"block_sparse_moe.router.layer.weight")
		b.experts(at, s, i, l)
		b.sharedFused(at+"shared_mlp.", s, i, l)
	}
}
