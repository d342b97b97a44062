package model

import (
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
)

// base is what the config readers of all families share: the dimensions, and one layer to be repeated.
type base struct {
	c     *loader.Fields
	spec  *Spec
	inner int // intermediate_size
	n     int // num_hidden_layers
	attn  Attention
	act   kernels.Activation
}

// defaults are the values of the reference's config class that differ between families and matter when a key is absent.
type defaults struct {
	theta   float64 // rope_theta; 0 means 10000
	eps     float64 // rms_norm_eps; 0 means 1e-6
	kvHeads int     // num_key_value_heads; 0 means as many as heads
	headDim int     // head_dim; 0 means hidden_size / heads
}

// readBase reads the keys that all families have.
func readBase(c *loader.Fields, d defaults) *base {
	b := &base{c: c, spec: &Spec{}}
	s := b.spec
	s.Vocab = c.Int("vocab_size", 1, maxVocab)
	s.Hidden = c.Int("hidden_size", 1, maxDim)
	b.inner = c.Int("intermediate_size", 1, maxDim)
	b.n = c.Int("num_hidden_layers", 1, maxLayers)
	s.Context = c.IntOr("max_position_embeddings", 2048, 1, maxContext)
	s.Tied = c.BoolOr("tie_word_embeddings", false)
	s.Norm = RMSNorm
	s.NormEps = float32(c.FloatOr("rms_norm_eps", or(d.eps, 1e-6)))
	if !(s.NormEps >= 0) {
		bad(c, "rms_norm_eps", "0 or more", s.NormEps)
	}
	b.act = readAct(c)
	b.readHeads(d)
	s.Rope = readRope(c, d.theta, b.attn.HeadDim, s.Context)
	return b
}

func (b *base) readHeads(d defaults) {
	heads := b.c.Int("num_attention_heads", 1, maxHeads)
	b.attn.Heads = heads
	b.attn.KVHeads = b.c.IntOr("num_key_value_heads", or(d.kvHeads, heads), 1, maxHeads)
	if b.c.Has("head_dim") || d.headDim > 0 {
		b.attn.HeadDim = b.c.IntOr("head_dim", d.headDim, 2, maxDim)
		return
	}
	if heads > 0 && b.spec.Hidden%heads != 0 {
		bad(b.c, "hidden_size", "a multiple of num_attention_heads", b.spec.Hidden)
		return
	}
	b.attn.HeadDim = b.spec.Hidden / max(heads, 1)
}

// layers repeats one layer num_hidden_layers times; each may change its copy.
func (b *base) layers(each func(i int, l *Layer)) *Spec {
	if b.c.Err() != nil { // n is not to be trusted
		return b.spec
	}
	b.spec.Layers = make([]Layer, b.n)
	for i := range b.spec.Layers {
		b.spec.Layers[i].Attention = b.attn
		each(i, &b.spec.Layers[i])
	}
	return b.spec
}

// dense is the plain feed-forward of intermediate_size.
func (b *base) dense() *Dense { return &Dense{Width: b.inner, Act: b.act} }

// readAct reads hidden_act; an activation that kernels lack is a fault by name.
func readAct(c *loader.Fields) kernels.Activation { return readActAt(c, "hidden_act", "silu") }

// readActAt reads an activation at a key of a family's own.
func readActAt(c *loader.Fields, key, def string) kernels.Activation {
	name := c.StringOr(key, def)
	act, ok := map[string]kernels.Activation{
		"silu": kernels.SiLU, "swish": kernels.SiLU, "gelu": kernels.GELU, "gelu_pytorch_tanh": kernels.GELUTanh,
		"gelu_new": kernels.GELUTanh, "relu": kernels.ReLU, "relu2": kernels.ReLU2,
	}[name]
	if !ok {
		bad(c, key, "silu, gelu, gelu_pytorch_tanh, relu or relu2", name)
	}
	return act
}

// layerTypes reads layer_types; nil where the key is absent.
func layerTypes(c *loader.Fields, n int) []string {
	types := c.Strings("layer_types")
	if types != nil && len(types) != n {
		bad(c, "layer_types", "one entry for each of num_hidden_layers", len(types))
		return nil
	}
	for _, t := range types {
		if t != "full_attention" && t != "sliding_attention" {
			bad(c, "layer_types", "full_attention or sliding_attention", t)
		}
	}
	return types
}

