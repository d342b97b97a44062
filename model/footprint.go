package model

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Arith is a kind of multiply-add, as far as machines differ in how many of them they do.
type Arith uint8

// F32 is the fused multiply-add of f32, Int8 the dot product of bytes that packed weights are multiplied by, and BF16
// the dot product of bf16 pairs (ComputeBF16).
const (
	F32 Arith = iota
	Int8
	BF16
	NumAriths
)

// Part is what a part of a model takes: bytes of its weights as they lie in memory, and multiply-adds for one row of
// activations, by kind.
type Part struct {
	Bytes int64
	MACs  [NumAriths]int64
}

// Footprint is what a forward pass reads and computes, part by part, of the model as it is in memory (after quantising).
type Footprint struct {
	EmbedRow int64 // bytes that looking one token up reads
	Norm     int64 // bytes of the final norm
	Head     Part  // for each row of logits
	Layers   []LayerFootprint
}

// LayerFootprint is one layer's share.
type LayerFootprint struct {
	Norms    int64 // bytes
	Mixer    Part  // its projections
	KVBytes  int64 // of the cache, for one position
	PairMACs int64 // f32 multiply-adds of attention for one query position and one position that it sees: scores and mix
	Window   int   // positions that a query sees at most; 0: all
	Dense    Part  // zero in a mixture layer
	Router   Part
	Expert   Part // each of the routed experts
	Experts  int
	Shared   Part // shared experts with their gate
}

// Footprint measures the weights in use.
func (m *Model) Footprint() Footprint {
	s, w := m.spec, &m.weights
	f := Footprint{
		EmbedRow: int64(w.Embed.Cols * w.Embed.DType.Size()), Norm: normBytes(&w.Norm),
		Layers: make([]LayerFootprint, len(w.Layers)),
	}
	half := m.opts.Compute == ComputeBF16
	f.Head.matrix(&w.Head, half)
	f.Head.vectors(w.HeadBias)
	for i := range w.Layers {
		f.Layers[i] = layerFootprint(&s.Layers[i], &w.Layers[i], half)
		if m.state.layout.half {
			f.Layers[i].KVBytes /= 2
		}
	}
	return f
}

func layerFootprint(s *Layer, w *LayerWeights, half bool) LayerFootprint {
	a := s.Attention
	f := LayerFootprint{
		Norms: normBytes(&w.AttnNorm) + normBytes(&w.FFNNorm), Window: a.Window, PairMACs: int64(2 * a.Heads * a.HeadDim),
		KVBytes: int64(w.Mixer.CacheWidth()) * 4,
	}
	if g, ok := w.Mixer.(*gqa); ok {
		for _, m := range []*kernels.Matrix{&g.q, &g.k, &g.v, &g.o} {
			f.Mixer.matrix(m, half)
		}
		f.Mixer.vectors(g.qBias, g.kBias, g.vBias, g.oBias, g.qNorm, g.kNorm)
	}
	if w.Dense != nil {
		f.Dense.mlp(w.Dense, half)
	}
	if w.MoE != nil {
		f.mixture(w.MoE, half)
	}
	return f
}

func (f *LayerFootprint) mixture(b *moe.Block, half bool) {
	if r, ok := b.Gate.(*moe.Router); ok {
		if l, ok := r.Scorer.(*moe.Linear); ok {
			f.Router.matrix(&l.W, false) // its product is exact
			f.Router.vectors(l.Bias, l.Input)
		}
	}
	if f.Experts = len(b.Experts); f.Experts > 0 {
		f.Expert.mlp(&b.Experts[0], half)
	}
	if b.Shared != nil {
		f.Shared.mlp(&b.Shared.MLP, half)
		if b.Shared.Gate.Rows > 0 {
			f.Shared.matrix(&b.Shared.Gate, half)
		}
		f.Shared.vectors(b.Shared.GateBias)
	}
}

// Weights is the bytes of everything but the embedding.
func (f *Footprint) Weights() int64 {
	n := f.Norm + f.Head.Bytes
	for i := range f.Layers {
		l := &f.Layers[i]
		n += l.Norms + l.Mixer.Bytes + l.Dense.Bytes + l.Router.Bytes + l.Expert.Bytes*int64(l.Experts) + l.Shared.Bytes
	}
	return n
}

func (p *Part) mlp(m *moe.MLP, half bool) {
	for _, w := range []*kernels.Matrix{&m.Gate, &m.Up, &m.Down} {
		p.matrix(w, half)
	}
	p.vectors(m.GateBias, m.UpBias, m.DownBias)
}

// matrix counts a weight; half says that products with bf16 weights round their activations (ComputeBF16).
func (p *Part) matrix(m *kernels.Matrix, half bool) {
	p.Bytes += int64(len(m.Data))
	p.MACs[arithOf(m.DType, half)] += int64(m.Rows) * int64(m.Cols)
}

// vectors counts norms and biases, which are widened to f32.
func (p *Part) vectors(list ...[]float32) {
	for _, v := range list {
		p.Bytes += int64(4 * len(v))
	}
}

func arithOf(d tensor.DType, half bool) Arith {
	switch {
	case !d.IsFloat():
		return Int8
	case half && d == tensor.BF16:
		return BF16
	}
	return F32
}

func normBytes(n *Norm) int64 { return int64(4 * (len(n.Weight) + len(n.Bias))) }
