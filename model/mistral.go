package model

import "github.com/seed2fbf7788/switchyard/loader"

// Mistral (arXiv 2310.06825; reference: transformers models/mistral): Llama with a sliding window in every layer. The
// window is 4096 where the key is absent and off where it is null.
func specMistral(c *loader.Fields) *Spec {
	b := readBase(c, defaults{kvHeads: 8})
	b.attn.Window = window(c, 4096)
	return b.layers(func(_ int, l *Layer) { l.Dense = b.dense() })
}

// window reads sliding_window: a number, null for none, def where the key is absent.
func window(c *loader.Fields, def int) int {
	if !c.Has("sliding_window") && c.Raw("sliding_window") != nil {
		return 0 // null
	}
	return c.IntOr("sliding_window", def, 0, maxContext)
}