// readRope resolves rope_parameters (newer files), or rope_theta and rope_scaling (older ones).
func readRope(c *loader.Fields, theta float64, headDim, context int) Rope {
	p := c.Object("rope_parameters")
	if old := c.Object("rope_scaling"); old != nil && len(old.Keys()) > 0 {
		p = old
	}
	theta = c.FloatOr("rope_theta", or(theta, 10000))
	partial := c.FloatOr("partial_rotary_factor", 1)
	r := Rope{Kind: RopeDefault, Theta: theta}
	if p != nil {
		r.Kind = RopeKind(p.StringOr("rope_type", p.StringOr("type", string(RopeDefault))))
		r.Theta = p.FloatOr("rope_theta", theta)
		partial = p.FloatOr("partial_rotary_factor", partial)
	}
	if !(partial > 0 && partial <= 1) {
		bad(c, "partial_rotary_factor", "more than 0, at most 1", partial)
		partial = 1
	}
	r.Dim = int(float64(headDim) * partial)
	if p != nil {
		r.readScaling(c, p, context)
	}
	return r
}

// readScaling reads the keys of one kind of stretching.
func (r *Rope) readScaling(c, p *loader.Fields, context int) {
	original := p.IntOr("original_max_position_embeddings", context, 1, maxContext)
	r.Original = c.IntOr("original_max_position_embeddings", original, 1, maxContext)
	switch r.Kind {
	case RopeDefault, "mrope": // text-only positions turn as plain ones
		r.Kind, r.Original = RopeDefault, 0
	case RopeLinear:
		r.Factor, r.Original = p.Float("factor"), 0
	case RopeDynamic:
		r.Factor, r.Original = p.Float("factor"), context
	case RopeLlama3:
		r.Factor, r.LowFreq, r.HighFreq = p.Float("factor"), p.Float("low_freq_factor"), p.Float("high_freq_factor")
		if !(r.LowFreq > 0 && r.HighFreq > r.LowFreq) {
			bad(p, "low_freq_factor", "more than 0 and less than high_freq_factor", r.LowFreq)
		}
	case RopeYarn:
		r.readYarn(p, context)
	case RopeLong:
		r.readLong(p, context)
	default:
		bad(p, "rope_type", "default, linear, dynamic, llama3, yarn or longrope", string(r.Kind))
	}
	if r.Kind != RopeDefault && r.Kind != RopeLong && !(r.Factor > 0) {
		bad(p, "factor", "more than 0", r.Factor)
	}
}

func (r *Rope) readYarn(p *loader.Fields, context int) {
	r.Factor = p.FloatOr("factor", float64(context)/float64(max(r.Original, 1)))
	r.BetaFast, r.BetaSlow = or(p.FloatOr("beta_fast", 32), 32), or(p.FloatOr("beta_slow", 1), 1)
	r.NoTruncate = !p.BoolOr("truncate", true)
	all, one := p.FloatOr("mscale_all_dim", 0), p.FloatOr("mscale", 0)
	grow := func(m float64) float64 {
		if r.Factor <= 1 {
			return 1
		}
		return 0.1*m*math.Log(r.Factor) + 1
	}
	inferred := grow(1)
	if all != 0 && one != 0 {
		inferred = grow(one) / grow(all)
	}
	r.Magnitude = p.FloatOr("attention_factor", inferred)
}

func (r *Rope) readLong(p *loader.Fields, context int) {
	r.Short, r.Long = p.Floats("short_factor"), p.Floats("long_factor")
	r.Factor = p.FloatOr("factor", float64(context)/float64(max(r.Original, 1)))
	inferred := 1.0
	if r.Factor > 1 {
		inferred = math.Sqrt(1 + math.Log(r.Factor)/math.Log(float64(r.Original)))
	}
	r.Magnitude = p.FloatOr("attention_factor", inferred)
	for _, f := range append(append([]float64(nil), r.Short...), r.Long...) {
		if !(f > 0) {
			bad(p, "short_factor", "factors over 0, also in long_factor", f)
			return
		}
	}
}

// or gives v, or def where v is the zero value.
func or[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

// bad reports a fault of a family's own about one key.
func bad(c *loader.Fields, key, want string, found any) { c.Fail(key, want, fmt.Sprint(found)) }
