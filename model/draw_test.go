package model_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Spans that draw see the logits that Out would have got, and their largest; among spans that want rows, and alone. A step
// that fails calls nobody.
func TestSpansDraw(t *testing.T) {
	m := openBuiltin(t, model.Options{Threads: 2})
	ctx := context.Background()
	prompts := [][]int32{{1, 2, 3}, {9}, {7, 8}, {5, 5, 5, 5}}
	want := make([]tensor.Mat, len(prompts))
	for i, p := range prompts {
		want[i] = tensor.NewMat(1, m.Spec().Vocab)
		require.NoError(t, m.Step(ctx, model.Batch{{Seq: m.NewSequence(), Tokens: p, Out: want[i]}}, nil))
	}
	got, tops := make([][]float32, len(prompts)), make([]int32, len(prompts))
	batch := make(model.Batch, len(prompts))
	for i, p := range prompts {
		batch[i] = model.Span{Seq: m.NewSequence(), Tokens: p, Draw: func(logits []float32, top int32) {
			require.Nil(t, got[i], "drawn twice")
			require.Equal(t, len(p), batch[i].Seq.Len(), "drawn before the step has ended")
			got[i], tops[i] = slices.Clone(logits), top
		}}
	}
	every := tensor.NewMat(2, m.Spec().Vocab)
	batch[2].Draw, batch[2].Out = nil, every
	failed, cancel := context.WithCancel(ctx)
	cancel()
	require.Error(t, m.Step(failed, batch, nil))
	require.Equal(t, make([][]float32, len(prompts)), got)
	require.NoError(t, m.Step(ctx, batch, nil))
	for i := range prompts {
		if i == 2 {
			require.Equal(t, want[i].Row(0), every.Row(1))
			continue
		}
		require.Equal(t, want[i].Row(0), got[i], "span %d", i)
		require.Equal(t, slices.Index(got[i], slices.Max(got[i])), int(tops[i]))
	}
	batch[0].Out = want[0]
	require.ErrorIs(t, m.Step(ctx, batch, nil), model.ErrOption)
}

// The most likely allowed id wins by the formula, id by id, whatever is masked, biased or met before.
func TestGreedyFollowsTheFormula(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for trial := range 300 {
		n := 1 + rng.IntN(200)
		logits := make([]float32, n)
		for i := range logits {
			logits[i] = float32(rng.IntN(9)) - 4 // ties
		}
		o := model.Sampling{}
		if trial%3 == 0 {
			o.Bias = map[int32]float64{int32(rng.IntN(n)): 2, int32(n + 70): 5}
		}
		if trial%4 == 0 {
			o.RepeatPenalty = 1.5
		}
		if trial%5 == 0 {
			o.FrequencyPenalty, o.PresencePenalty = 0.75, 0.5
		}
		s, counts := model.NewSampler(o), map[int]int{}
		for range rng.IntN(6) {
			id := rng.IntN(n)
			counts[id]++
			s.Generated(int32(id))
		}
		var allowed []uint64
		if trial%2 == 0 {
			allowed = make([]uint64, (n+63)/64+trial%3)
			for range 1 + rng.IntN(n) {
				id := rng.IntN(n)
				allowed[id/64] |= 1 << (id % 64)
			}
			if trial%6 == 0 { // bits behind the vocabulary
				allowed[len(allowed)-1] |= 1 << 63
			}
		}
		s.Allow(allowed)
		best, most := -1, math.Inf(-1)
		for id, l := range logits {
			if allowed != nil && allowed[id/64]>>(id%64)&1 == 0 {
				continue
			}
			v := float64(l)
			if o.RepeatPenalty != 0 && counts[id] > 0 {
				if v > 0 {
					v /= o.RepeatPenalty
				} else {
					v *= o.RepeatPenalty
				}
			}
			v += o.Bias[int32(id)]
			if c := counts[id]; c > 0 {
				v -= float64(c)*o.FrequencyPenalty + o.PresencePenalty
			}
			if v > most {
				best, most = id, v
			}
		}
		top := int32(slices.Index(logits, slices.Max(logits)))
		require.Equal(t, int32(best), s.Sample(logits), "trial %d: %+v", trial, o)
		require.Equal(t, int32(best), s.SampleTop(logits, top), "trial %d: %+v", trial, o)
	}
}

// What is masked is never drawn, and the rest keeps its proportions.
func TestDrawsStayWithinTheMask(t *testing.T) {
	logits := logs(0.1, 0.4, 0.2, 0.3)
	for _, o := range []model.Sampling{{Temperature: 1}, {Temperature: 1, TopP: 0.9}, {Temperature: 1, TopK: 3}, {Temperature: 1, MinP: 0.01}} {
		s := model.NewSampler(o)
		s.Allow([]uint64{0b1001})
		n := 0
		for range 20000 {
			id := s.Sample(logits)
			require.Contains(t, []int32{0, 3}, id)
			n += int(id) / 3
		}
		assert.InDelta(t, 0.75, float64(n)/20000, 0.015, "%+v", o)
	}
}
