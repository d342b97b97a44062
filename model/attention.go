package model

import (
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Mixer moves information between the positions of a sequence. It is the only part of a layer that touches the cache.
type Mixer interface {
	// CacheWidth is how many values the mixer keeps for each position.
	CacheWidth() int
	// Mix fills dst [T,H] from x [T,H] for the batch that st describes, and writes the cache of the batch's positions.
	Mix(st *state, layer int, dst, x tensor.Mat) error
}

// gqa is grouped-query attention (arXiv 2305.13245): out = O · softmax(scale · q·kᵀ) · v with q, k turned by the
// rotary embedding; Heads/KVHeads query heads share a key and value head.
type gqa struct {
	spec                       Attention
	eps                        float32
	q, k, v, o                 kernels.Matrix
	qBias, kBias, vBias, oBias []float32
	qNorm, kNorm               []float32 // [D] or [heads·D]
}

// Mix computes q, k and v of the batch, puts k and v into the cache, and attends.
func (a *gqa) Mix(st *state, layer int, dst, x tensor.Mat) error {
	t, s := x.Rows, a.spec
	st.size(&st.q, t, s.Heads*s.HeadDim)
	st.size(&st.k, t, s.KVHeads*s.HeadDim)
	st.size(&st.v, t, s.KVHeads*s.HeadDim)
	st.size(&st.mixed, t, s.Heads*s.HeadDim)
	st.prod = [3]kernels.Product{
		{Dst: st.q, X: x, W: a.q, Bias: a.qBias},
		{Dst: st.k, X: x, W: a.k, Bias: a.kBias},
		{Dst: st.v, X: x, W: a.v, Bias: a.vBias},
	}
	st.eng.MatMul(st.prod[:]...)
	st.attn.run(st, a, layer)
	st.prod[0] = kernels.Product{Dst: dst, X: st.mixed, W: a.o, Bias: a.oBias}
	st.eng.MatMul(st.prod[:1]...)
	return nil
}

// prepare normalises, clamps and turns q and k of token t.
func (a *gqa) prepare(st *state, t int) {
	ops, s := st.eng.Ops(), a.spec
	q, k, v := st.q.Row(t), st.k.Row(t), st.v.Row(t)
	if s.QKNorm == QKNormFull {
		ops.RMSNorm(q, q, a.qNorm, a.eps)
		ops.RMSNorm(k, k, a.kNorm, a.eps)
	}
	clamp(q, s.Clip)
	clamp(k, s.Clip)
	clamp(v, s.Clip)
	a.turn(st, t, q, a.qNorm)
	a.turn(st, t, k, a.kNorm)
}

// turn applies the per-head norm and the rotary embedding to every head of one row.
func (a *gqa) turn(st *state, t int, row, norm []float32) {
	ops, d := st.eng.Ops(), a.spec.HeadDim
	for h := 0; h < len(row); h += d {
		head := row[h : h+d]
		if a.spec.QKNorm == QKNormHead {
			ops.RMSNorm(head, head, norm, a.eps)
		}
		ops.Rope(head, st.cos[t], st.sin[t])
	}
}

func clamp(x []float32, limit float32) {
	if limit == 0 {
		return
	}
	for i, v := range x {
		x[i] = min(max(v, -limit), limit)
	}
}

// first is the first position that a token at pos sees.
func (a *gqa) first(pos int) int {
	if a.spec.Window == 0 {
		return 0
	}
	return max(0, pos-a.spec.Window+1)
}

func (a *gqa) scale() float32 {
	if a.spec.Scale != 0 {
		return a.spec.Scale
	}
	return float32(1 / math.Sqrt(float64(a.spec.HeadDim)))
}
