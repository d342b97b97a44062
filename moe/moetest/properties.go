package moetest

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const close32 = 2e-6 // of values about 1, sums of a few dozen in another order

func scaleOf(g moe.GateSpec) float64 {
	if g.Scale == 0 {
		return 1
	}
	return float64(g.Scale)
}

// sums: normalised weights add up to Scale.
func sums(t *testing.T, g moe.GateSpec, w moe.RouterWeights) {
	g.PerExpert = false
	r := route(t, g, w, grid(g, 50))
	for i := range r.Tokens() {
		_, weights := r.Of(i)
		sum := 0.0
		for _, v := range weights {
			sum += float64(v)
		}
		require.InEpsilon(t, scaleOf(g), sum, 1e-5, "token %d", i)
	}
}

// permuted: experts in another order are chosen and weighed all the same. Groups stay together.
func permuted(t *testing.T, g moe.GateSpec, w moe.RouterWeights) {
	r := rand.New(rand.NewPCG(17, 1))
	n, groups := g.Experts, 1
	if g.Groups != nil {
		groups = g.Groups.N
	}
	size := n / groups
	var perm []int // new place → old place
	for _, from := range r.Perm(groups) {
		for _, i := range r.Perm(size) {
			perm = append(perm, from*size+i)
		}
	}
	move := func(v []float32) []float32 {
		out := make([]float32, len(v))
		for i, p := range perm {
			out[i] = v[p]
		}
		return out
	}
	w2 := w
	w2.ChoiceBias, w2.PerExpert = move(w.ChoiceBias), move(w.PerExpert)
	logits := grid(g, 50)
	moved := tensor.NewMat(logits.Rows, logits.Cols)
	for i := range logits.Rows {
		copy(moved.Row(i), move(logits.Row(i)))
	}
	want, got := route(t, g, w, logits), route(t, g, w2, moved)
	for i := range logits.Rows {
		require.InDeltaSlice(t, move(byExpert(want, i)), byExpert(got, i), close32*max(1, scaleOf(g)), "token %d", i)
	}
}

// shiftable: adding a constant to all logits means nothing to a softmax.
func shiftable(g *moe.GateSpec) bool {
	if g.Select != moe.SelectTopK || g.Softcap != 0 || g.Compute != moe.ComputeF32 || g.Input != moe.InputBlock {
		return false
	}
	softmax := g.Score == moe.ScoreSoftmax && g.WeightFrom != moe.FromSigmoidSelected
	return softmax || g.Score == moe.ScoreIdentity && g.WeightFrom == moe.FromSoftmaxSelected && g.Groups == nil
}

func shifted(t *testing.T, g moe.GateSpec, w moe.RouterWeights) {
	logits := grid(g, 50)
	want := route(t, g, w, logits)
	moved := tensor.NewMat(logits.Rows, logits.Cols)
	for i, v := range logits.Data {
		moved.Data[i] = v + 16
	}
	same(t, want, route(t, g, w, moved), "logits + 16")
}

// biased: a choice bias changes who is chosen, but never the weight of one who stays.
func biased(t *testing.T, g moe.GateSpec, w moe.RouterWeights) {
	logits := grid(g, 200)
	with := route(t, g, w, logits)
	g.ChoiceBias = false
	if g.Groups != nil && !g.Groups.FillZero {
		g.Groups = nil
	}
	without := route(t, g, w, logits)
	changed := false
	for i := range logits.Rows {
		ids, weights := with.Of(i)
		plain, plainWeights := without.Of(i)
		for j, e := range ids {
			at := slices.Index(plain, e)
			if at < 0 {
				changed = true
				continue
			}
			require.Equal(t, plainWeights[at], weights[j], "token %d expert %d", i, e)
		}
	}
	require.True(t, changed, "the bias changed no choice: the test shows nothing")
}

// all: where every expert is chosen the weights are the whole distribution, whatever biases and groups say.
func all(t *testing.T, g moe.GateSpec, w moe.RouterWeights) {
	g.TopK, g.Groups, g.PerExpert = g.Slots(), nil, false
	logits := grid(g, 20)
	r := route(t, g, w, logits)
	Check(t, r, 20)
	plain := g
	plain.Norm, plain.ChoiceBias, plain.Scale = moe.NormNone, false, 0
	dense := route(t, plain, w, logits)
	for i := range logits.Rows {
		want, sum := byExpert(dense, i), 1.0
		if g.Norm == moe.NormSum {
			sum = 0
			for _, v := range want {
				sum += float64(v)
			}
			sum = max(sum+float64(g.NormEps), float64(g.NormFloor))
		}
		for e, v := range byExpert(r, i) {
			require.InDelta(t, float64(want[e])/sum*scaleOf(g), float64(v), close32*max(1, scaleOf(g)), "token %d expert %d", i, e)
		}
	}
}

// ties: equal logits choose the experts with the lowest ids.
func ties(t *testing.T, g moe.GateSpec, w moe.RouterWeights) {
	logits := tensor.NewMat(2, g.Logits())
	for i := range logits.Row(1) {
		logits.Row(1)[i] = -3
	}
	r := route(t, g, w, logits)
	for i := range 2 {
		ids, _ := r.Of(i)
		for j, e := range ids {
			require.Equal(t, int32(j), e, "token %d", i)
		}
	}
}
