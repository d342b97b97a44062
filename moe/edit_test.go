package moe_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/moe/moetest"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func editedGate(t *testing.T, g moe.GateSpec, e moe.Edit) *moe.Router {
	r, err := moe.NewGate(g, moe.RouterWeights{W: moetest.Identity(g.Logits()), ChoiceBias: make([]float32, g.Slots())})
	require.NoError(t, err)
	out, err := e.Apply(r, &g)
	require.NoError(t, err)
	return out
}

func few(v float32) *float32 { return &v }

// Every edit keeps the contract, on a plain gate and on one with bias and groups.
func TestEditsKeepTheContract(t *testing.T) {
	grouped := spec(64, 4, scored(moe.ScoreSigmoid), biased, normed(1e-20), grouped(4, 2, moe.GroupTop2Sum, false))
	for name, e := range map[string]moe.Edit{
		"none": {}, "temp": {Temp: 0.7}, "noise": {Noise: 0.5, Seed: 3}, "steer": {Promote: []int32{3}, Demote: []int32{5, 6}},
		"drop": {Drop: []int32{0, 9}}, "force": {Force: []int32{0, 9}}, "topp": {TopP: 0.6, Min: 1, Max: 8},
		"threshold": {Threshold: few(0.1)}, "skip": {Skip: 0.3}, "bias": {Bias: make([]float32, 64)},
	} {
		t.Run(name, func(t *testing.T) {
			for _, g := range []moe.GateSpec{spec(64, 4), grouped} {
				moetest.TestGate(t, moetest.Subject{New: func() moe.Gate { return editedGate(t, g, e) }, Width: 64})
			}
		})
	}
}

// Softmax of ln 8, ln 4, ln 2, ln 1, ln 1 is 8, 4, 2, 1, 1 sixteenths.
func TestEdits(t *testing.T) {
	x := tensor.NewMat(1, 5)
	for i, v := range []float64{8, 4, 2, 1, 1} {
		x.Data[i] = float32(math.Log(v))
	}
	en := engine(t, kernels.Options{Threads: 1})
	for _, c := range []struct {
		name string
		norm bool
		edit moe.Edit
		ids  []int32
		w    []float32
	}{
		{"none", false, moe.Edit{}, []int32{0, 1}, []float32{8. / 16, 4. / 16}},
		{"temp", false, moe.Edit{Temp: 0.5}, []int32{0, 1}, []float32{64. / 86, 16. / 86}},
		{"drop", false, moe.Edit{Drop: []int32{0}}, []int32{1, 2}, []float32{4. / 16, 2. / 16}},
		{"drop all but one", false, moe.Edit{Drop: []int32{0, 1, 2, 3}}, []int32{4}, []float32{1. / 16}},
		{"force", false, moe.Edit{Force: []int32{4}}, []int32{0, 4}, []float32{8. / 16, 1. / 16}},
		{"force two", true, moe.Edit{Force: []int32{4, 2}}, []int32{2, 4}, []float32{2. / 3, 1. / 3}},
		{"force the chosen", false, moe.Edit{Force: []int32{1}}, []int32{0, 1}, []float32{8. / 16, 4. / 16}},
		{"bias", false, moe.Edit{Bias: []float32{0, 0, 1, 0, 0}}, []int32{2, 0}, []float32{2. / 16, 8. / 16}},
		{"topp", false, moe.Edit{TopP: 0.8}, []int32{0, 1, 2}, []float32{8. / 16, 4. / 16, 2. / 16}},
		{"topp max", false, moe.Edit{TopP: 0.8, Max: 1}, []int32{0}, []float32{8. / 16}},
		{"topp min", false, moe.Edit{TopP: 0.1, Min: 2, Max: 3}, []int32{0, 1}, []float32{8. / 16, 4. / 16}},
		{"topp force", false, moe.Edit{TopP: 0.1, Force: []int32{3}}, []int32{3}, []float32{1. / 16}},
		{"threshold", false, moe.Edit{Threshold: few(0.1)}, []int32{0, 1, 2}, []float32{8. / 16, 4. / 16, 2. / 16}},
		{"threshold none", false, moe.Edit{Threshold: few(0.9)}, []int32{0}, []float32{8. / 16}},
		{"skip", true, moe.Edit{Skip: 0.6}, []int32{0}, []float32{1}},
		{"skip less", true, moe.Edit{Skip: 0.4}, []int32{0, 1}, []float32{2. / 3, 1. / 3}},
	} {
		g := spec(5, 2)
		if c.norm {
			g = spec(5, 2, normed(0))
		}
		var r moe.Routing
		require.NoError(t, editedGate(t, g, c.edit).Route(&r, moe.Call{X: x, Engine: en}), c.name)
		require.Equal(t, c.ids, r.Expert, c.name)
		require.InDeltaSlice(t, c.w, r.Weight, 1e-6, c.name)
		require.Equal(t, x.Data, r.Logits.Data, "%s: logits stay raw", c.name)
	}
	var r moe.Routing
	steered := editedGate(t, spec(5, 5), moe.Edit{Promote: []int32{4}, Demote: []int32{0}})
	require.NoError(t, steered.Route(&r, moe.Call{X: x, Engine: en}))
	require.Equal(t, []int32{4, 1, 2, 3, 0}, r.Expert)
	require.InDelta(t, math.Exp(0.01)*8, float64(r.Weight[0]/r.Weight[2])*2, 1e-5)
}

// What contradicts itself or the gate is refused.
func TestEditsRefused(t *testing.T) {
	g := spec(4, 2)
	for want, e := range map[string]moe.Edit{
		"force: want an expert from 0 to 3, found 4": {Force: []int32{4}},
		"expert 1 in one of force and drop":          {Force: []int32{1}, Drop: []int32{1}},
		"expert 1 in one of force and demote":        {Force: []int32{1}, Demote: []int32{1}},
		"expert 1 in one of promote and drop":        {Promote: []int32{1}, Drop: []int32{1}},
		"expert 1 in one of promote and demote":      {Promote: []int32{1}, Demote: []int32{1}},
		"found all 4 dropped":                        {Drop: []int32{0, 1, 2, 3, 3}},
		"at most the 2 slots of a token, found 3":    {Force: []int32{0, 1, 2}},
		"min, max: want 0 ≤ min ≤ max":               {TopP: 0.5, Min: 3, Max: 2},
		"bias: want 4 values, found 1":               {Bias: []float32{1}},
	} {
		err := e.Check(&g)
		require.ErrorIs(t, err, moe.ErrGate)
		require.ErrorContains(t, err, want)
	}
	noisy := editedGate(t, g, moe.Edit{Noise: 1})
	var r moe.Routing
	require.ErrorIs(t, noisy.Route(&r, moe.Call{X: tensor.NewMat(1, 4), Engine: engine(t, kernels.Options{})}), moe.ErrGate)
}
