package moe_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/moe/moetest"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// routed makes a routing of tokens with falling weights 4, 3, 2 …
func routed(e int, tokens ...[]int32) *moe.Routing {
	r := &moe.Routing{}
	r.Reset(e, len(tokens), 4)
	for _, ids := range tokens {
		for j, x := range ids {
			r.Add(x, float32(4-j))
		}
		r.EndToken()
	}
	return r
}

const near = 1e-12

// Counts 3, 2, 1, 0: mean 1.5, N 6.
func TestLoad(t *testing.T) {
	var l moe.Load
	l.Add(routed(4, []int32{0, 1}, []int32{1, 0}))
	l.Add(routed(4, []int32{0, 2}))
	require.Equal(t, []int64{3, 2, 1, 0}, l.Count)
	require.Equal(t, int64(3), l.Tokens)
	require.InDelta(t, 1.0, l.MaxVio(), near)             // (3−1.5)/1.5
	require.InDelta(t, math.Sqrt(1.25)/1.5, l.CV(), near) // (2.25+0.25+0.25+2.25)/4
	require.InDelta(t, 10.0/24, l.Gini(), near)           // ordered pairs: 2·(1+2+3+1+2+1)=20; 20/(2·4·6)
	require.InDelta(t, 36.0/(4*14), l.Jain(), near)
	require.Equal(t, 1, l.Dead())
	require.InDelta(t, 0.5*math.Log(2)+math.Log(3)/3+math.Log(6)/6, l.Entropy(), near)
	require.InDeltaSlice(t, []float64{0.5, 1.0 / 3, 1.0 / 6, 0}, l.Share(), near)
}

func TestLoadOfNothing(t *testing.T) {
	var l moe.Load
	l.Add(routed(3))
	for _, v := range []float64{l.MaxVio(), l.CV(), l.Gini(), l.Jain(), l.Entropy()} {
		require.Zero(t, v)
	}
	require.Equal(t, 3, l.Dead())
}

// All pairs count, not adjacent ranks only: 0 and 2 meet in the first token.
func TestCoActivation(t *testing.T) {
	var c moe.CoActivation
	c.Add(routed(4, []int32{0, 1, 2}, []int32{0, 1}, []int32{2}))
	require.Equal(t, []int64{2, 2, 1, 0, 2, 2, 1, 0, 1, 1, 2, 0, 0, 0, 0, 0}, c.N)
	require.InDelta(t, 0.5, c.P(2, 0), near)
	require.InDelta(t, 1.0, c.P(1, 0), near)
	require.Zero(t, c.P(0, 3))
}

func TestTransition(t *testing.T) {
	var c moe.Transition
	c.Add(routed(2, []int32{0}, []int32{0, 1}), routed(3, []int32{2}, []int32{0}))
	require.Equal(t, []int64{1, 0, 1, 1, 0, 0}, c.N)
	require.Panics(t, func() { c.Add(routed(2, []int32{0}), routed(3)) })
}

// First experts 1 1 0 | 0 0: two of three pairs within sequences repeat; across the border none is counted.
func TestRepeat(t *testing.T) {
	var p moe.Repeat
	p.Add(routed(2, []int32{1, 0}, []int32{1}))
	p.Add(routed(2, []int32{0, 1}))
	p.EndSequence()
	p.Add(routed(2, []int32{0}, []int32{0, 1}))
	require.Equal(t, []int64{2, 3}, []int64{p.Same, p.Of})
	require.InDelta(t, 2.0/3, p.Share(), near)
}

func TestFirstIsByWeight(t *testing.T) {
	r := &moe.Routing{E: 4, Start: []int32{0, 3, 3}, Expert: []int32{3, 2, 1}, Weight: []float32{0.1, 0.5, 0.5}}
	require.Equal(t, int32(1), r.First(0))
	require.Equal(t, int32(-1), r.First(1))
}

