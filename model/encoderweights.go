package model

import (
	"fmt"

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
	gate, up, down    string // the tensors that FFN's matrices are of
}

// linear is a product with a bias [N] or nil.
type linear struct {
	W    kernels.Matrix
	Bias []float32
	name string // of the tensor that W is of
}

// linear claims name.weight [rows, cols] and, where there is one, name.bias [rows].
func (b *binder) linear(name string, rows, cols int, bias bool) linear {
	w := name + ".weight"
	return linear{W: b.matrix(w, rows, cols), Bias: b.vectorIf(bias, name+".bias", rows), name: w}
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
	l.up, l.down = u.name, d.name
	l.FFN = moe.MLP{Up: u.W, Down: d.W, UpBias: u.Bias, DownBias: d.Bias, Act: moe.Act{Kind: moe.ActPlain, Func: s.Act}}
}

// quantisable lists what schemes quantise, with names of its own: a tensor may hold several. Embeddings, norms, biases and the
// head, which reads one row of a text, stay as the file has them.
func (w *encoderWeights) quantisable() []weight {
	var list []weight
	for i := range w.Layers {
		l := &w.Layers[i]
		for _, a := range []struct {
			name, source string
			part         part
			dst          *kernels.Matrix
		}{
			{"q", l.Q.name, partAttention, &l.Q.W}, {"k", l.K.name, partAttention, &l.K.W}, {"v", l.V.name, partAttention, &l.V.W}, {"o", l.O.name, partAttention, &l.O.W},
			{"gate", l.gate, partFeedForward, &l.FFN.Gate}, {"up", l.up, partFeedForward, &l.FFN.Up}, {"down", l.down, partFeedForward, &l.FFN.Down},
		} {
			if a.dst.Rows > 0 {
				name := fmt.Sprintf("layers.%d.%s", i, a.name)
				list = append(list, weight{name: name, source: a.source, part: a.part, rows: a.dst.Rows, cols: a.dst.Cols, dst: a.dst})
			}
		}
	}
	return list
}
