package model

import (
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Mixer moves information between the positions of a sequence. It is the only part of a layer that touches the cache.
type Mixer interface {
	// CacheWidth is how many f32 values the mixer keeps for each position.
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

// CacheWidth: a key and a value for each KV head.
func (a *gqa) CacheWidth() int { return 2 * a.spec.KVHeads * a.spec.HeadDim }

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

// prepare normalises, clamps and turns q and k of token t, and stores k and v in the sequence's page.
func (a *gqa) prepare(st *state, t, offset int) {
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
	pg, at := st.seqs[t].pages[st.pos[t]/pageTokens], int(st.pos[t]%pageTokens)
	for h := range s.KVHeads {
		keys, values := a.part(pg, offset, h)
		copy(keys[at*s.HeadDim:(at+1)*s.HeadDim], k[h*s.HeadDim:])
		copy(values[at*s.HeadDim:(at+1)*s.HeadDim], v[h*s.HeadDim:])
	}
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

// part finds the keys and the values [pageTokens, D] of KV head h in a page: all keys of the layer stand before all values.
func (a *gqa) part(pg page, offset, h int) (keys, values []float32) {
	n := pageTokens * a.spec.HeadDim
	k := offset + h*n
	v := k + a.spec.KVHeads*n
	return pg[k : k+n], pg[v : v+n]
}

func clamp(x []float32, limit float32) {
	if limit == 0 {
		return
	}
	for i, v := range x {
		x[i] = min(max(v, -limit), limit)
	}
}

// attend computes one query head of token t over the pages that it sees. Partial softmaxes are merged page by page in
// ascending order (online softmax, arXiv 1805.02867), so the result depends on the sequence alone. scores has room for
// a page; out [D] receives Σ p·v / Σ p.
func (a *gqa) attend(st *state, t, head, offset int, scores, out []float32) {
	ops, s := st.eng.Ops(), a.spec
	pos, first := int(st.pos[t]), 0
	if s.Window > 0 {
		first = max(0, pos-s.Window+1)
	}
	scale := s.Scale
	if scale == 0 {
		scale = float32(1 / math.Sqrt(float64(s.HeadDim)))
	}
	q := st.q.Row(t)[head*s.HeadDim : (head+1)*s.HeadDim]
	top, sum := float32(math.Inf(-1)), float32(0)
	clear(out)
	for p := first / pageTokens; p <= pos/pageTokens; p++ {
		lo, hi := max(first-p*pageTokens, 0), min(pos-p*pageTokens+1, pageTokens)
		keys, values := a.part(st.seqs[t].pages[p], offset, head/(s.Heads/s.KVHeads))
		w := scores[:hi-lo]
		ops.AttnScores(w, q, keys[lo*s.HeadDim:], s.HeadDim, scale)
		if m := ops.Max(w); m > top {
			shrink := float32(math.Exp(float64(top - m)))
			ops.Scale(out, shrink)
			sum *= shrink
			top = m
		}
		sum += ops.ExpSum(w, top)
		ops.AttnMix(out, w, values[lo*s.HeadDim:], s.HeadDim)
	}
	ops.Scale(out, 1/sum)
}
