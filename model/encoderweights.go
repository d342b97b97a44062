package model

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// encoderWeights is everything that was read of an encoder.
type encoderWeights struct {
	Words, Positions, Types kernels.Matrix // [V,H]; [P,H] and [types,H] or empty
	EmbedNorm, LastNorm     Norm           // LastNorm of pre-norm encoders
	Layers                  []encoderLayerWeights
	Head                    struct {
		Dense, Out linear
		Norm       Norm
	}
}

type encoderLayerWeights struct {
	Q, K, V, O        linear
	AttnNorm, FFNNorm Norm // no weight: none
	FFN               moe.MLP
}

// linear is a product with a bias [N] or nil.
type linear struct {
	W    kernels.Matrix
	Bias []float32
}

// linear claims name.weight [rows, cols] and, where there is one, name.bias [rows].
func (b *binder) linear(name string, rows, cols int, bias bool) linear {
	return linear{W: b.matrix(name+".weight", rows, cols), Bias: b.vectorIf(bias, name+".bias", rows)}
}

// prefix is the first of several prefixes under which the checkpoint holds a tensor, "" where there is none.
func (b *binder) prefix(name string, list ...string) string {
	for _, p := range list {
		if b.Has(p + name) {
			return p
		}
	}
	return ""
}

// encoderNorm claims a LayerNorm under the names of newer files, weight and bias, or of the oldest, gamma and beta.
func (b *binder) encoderNorm(name string, s *EncoderSpec) Norm {
	var w, bias *tensor.Tensor
	b.First(&w, []string{name + ".weight", name + ".gamma"}, s.Hidden)
	if !s.NoNormBias {
		b.First(&bias, []string{name + ".bias", name + ".beta"}, s.Hidden)
	}
	return Norm{Weight: b.widened(name+".weight", w), Bias: b.widened(name+".bias", bias)}
}

// plainFFN claims a feed-forward without a gate: down(act(up(x))).
func (b *binder) plainFFN(l *encoderLayerWeights, s *EncoderSpec, up, down string) {
	u, d := b.linear(up, s.Width, s.Hidden, true), b.linear(down, s.Hidden, s.Width, true)
	l.FFN = moe.MLP{Up: u.W, Down: d.W, UpBias: u.Bias, DownBias: d.Bias, Act: moe.Act{Kind: moe.ActPlain, Func: s.Act}}
}
