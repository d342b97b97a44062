package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// attnText is one sequence's queries, keys and values, and what attention makes of them.
type attnText struct {
	q, k, v, out tensor.Mat
	seq          *Sequence
}

// attnRig runs attention alone, without the products around it.
type attnRig struct {
	a    gqa
	st   state
	pool pages
}

func newAttnRig(t testing.TB, s Attention, level string, threads int, half bool) *attnRig {
	eng, err := kernels.New(kernels.Options{Level: level, Threads: threads})
	require.NoError(t, err)
	t.Cleanup(eng.Close)
	r := &attnRig{a: gqa{spec: s}, st: state{eng: eng}}
	r.st.layout = newLayout([]LayerWeights{{Mixer: &r.a}, {Mixer: &r.a}}, half)
	r.pool = pages{size: r.st.layout.floats()}
	return r
}

// text makes n random positions; those of a longer text of the same seed begin alike.
func (r *attnRig) text(seed uint64, n int) *attnText {
	s, rng := r.a.spec, rand.New(rand.NewPCG(seed, 1))
	x := &attnText{
		q: tensor.NewMat(n, s.Heads*s.HeadDim), k: tensor.NewMat(n, s.KVHeads*s.HeadDim),
		v: tensor.NewMat(n, s.KVHeads*s.HeadDim), out: tensor.NewMat(n, s.Heads*s.HeadDim),
		seq: &Sequence{pool: &r.pool},
	}
	for t := range n {
		for _, row := range [][]float32{x.q.Row(t), x.k.Row(t), x.v.Row(t)} {
			for i := range row {
				row[i] = float32(rng.NormFloat64())
			}
		}
	}
	return x
}

// step attends with n more tokens of each text.
func (r *attnRig) step(n int, texts ...*attnText) {
	st := &r.st
	st.ids, st.pos, st.seqs, st.cos, st.sin = nil, nil, nil, nil, nil
	q, k, v := tensor.Mat{}, tensor.Mat{}, tensor.Mat{}
	add := func(m *tensor.Mat, row []float32) {
		*m = tensor.MatOf(append(m.Data, row...), m.Rows+1, len(row))
	}
	for _, x := range texts {
		from := x.seq.Len()
		x.seq.reserve(min(from+n, x.q.Rows))
		for t := from; t < min(from+n, x.q.Rows); t++ {
			st.ids, st.pos, st.seqs = append(st.ids, 0), append(st.pos, int32(t)), append(st.seqs, x.seq)
			st.cos, st.sin = append(st.cos, nil), append(st.sin, nil)
			add(&q, x.q.Row(t))
			add(&k, x.k.Row(t))
			add(&v, x.v.Row(t))
			x.seq.tokens = append(x.seq.tokens, 0)
		}
	}
	st.q, st.k, st.v, st.mixed = q, k, v, tensor.NewMat(q.Rows, q.Cols)
	st.attn.run(st, &r.a, 1)
	for _, x := range texts {
		for i, s := range st.seqs {
			if s == x.seq {
				copy(x.out.Row(int(st.pos[i])), st.mixed.Row(i))
			}
		}
	}
}

// naive is attention in float64; half rounds keys and values.
func (r *attnRig) naive(x *attnText, t, h int, half bool) []float64 {
	s := r.a.spec
	d, g := s.HeadDim, h/(s.Heads/s.KVHeads)
	round := func(v float32) float64 {
		if half {
			v = tensor.F16ToF32(tensor.F32ToF16(v))
		}
		return float64(v)
	}
	first := 0
	if s.Window > 0 {
		first = max(0, t-s.Window+1)
	}
	sum, out := 0.0, make([]float64, d)
	for j := first; j <= t; j++ {
		dot := 0.0
		for i, q := range x.q.Row(t)[h*d : (h+1)*d] {
			dot += float64(q) * round(x.k.Row(j)[g*d+i])
		}
		w := math.Exp(dot / math.Sqrt(float64(d)))
		sum += w
		for i, v := range x.v.Row(j)[g*d : (g+1)*d] {
			out[i] += w * round(v)
		}
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

var attnShapes = []Attention{
	{Heads: 2, KVHeads: 2, HeadDim: 16},
	{Heads: 8, KVHeads: 1, HeadDim: 8},
	{Heads: 3, KVHeads: 1, HeadDim: 20, Window: 5},
	{Heads: 4, KVHeads: 2, HeadDim: 32, Window: 100},
	{Heads: 2, KVHeads: 1, HeadDim: 64, Window: 300},
}

// Attention over several segments and windows is what float64 says, and its bits do not depend on how a text is cut, on
// threads, or on who shares the batch.
func TestLongAttention(t *testing.T) {
	n, all := 700, kernels.Levels()
	if testing.Short() {
		n = 330
	}
	for _, level := range all {
		for i, s := range attnShapes {
			for _, half := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d/half=%v", level, i, half), func(t *testing.T) {
					r := newAttnRig(t, s, level, 1, half)
					whole := r.text(7, n)
					r.step(n, whole)
					r.compare(t, whole, half)
					for _, v := range []struct{ threads, chunk, company int }{{2, n, 0}, {3, 1, 0}, {2, 7, 300}, {2, 100, 40}, {1, 65, 1}} {
						r := newAttnRig(t, s, level, v.threads, half)
						x, other, third := r.text(7, n), r.text(8, v.company), r.text(9, v.company/2)
						for x.seq.Len() < n {
							r.step(v.chunk, third, x, other)
						}
						require.Equal(t, whole.out.Data, x.out.Data, "%+v", v)
					}
				})
			}
		}
	}
}

