package model

import "github.com/seed2fbf7788/switchyard/loader"

// Llama (arXiv 2302.13971; reference: transformers models/llama): the plain case that every other family is measured
// against. Options: biases on all four attention projections, biases in the feed-forward, every kind of RoPE stretching.
func specLlama(c *loader.Fields) *Spec {
	b := readBase(c, defaults{})
	b.attn.QKVBias = c.BoolOr("attention_bias", false)
	b.attn.OBias = b.attn.QKVBias
	bias := c.BoolOr("mlp_bias", false)
	return b.layers(func(_ int, l *Layer) {
		l.Dense = b.dense()
		l.Dense.Bias = bias
	})
}

// bindLlama claims the tensors of the dense families: llama, mistral, qwen2, qwen3.
func bindLlama(b *binder, s *Spec, w *Weights) {
	b.ends(s, w)
	for i := range s.Layers {
		l, at := &w.Layers[i], b.at(i)
		b.norms(at, s, l)
		b.attention(at, s, i, l)
		b.dense(at+"mlp.", s, i, l)
	}
}