func TestGateEntropy(t *testing.T) {
	r := routed(2, []int32{0}, []int32{1})
	r.Logits = tensor.MatOf([]float32{0, 0, 1e30, -1e30}, 2, 2)
	var g moe.GateEntropy
	g.Add(r)
	g.Add(routed(2, []int32{0})) // no logits
	require.Equal(t, int64(2), g.Tokens)
	require.InDelta(t, math.Ln2/2, g.Mean(), near)
	rec := moe.NewRecorder(moe.RecordLogits)
	rec.ObserveRouting(0, r)
	var again moe.GateEntropy
	again.Add(rec.Layer(0).Routing())
	require.Equal(t, g, again)
}

func TestOverlap(t *testing.T) {
	var o moe.Overlap
	o.Add(routed(4, []int32{0, 1}, []int32{2, 3}, []int32{1}), routed(4, []int32{1, 0}, []int32{3, 1}, []int32{0, 1}))
	require.InDelta(t, (1+0.5+0.5)/3, o.MeanRecall(), near)
	require.InDelta(t, 1.0/3, o.ExactShare(), near)
	require.InDelta(t, 1-4.0/6, o.Differ(), near)
	require.Panics(t, func() { o.Add(routed(4), routed(4, []int32{0})) })
}

func TestVocabulary(t *testing.T) {
	var v moe.Vocabulary
	v.Add(routed(3, []int32{2}, []int32{2}, []int32{0}, []int32{1}, []int32{0}), []int32{7, 7, 7, 9, -1})
	share, e, n := v.Of(7)
	require.InDelta(t, 2.0/3, share, near)
	require.Equal(t, []int64{2, 3}, []int64{int64(e), n})
	require.InDelta(t, (2.0/3+1)/2, v.Mean(1), near)
	require.InDelta(t, 2.0/3, v.Mean(2), near)
	_, e, _ = v.Of(8)
	require.Equal(t, -1, e)
}

func TestCacheHits(t *testing.T) {
	stream := []int32{1, 1, 2, 3, 1, 2, 3, 1, 2, 3}
	for policy, want := range map[moe.CachePolicy]int{
		moe.CacheLRU:    1, // 1 hits; then 1 2 3 go round in a cache of two
		moe.CacheLFU:    3, // 1 stays: hits at places 1, 4 and 7
		moe.CacheBelady: 4, // places 1, 4, 6 and 8
	} {
		require.Equal(t, want, moe.CacheHits(stream, 2, policy), policy)
	}
	require.Equal(t, 7, moe.CacheHits(stream, 3, moe.CacheLRU))
	require.Panics(t, func() { moe.CacheHits(stream, 0, moe.CacheLRU) })
}

// Policies against a cache that looks through all it holds.
func TestCacheHitsAgainstASearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	stream := make([]int32, 3000)
	for i := range stream {
		stream[i] = int32(r.IntN(6) * r.IntN(6))
	}
	for _, policy := range []moe.CachePolicy{moe.CacheLRU, moe.CacheLFU, moe.CacheBelady} {
		for _, capacity := range []int{1, 2, 5, 9, 40} {
			require.Equal(t, searchedHits(stream, capacity, policy), moe.CacheHits(stream, capacity, policy), "%s %d", policy, capacity)
		}
	}
}

func searchedHits(stream []int32, capacity int, policy moe.CachePolicy) int {
	held, hits := map[int32]bool{}, 0
	for i, key := range stream {
		if held[key] {
			hits++
			continue
		}
		if len(held) == capacity {
			out, worst := int32(-1), math.Inf(-1)
			for k := range held {
				last, uses, next := 0, 0, len(stream)
				for j, s := range stream {
					switch {
					case s != k:
					case j < i:
						last, uses = j, uses+1
					case next == len(stream):
						next = j
					}
				}
				badness := map[moe.CachePolicy]float64{moe.CacheLRU: -float64(last),
					moe.CacheLFU: -float64(uses) - float64(last)*1e-6, moe.CacheBelady: float64(next)}[policy]
				if badness > worst {
					out, worst = k, badness
				}
			}
			delete(held, out)
		}
		held[key] = true
	}
	return hits
}