func (r *attnRig) compare(t *testing.T, x *attnText, half bool) {
	s := r.a.spec
	for pos := 0; pos < x.q.Rows; pos += 1 + pos/9 {
		for h := range s.Heads {
			got := x.out.Row(pos)[h*s.HeadDim:]
			for i, want := range r.naive(x, pos, h, half) {
				require.InDelta(t, want, got[i], 4e-6, "position %d head %d element %d", pos, h, i)
			}
		}
	}
}

// A long context and one token: few units, which are split among the threads without changing a bit.
func TestDecodeIsSplit(t *testing.T) {
	s := Attention{Heads: 2, KVHeads: 1, HeadDim: 16}
	var outs [][]float32
	for _, threads := range []int{1, 2, 3} {
		r := newAttnRig(t, s, "", threads, false)
		x := r.text(7, 1500)
		r.step(1499, x)
		r.step(1, x)
		if threads > 1 {
			require.Greater(t, len(r.st.attn.splits), 0, "nothing was split")
			require.Greater(t, len(r.st.attn.parts), threads)
		}
		outs = append(outs, x.out.Row(1499))
	}
	require.Equal(t, outs[0], outs[1])
	require.Equal(t, outs[0], outs[2])
}

// What later tokens of a batch hold, NaN included, never reaches earlier ones.
func TestAttentionIsCausal(t *testing.T) {
	for _, half := range []bool{false, true} {
		r := newAttnRig(t, Attention{Heads: 4, KVHeads: 2, HeadDim: 16}, "", 2, half)
		clean, dirty := r.text(7, 150), r.text(7, 150)
		nan := float32(math.NaN())
		for i := range dirty.k.Row(75) {
			dirty.k.Row(75)[i], dirty.v.Row(75)[i] = nan, nan
		}
		r.step(150, clean, dirty)
		require.Equal(t, clean.out.Slice(0, 75).Data[:75*64], dirty.out.Slice(0, 75).Data[:75*64])
		for p := 75; p < 150; p++ {
			require.True(t, math.IsNaN(float64(dirty.out.Row(p)[0])), "position %d", p)
		}
	}
}

// BenchmarkAttention is attention of OLMoE-1B-7B's shape: prefill as a fraction of the multiply-add peak, decode as a
// fraction of the read bandwidth.
func BenchmarkAttention(b *testing.B) {
	s := Attention{Heads: 16, KVHeads: 16, HeadDim: 128}
	grouped := Attention{Heads: 32, KVHeads: 4, HeadDim: 128}
	for _, c := range []struct {
		name      string
		spec      Attention
		past, now int
	}{
		{"prefill/0+512", s, 0, 512}, {"prefill/3584+512", s, 3584, 512}, {"prefill/grouped/3584+512", grouped, 3584, 512},
		{"decode/512", s, 511, 1}, {"decode/4096", s, 4095, 1}, {"decode/grouped/4096", grouped, 4095, 1},
	} {
		for _, half := range []bool{false, true} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%s/half=%v/threads=%d", c.name, half, threads), func(b *testing.B) {
					r := newAttnRig(b, c.spec, "", threads, half)
					benchAttention(b, r, c.past, c.now)
				})
			}
		}
	}
}

func benchAttention(b *testing.B, r *attnRig, past, now int) {
	x := r.text(7, past+now)
	if past > 0 {
		r.step(past, x)
	}
	r.step(now, x)
	peak, read := kernels.PeakF32(r.st.eng), 0.0
	if now == 1 {
		read = kernels.ReadBandwidth(r.st.eng, 128<<20)
	}
	least := time.Hour
	for b.Loop() {
		start := time.Now()
		r.st.attn.run(&r.st, &r.a, 1)
		least = min(least, time.Since(start))
	}
	s, seen := r.a.spec, float64(now)*(float64(past)+float64(now+1)/2)
	flops := 4 * seen * float64(s.Heads*s.HeadDim)
	b.ReportMetric(flops/least.Seconds()/1e9/max(peak, kernels.PeakF32(r.st.eng)), "best/f32")
	if now == 1 {
		size := 4.0
		if r.st.layout.half {
			size = 2
		}
		b.ReportMetric(2*seen*float64(s.KVHeads*s.HeadDim)*size/least.Seconds()/1e9/read, "best/read")
	}
}
