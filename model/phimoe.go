package model

import (
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Phi-3.5-MoE (arXiv 2404.14219; reference: transformers models/phimoe): SparseMixer gate with two experts,
// LayerNorm with biases, biases in attention and head as configured, longrope whose magnitude goes by the length.
func specPhiMoE(c *loader.Fields) *Spec {
	b := readBase(c, defaults{theta: 1e6, eps: 1e-5, kvHeads: 8})
	b.spec.Norm = LayerNorm
	b.attn.QKVBias = c.BoolOr("attention_bias", false)
	b.attn.OBias = b.attn.QKVBias
	b.attn.Window = window(c, 0)
	b.spec.HeadBias = c.BoolOr("lm_head_bias", false)
	readMagnitudes(c, &b.spec.Rope)
	gate := readGate(c, "num_local_experts", 16, 2)
	gate.Select = moe.SelectSparseMixer
	gate.Jitter = float32(c.FloatOr("router_jitter_noise", 0.01))
	return b.layers(func(_ int, l *Layer) { l.MoE = b.moe(gate, b.inner) })
}

// readMagnitudes reads what multiplies cos and sin up to the original context and beyond it.
func readMagnitudes(c *loader.Fields, r *Rope) {
	if r.Kind == RopeDefault {
		return
	}
	p := c.Object("rope_scaling")
	if p == nil || len(p.Keys()) == 0 {
		p = c.Object("rope_parameters")
	}
	r.ShortMagnitude, r.LongMagnitude = p.Float("short_mscale"), p.Float("long_mscale")
}
