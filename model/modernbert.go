package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
)

// ModernBERT (arXiv 2412.13663; reference: transformers models/modernbert): norms before the branches, rotary positions
// with one base for layers that see everything and another for layers that see a window, a gated feed-forward.
func specModernBERT(c *loader.Fields) *EncoderSpec {
	s := readEncoder(c, encoderKeys{"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_activation"})
	s.NormEps = readEps(c, "norm_eps", 1e-5)
	s.Context = c.IntOr("max_position_embeddings", 8192, 1, maxContext)
	s.PreNorm, s.Gated = true, true
	s.NoNormBias = !c.BoolOr("norm_bias", false)
	s.NoAttnBias = !c.BoolOr("attention_bias", false)
	s.NoDenseBias = !c.BoolOr("mlp_bias", false)
	modernLayers(c, s)
	s.Head = &ClassHead{
		Labels: readLabels(c), Act: readActAt(c, "classifier_activation", "gelu"), NoBias: !c.BoolOr("classifier_bias", false),
		Norm: true, MultiLabel: readMultiLabel(c),
	}
	switch pool := c.StringOr("classifier_pooling", "cls"); pool {
	case "cls":
	case "mean":
		s.Head.Mean = true
	default:
		bad(c, "classifier_pooling", "cls or mean", pool)
	}
	return s
}

// modernLayers says which layers see a window: layer_types, or every layer but each n-th. The half width of the window
// is local_attention / 2, inclusive.
func modernLayers(c *loader.Fields, s *EncoderSpec) {
	types := layerTypes(c, len(s.Layers))
	every := c.IntOr("global_attn_every_n_layers", 3, 1, maxLayers)
	half := c.IntOr("local_attention", 128, 2, maxContext) / 2
	global := modernRope(c, s, "full_attention", "global_rope_theta", 160000)
	local := modernRope(c, s, "sliding_attention", "local_rope_theta", 10000)
	for i := range s.Layers {
		windowed := i%every != 0
		if types != nil {
			windowed = types[i] == "sliding_attention"
		}
		s.Layers[i].Rope = global
		if windowed {
			s.Layers[i] = EncoderLayer{Window: half, Rope: local}
		}
	}
}

// modernRope reads rope_parameters of one kind of layer (newer files), or its key of older ones.
func modernRope(c *loader.Fields, s *EncoderSpec, kind, old string, theta float64) *Rope {
	r := &Rope{Kind: RopeDefault, Theta: c.FloatOr(old, theta), Dim: s.Hidden / max(s.Heads, 1)}
	if p := c.Object("rope_parameters"); p != nil {
		if p = p.Object(kind); p != nil {
			r.Theta = p.FloatOr("rope_theta", r.Theta)
			r.Kind = RopeKind(p.StringOr("rope_type", string(RopeDefault)))
		}
	}
	return r
}

func bindModernBERT(b *binder, s *EncoderSpec, w *encoderWeights) {
	prefix := b.prefix("embeddings.tok_embeddings.weight", "model.")
	b.Skip("decoder.*")
	w.Words = b.matrix(prefix+"embeddings.tok_embeddings.weight", s.Vocab, s.Hidden)
	w.EmbedNorm = b.encoderNorm(prefix+"embeddings.norm", s)
	for i := range w.Layers {
		l, at := &w.Layers[i], fmt.Sprintf("%slayers.%d.", prefix, i)
		qkv := b.linear(at+"attn.Wqkv", 3*s.Hidden, s.Hidden, !s.NoAttnBias)
		l.Q, l.K, l.V = qkv.part(0, 3), qkv.part(1, 3), qkv.part(2, 3)
		l.O = b.linear(at+"attn.Wo", s.Hidden, s.Hidden, !s.NoAttnBias)
		if i > 0 { // the embeddings are normalised already
			l.AttnNorm = b.encoderNorm(at+"attn_norm", s)
		}
		l.FFNNorm = b.encoderNorm(at+"mlp_norm", s)
		both := b.linear(at+"mlp.Wi", 2*s.Width, s.Hidden, !s.NoDenseBias)
		gate, up, down := both.part(0, 2), both.part(1, 2), b.linear(at+"mlp.Wo", s.Hidden, s.Width, !s.NoDenseBias)
		l.gate, l.up, l.down = both.name, both.name, down.name
		l.FFN = moe.MLP{
			Gate: gate.W, Up: up.W, Down: down.W, GateBias: gate.Bias, UpBias: up.Bias, DownBias: down.Bias, Act: moe.GLU(s.Act),
		}
	}
	w.LastNorm = b.encoderNorm(prefix+"final_norm", s)
	if !b.Has("classifier.weight") {
		b.Skip("head.*")
		s.Head = nil
		return
	}
	w.Head.Dense = b.linear("head.dense", s.Hidden, s.Hidden, !s.Head.NoBias)
	w.Head.Norm = b.encoderNorm("head.norm", s)
	w.Head.Out = b.linear("classifier", len(s.Head.Labels), s.Hidden, true)
}

// part is the i-th of n equal parts of the outputs of a linear layer.
func (l linear) part(i, n int) linear {
	rows := l.W.Rows / n
	out := linear{name: l.name}
	if l.W.Rows > 0 {
		out.W = l.W.RowRange(i*rows, (i+1)*rows)
	}
	if l.Bias != nil {
		out.Bias = l.Bias[i*rows : (i+1)*rows]
	}
	return out
}
