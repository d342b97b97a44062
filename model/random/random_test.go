package random_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/random"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// tiny is a mixture small enough for a test, of the same make as the named shapes.
func tiny(family string) random.Shape {
	return random.Shape{
		Name: "tiny", Family: family, Layers: 6, Hidden: 128, Heads: 4, KVHeads: 2, HeadDim: 32,
		Experts: 16, TopK: 4, Width: 64, Vocab: 512, Context: 512, Eps: 1e-6, Theta: 1e4,
	}
}

func open(t *testing.T, s random.Shape, o random.Options) *model.Model {
	t.Helper()
	src, err := random.New(s, o)
	require.NoError(t, err)
	m, err := src.Open(model.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func ids(n, vocab int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i * 7919 % vocab)
	}
	return out
}

// TestFamilies opens one shape of each family, by the strict binding of real checkpoints, and runs it.
func TestFamilies(t *testing.T) {
	for _, family := range []string{"olmoe", "qwen3_moe", "mixtral", "llama"} {
		t.Run(family, func(t *testing.T) {
			s := tiny(family)
			if family == "llama" {
				s.Experts, s.Tied = 0, true
			}
			m := open(t, s, random.Options{})
			require.Len(t, m.Spec().Layers, s.Layers)
			out, err := m.Logits(context.Background(), ids(5, s.Vocab))
			require.NoError(t, err)
			require.NotEqual(t, out.Row(0), out.Row(1))
		})
	}
}

// TestRoutingIsSpread: every expert works, in every layer about equally often, in the last one as in the first. What is left
// is chance: loads of a uniform gate have the variation √((1-K/E)·E/(K·T)).
func TestRoutingIsSpread(t *testing.T) {
	s := tiny("qwen3_moe")
	s.Layers, s.Hidden = 12, 512
	m := open(t, s, random.Options{Seed: 3})
	loads := map[int]*moe.Load{}
	seq := m.NewSequence()
	defer seq.Free()
	require.NoError(t, m.Prefill(context.Background(), seq, ids(512, s.Vocab), tensor.Mat{}, watch(loads)))
	chance := math.Sqrt((1 - float64(s.TopK)/float64(s.Experts)) * float64(s.Experts) / float64(s.TopK) / 512)
	for i := range s.Layers {
		require.Zero(t, loads[i].Dead())
		require.Less(t, loads[i].CV(), 4*chance, "layer %d: %v", i, loads[i].Count)
	}
}

type watch map[int]*moe.Load

func (w watch) ObserveRouting(layer int, r *moe.Routing) {
	if w[layer] == nil {
		w[layer] = &moe.Load{}
	}
	w[layer].Add(r)
}

// TestDeterministic: the same seed gives the same logits, another one others, and a pool gives a working model too.
func TestDeterministic(t *testing.T) {
	logits := func(o random.Options) []float32 {
		s := tiny("olmoe")
		out, err := open(t, s, o).Logits(context.Background(), ids(3, s.Vocab))
		require.NoError(t, err)
		return out.Data
	}
	first := logits(random.Options{Seed: 1})
	require.Equal(t, first, logits(random.Options{Seed: 1}))
	require.NotEqual(t, first, logits(random.Options{Seed: 2}))
	pooled := logits(random.Options{Seed: 1, Shared: true})
	require.Equal(t, pooled, logits(random.Options{Seed: 1, Shared: true}))
	require.NotEqual(t, first, pooled)
}

// TestShapes holds the named shapes to the parameter counts of the published models, and e8 to e512 to one active size.
func TestShapes(t *testing.T) {
	for name, want := range map[string]float64{
		"olmoe-1b-7b": 6.92e9, "smollm2-135m": 134.5e6, "qwen3-30b-a3b-8l": 5.61e9, "mixtral-8x7b-2l": 3.16e9,
	} {
		s, err := random.Find(name)
		require.NoError(t, err)
		require.InEpsilon(t, want, float64(s.Parameters()), 0.01, name)
	}
	e64, err := random.Find("e64")
	require.NoError(t, err)
	for e := 8; e <= 512; e *= 2 {
		s, err := random.Find(fmt.Sprintf("e%d", e))
		require.NoError(t, err)
		require.Equal(t, e, s.Experts)
		s.Experts, s.Name = e64.Experts, e64.Name
		require.Equal(t, e64, s)
	}
	_, err = random.Find("gpt-9")
	require.ErrorContains(t, err, "gpt-9")
	require.ErrorContains(t, err, "olmoe-1b-7b-4l")
}
