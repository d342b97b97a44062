package model

import (
	"github.com/seed2fbf7788/switchyard/loader"
)

// OLMoE (arXiv 2409.02060; reference: transformers models/olmoe): every layer a mixture; QK-norm over the whole
// projection, then q, k and v clamped to ±clip_qkv; experts as wide as intermediate_size.
func specOLMoE(c *loader.Fields) *Spec {
	b := readBase(c, defaults{eps: 1e-5})
	b.olmo()
	b.attn.Clip = float32(c.FloatOr("clip_qkv", 0))
	if b.attn.Clip < 0 {
		bad(c, "clip_qkv", "0 or more", b.attn.Clip)
	}
	gate := readGate(c, "num_experts", 64, 8)
	gate.Norm = normTopK(c, false)
	return b.layers(func(_ int, l *Layer) { l.MoE = b.moe(gate, b.inner) })
}

// FlexOlmo (arXiv 2507.07024; reference: transformers models/flex_olmo): OLMoE's gate and QK-norm with the norms behind
// the branches instead of before them, and no clamp.
func specFlexOlmo(c *loader.Fields) *Spec {
	b := readBase(c, defaults{theta: 500000})
	b.olmo()
	gate := readGate(c, "num_experts", 7, 5)
	gate.Norm = normTopK(c, false)
	return b.layers(func(_ int, l *Layer) {
		l.PostNorm = true
		l.MoE = b.moe(gate, b.inner)
	})
}

// olmo sets what both families' attention has in common.
func (b *base) olmo() {
	b.attn.QKNorm = QKNormFull
	b.attn.QKVBias = b.c.BoolOr("attention_bias", false)
	b.attn.OBias = b.attn.QKVBias
}
