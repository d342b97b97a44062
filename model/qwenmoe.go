package model

import (
	"slices"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Qwen2-MoE (reference: transformers models/qwen2_moe): biases on q, k and v; a shared expert whose output is
// multiplied by a sigmoid gate; layers that decoder_sparse_step skips or mlp_only_layers lists are dense.
func specQwen2MoE(c *loader.Fields) *Spec {
	b := readBase(c, defaults{})
	b.attn.QKVBias = c.BoolOr("qkv_bias", true)
	gate := readGate(c, "num_experts", 60, 4)
	gate.Norm = normTopK(c, false)
	width := c.IntOr("moe_intermediate_size", 1408, 1, maxDim)
	shared := c.IntOr("shared_expert_intermediate_size", 5632, 1, maxDim)
	sparse, types := sparseLayers(c), layerTypes(c, b.n)
	wide, below := 0, c.IntOr("max_window_layers", 28, 0, maxLayers)
	if c.BoolOr("use_sliding_window", false) {
		wide = window(c, 4096)
	}
	return b.layers(func(i int, l *Layer) {
		if (types == nil && i%2 == 0 && i < below) || (types != nil && types[i] == "sliding_attention") {
			l.Attention.Window = wide
		}
		if !sparse(i) {
			l.Dense = b.dense()
			return
		}
		l.MoE = b.moe(gate, width)
		l.MoE.Block.Shared = &moe.SharedSpec{Width: shared, Gate: moe.SharedSigmoid}
	})
}

// Qwen3-MoE (arXiv 2505.09388; reference: transformers models/qwen3_moe): per-head QK-norm, no shared expert; the rest
// as Qwen2-MoE.
func specQwen3MoE(c *loader.Fields) *Spec {
	b := readBase(c, defaults{kvHeads: 4})
	b.attn.QKNorm = QKNormHead
	b.attn.QKVBias = c.BoolOr("attention_bias", false)
	b.attn.OBias = b.attn.QKVBias
	if c.BoolOr("use_sliding_window", false) {
		b.attn.Window = window(c, 4096)
	}
	gate := readGate(c, "num_experts", 128, 8)
	gate.Norm = normTopK(c, false)
	width := c.IntOr("moe_intermediate_size", 768, 1, maxDim)
	sparse := sparseLayers(c)
	return b.layers(func(i int, l *Layer) {
		if !sparse(i) {
			l.Dense = b.dense()
			return
		}
		l.MoE = b.moe(gate, width)
	})
}

// sparseLayers says which layers are mixtures: (i+1) divisible by decoder_sparse_step and i not in mlp_only_layers.
func sparseLayers(c *loader.Fields) func(i int) bool {
	step, dense := c.IntOr("decoder_sparse_step", 1, 1, maxLayers), c.Ints("mlp_only_layers")
	return func(i int) bool { return (i+1)%step == 0 && !slices.Contains(dense, i) }
}

// bindQwenMoE claims the tensors of the families whose mixture is called mlp: qwen2_moe, qwen3_moe, olmoe, flex_olmo.
func bindQwenMoE(b *binder, s *Spec, w *Weights) {
	b.ends(s, w)
	for i := range s.Layers {
		l, at := &w.Layers[i], b.at(i)
		b.norms(at, s, l)
		b.attention(at, s, i, l)
		if s.Layers[i].MoE == nil {
			b.dense(at+"mlp.", s, i, l)
			continue
		}
		b.router(s, i, l, at+"mlp.gate.weight")
		b.experts(at, s, i, l)
		b.shared(at+"mlp.shared_expert.", at+"mlp.shared_expert_gate.weight", s, i, l)
	}
}
