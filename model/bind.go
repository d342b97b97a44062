package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// binder claims tensors for a family. A tensor that is missing or misshaped leaves a zero value and a fault in the
// loader's Binder; nothing is used before Done has said that there are none.
type binder struct {
	*loader.Binder
	packed  string // the scheme of a packed folder, else empty
	weights []weight
	faults  []error
}

// at is the prefix of layer i.
func (b *binder) at(i int) string { return fmt.Sprintf("model.layers.%d.", i) }

// matrix claims a weight [rows, cols].
func (b *binder) matrix(name string, rows, cols int) kernels.Matrix {
	var t *tensor.Tensor
	b.Need(&t, name, rows, cols)
	return b.asMatrix(name, t)
}

func (b *binder) asMatrix(name string, t *tensor.Tensor) kernels.Matrix {
	if t == nil {
		return kernels.Matrix{}
	}
	m, err := kernels.MatrixOf(t)
	if err != nil {
		b.faults = append(b.faults, fmt.Errorf("%s: %w", name, err))
	}
	return m
}

// weight claims a matrix [rows, cols] that schemes quantise; a packed folder has it in the form of its scheme.
func (b *binder) weight(dst *kernels.Matrix, p part, name string, rows, cols int) {
	w := weight{name: name, source: name, part: p, rows: rows, cols: cols, dst: dst}
	if b.packed != "" {
		b.fromPacked(&w)
		return
	}
	*dst = b.matrix(name, rows, cols)
	b.weights = append(b.weights, w)
}

// fromPacked claims a weight of a packed folder.
func (b *binder) fromPacked(w *weight) {
	size, err := w.packedSize(b.packed)
	if err != nil {
		b.faults = append(b.faults, err)
		return
	}
	d, panels := packedDType(b.packed, w.part), panelsOf(w.rows)
	data := b.Packed(loader.Packed{
		Name: w.name, DType: d, Rows: w.rows, Cols: w.cols, Panels: panels, Bytes: size / panels, Note: w.note(b.packed),
	})
	if data == nil { // a fault has been noted
		return
	}
	if *w.dst, err = kernels.PackedMatrix(d, w.rows, w.cols, data); err != nil {
		b.faults = append(b.faults, fmt.Errorf("%s: %w", w.name, err))
	}
}

// vector claims a weight [n] and widens it to f32.
func (b *binder) vector(name string, n int) []float32 {
	var t *tensor.Tensor
	b.Need(&t, name, n)
	return b.widened(name, t)
}

// widened is a tensor's values in f32; nil for no tensor.
func (b *binder) widened(name string, t *tensor.Tensor) []float32 {
	if t == nil {
		return nil
	}
	out := make([]float32, t.Elems())
	if err := tensor.ToF32(out, t); err != nil {
		b.faults = append(b.faults, fmt.Errorf("%s: %w", name, err))
	}
	return out
}

// vectorIf claims a vector only where an option says that there is one.
func (b *binder) vectorIf(has bool, name string, n int) []float32 {
	if !has {
		return nil
	}
	return b.vector(name, n)
}

// normOf claims the tensors of one normalisation of width n.
func (b *binder) normOf(name string, s *Spec, n int) Norm {
	return Norm{Weight: b.vector(name+".weight", n), Bias: b.vectorIf(s.Norm == LayerNorm, name+".bias", n)}
}

// ends claims what stands before and behind the layers.
func (b *binder) ends(s *Spec, w *Weights) {
	w.Embed = b.matrix(embedName, s.Vocab, s.Hidden)
	w.Norm = b.normOf("model.norm", s, s.Hidden)
	w.HeadBias = b.vectorIf(s.HeadBias, "lm_head.bias", s.Vocab)
	if !s.Tied || b.packed != "" {
		b.weight(&w.Head, partHead, "lm_head.weight", s.Vocab, s.Hidden)
		return
	}
	w.Head = w.Embed
	b.weights = append(b.weights, weight{
		name: "lm_head.weight", source: embedName, keep: true, part: partHead, rows: s.Vocab, cols: s.Hidden, dst: &w.Head,
	})
	b.Skip("lm_head.weight") // some writers store the tied head a second time
}

const embedName = "model.embed_tokens.weight"

// norms claims the two norms of a layer: before the branches, or behind them.
func (b *binder) norms(at string, s *Spec, l *LayerWeights) {
	first, second := "input_layernorm", "post_attention_layernorm"
	if s.Layers[0].PostNorm {
		first, second = "post_attention_layernorm", "post_feedforward_layernorm"
	}
	l.AttnNorm = b.normOf(at+first, s, s.Hidden)
	l.FFNNorm = b.normOf(at+second, s, s.Hidden)
}

// attention claims q, k, v and o with their biases and norms.
func (b *binder) attention(at string, s *Spec, i int, l *LayerWeights) {
	a := s.Layers[i].Attention
	at += "self_attn."
	q, kv := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	w := &gqa{
		spec: a, eps: s.NormEps,
		qBias: b.vectorIf(a.QKVBias, at+"q_proj.bias", q),
		kBias: b.vectorIf(a.QKVBias, at+"k_proj.bias", kv),
		vBias: b.vectorIf(a.QKVBias, at+"v_proj.bias", kv),
		oBias: b.vectorIf(a.OBias, at+"o_proj.bias", s.Hidden),
	}
	b.weight(&w.q, partAttention, at+"q_proj.weight", q, s.Hidden)
	b.weight(&w.k, partAttention, at+"k_proj.weight", kv, s.Hidden)
	b.weight(&w.v, partAttention, at+"v_proj.weight", kv, s.Hidden)
	b.weight(&w.o, partAttention, at+"o_proj.weight", s.Hidden, q)
	switch a.QKNorm {
	case QKNormHead:
		w.qNorm, w.kNorm = b.vector(at+"q_norm.weight", a.HeadDim), b.vector(at+"k_norm.weight", a.HeadDim)
	case QKNormFull:
		w.qNorm, w.kNorm = b.vector(at+"q_norm.weight", q), b.vector(at+"k_norm.weight", kv)
	}
	l.Mixer = w
}

// dense claims a gated feed-forward gate_proj, up_proj, down_proj.
func (b *binder) dense(at string, s *Spec, i int, l *LayerWeights) {
	d := s.Layers[i].Dense
	l.Dense = &moe.MLP{}
	b.mlp(l.Dense, at, s.Hidden, d.Width, d.Bias)
	l.Dense.Act = moe.GLU(d.Act)
}

// mlp claims gate_proj, up_proj and down_proj into m.
func (b *binder) mlp(m *moe.MLP, at string, hidden, width int, bias bool) {
	b.weight(&m.Gate, partFeedForward, at+"gate_proj.weight", width, hidden)
	b.weight(&m.Up, partFeedForward, at+"up_proj.weight", width, hidden)
	b.weight(&m.Down, partFeedForward, at+"down_proj.weight", hidden, width)
	m.GateBias = b.vectorIf(bias, at+"gate_proj.bias", width)
	m.UpBias = b.vectorIf(bias, at+"up_proj.bias", width)
	m.DownBias = b.vectorIf(bias, at+"down_proj.bias", hidden)
}
