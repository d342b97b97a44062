package model

import "github.com/seed2fbf7788/switchyard/loader"

// Qwen2 (arXiv 2407.10671; reference: transformers models/qwen2): Llama with biases on q, k and v, and an optional
// sliding window in the layers from max_window_layers on (or as layer_types says).
func specQwen2(c *loader.Fields) *Spec {
	b := readBase(c, defaults{})
	b.attn.QKVBias = true
	return qwenDense(c, b)
}

// Qwen3 (arXiv 2505.09388; reference: transformers models/qwen3): Qwen2 with per-head QK-norm, an explicit head_dim
// (128 where absent) and biases only where attention_bias asks, then also on o.
func specQwen3(c *loader.Fields) *Spec {
	b := readBase(c, defaults{headDim: 128})
	b.attn.QKNorm = QKNormHead
	b.attn.QKVBias = c.BoolOr("attention_bias", false)
	b.attn.OBias = b.attn.QKVBias
	return qwenDense(c, b)
}

func qwenDense(c *loader.Fields, b *base) *Spec {
	wide := 0
	if c.BoolOr("use_sliding_window", false) {
		wide = window(c, 4096)
	}
	from := c.IntOr("max_window_layers", 28, 0, maxLayers)
	types := layerTypes(c, b.n)
	return b.layers(func(i int, l *Layer) {
		if (types == nil && i >= from) || (types != nil && types[i] == "sliding_attention") {
			l.Attention.Window = wide
		}
		l.Dense = b.dense()
	})
}