// Expert 0 works for two tokens with weights 4 and 3 and norms 1 and 2, expert 1 for one with 4 and 5.
func TestSaliency(t *testing.T) {
	var s moe.Saliency
	s.Add(routed(3, []int32{0}, []int32{1, 0}), []float32{1, 5, 2})
	require.Equal(t, []int64{2, 1, 0}, s.Count)
	require.InDeltaSlice(t, []float64{7, 4, 0}, s.Weight, near)
	require.InDelta(t, (4*1+3*2)/2.0, s.REAP(0), near)
	require.InDelta(t, 20.0, s.REAP(1), near)
	require.Zero(t, s.REAP(2))
	require.InDelta(t, 3.0, s.EAN(0), near)
	require.InDelta(t, 1.5, s.MeanEAN(0), near)
	require.InDelta(t, 2.0, s.MaxNorm[0], near)
	require.True(t, s.HasNorms())
	require.Panics(t, func() { s.Add(routed(3, []int32{0}), []float32{1, 2}) })
	s.Add(routed(3, []int32{2}), nil)
	require.False(t, s.HasNorms(), "one call had none")
}

// Logits ln 3, 0 give p = 3/4, 1/4: f = (1, 1/2) over two tokens, P = (1/2, 1/2), and z is ln 4 for both.
func TestRouterLosses(t *testing.T) {
	r := routed(2, []int32{0, 1}, []int32{0})
	ln3 := float32(math.Log(3))
	r.Logits = tensor.MatOf([]float32{ln3, 0, 0, ln3}, 2, 2)
	var l moe.RouterLosses
	l.Add(r)
	l.Add(routed(2, []int32{0}))
	require.InDelta(t, 2*(1*0.5+0.5*0.5), l.Balance(), 1e-6)
	require.InDelta(t, math.Pow(math.Log(4), 2), l.Z(), 1e-6)
}

// Loads 3, 1, 0, 0 with room for ceil(1·4/4) = 1 each: two of four pairs are dropped.
func TestDropped(t *testing.T) {
	r := routed(4, []int32{0}, []int32{0, 1}, []int32{0})
	require.InDelta(t, 0.5, moe.Dropped(r, 1), near)
	require.InDelta(t, 0.25, moe.Dropped(r, 1.25), near) // ceil(1.25) = 2
	require.Zero(t, moe.Dropped(r, 4))
	require.Zero(t, moe.Dropped(routed(4), 1))
}

// Layer 4's gate sees layer 2's rows first: of four experts that it chooses later three are already there.
func TestLookahead(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	block := func() *moe.Block {
		b := newBlock(t, spec(hidden, 2), moe.GLU(kernels.SiLU), tensor.F32, false)
		var err error
		b.Gate, err = moe.NewGate(b.Spec, moe.RouterWeights{W: moetest.Identity(hidden)})
		require.NoError(t, err)
		return b
	}
	b2, b4 := block(), block()
	l := moe.Lookahead{Gates: []moe.Gate{nil, nil, b2.Gate, nil, b4.Gate, nil}}
	var guessed []int32
	l.Seen = func(layer int, r *moe.Routing) { require.Equal(t, 4, layer); guessed = append(guessed, r.Expert...) }
	run := func(b *moe.Block, layer int, rows ...float32) {
		x := tensor.NewMat(2, hidden)
		copy(x.Row(0), rows[:4])
		copy(x.Row(1), rows[4:])
		c := moe.Call{Layer: layer, X: x, Engine: e}
		require.NoError(t, b.Forward(e, tensor.NewMat(2, hidden), x, c, &moe.State{}, moe.Observe(&l)))
	}
	run(b2, 2, 4, 3, 2, 1, 1, 2, 3, 4)
	require.Equal(t, []int32{0, 1, 3, 2}, guessed)
	run(b4, 4, 4, 1, 2, 3, 1, 2, 3, 4)
	o := l.Of(4)
	require.InDelta(t, 0.75, o.MeanRecall(), near)
	require.InDelta(t, 0.5, o.ExactShare(), near)
	require.Zero(t, l.Of(2))
}

func TestTransitionShares(t *testing.T) {
	var c moe.Transition
	c.Add(routed(2, []int32{0}, []int32{0, 1}), routed(3, []int32{2}, []int32{0, 2}))
	require.InDelta(t, 1.0, c.P(2, 0), near)
	require.InDelta(t, 0.5, c.P(0, 0), near)
	require.Zero(t, c.P(1, 1))
}
