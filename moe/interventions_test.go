package moe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/moe/moetest"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestRandomAndHash(t *testing.T) {
	moetest.TestGate(t, moetest.Subject{New: func() moe.Gate { return &moe.Random{E: 8, K: 2, Seed: 1} }, Width: 4, Blind: true})
	moetest.TestGate(t, moetest.Subject{New: func() moe.Gate { return &moe.Hash{E: 8, K: 2} }, Width: 4, Blind: true})
	var a, b moe.Routing
	c := moe.Call{X: tensor.NewMat(64, 4), IDs: make([]int32, 64), Pos: make([]int32, 64)}
	require.NoError(t, (&moe.Random{E: 64, K: 1, Seed: 1}).Route(&a, c))
	require.NoError(t, (&moe.Random{E: 64, K: 1, Seed: 2}).Route(&b, c))
	require.NotEqual(t, a.Expert, b.Expert)
	c.Pos, c.IDs = nil, nil
	require.ErrorIs(t, (&moe.Random{E: 8, K: 2}).Route(&a, c), moe.ErrGate)
	require.ErrorIs(t, (&moe.Hash{E: 8, K: 2}).Route(&a, c), moe.ErrGate)
}

func TestInterventions(t *testing.T) {
	specs, list, err := moe.ParseGate("topk=3; layers=1-2; norm=off; drop=0,1; bias=4:7:2.5; temp=0.5; layers=5; roundrobin; shared=off;bias=off")
	require.NoError(t, err)
	require.Len(t, specs, 3)
	require.Equal(t, []moe.LayerRange{{From: 1, To: 2}}, specs[1].Layers)
	require.Equal(t, []moe.LayerRange{{From: 4, To: 4}}, list[1].Layers)
	g := gates(spec(8, 2))
	require.NoError(t, list.Check(g))
	require.Equal(t, []bool{false, true}, []bool{list.SharedOff(4), list.SharedOff(5)})
	x := tensor.MatOf([]float32{8, 7, 6, 5, 4, 3, 2, 1}, 1, 8)
	c := moe.Call{X: x, Pos: []int32{0}, Engine: engine(t, kernels.Options{Threads: 1})}
	for layer, want := range map[int][]int32{1: {2, 3}, 4: {7, 0}, 5: {0, 1}} {
		gate, err := moe.NewGate(spec(8, 2), moe.RouterWeights{W: moetest.Identity(8)})
		require.NoError(t, err)
		wrapped, err := list.Wrap(layer, gate, g[layer], moe.Files{})
		require.NoError(t, err)
		var r moe.Routing
		require.NoError(t, wrapped.Route(&r, c))
		require.Equal(t, want, r.Expert, "layer %d", layer)
	}
}

func TestInterventionsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"temp=0":         `temp: want a number above 0, found "0"`,
		"temp=NaN":       "above 0",
		"topp=1.5":       "at most 1",
		"topp=0.5,mid=3": "min=1,max=8",
		"force=1:2:3":    "force: want L:E,E",
		"bias=1":         "bias: want L:E:x, E:x or off",
		"noise=1,x":      "noise: want",
		"random":         "random: want a seed",
		"shared=on":      `shared: want off, found "on"`,
		"tpok=2":         "or bias, demote, drop",
		"roundrobin=3":   "roundrobin: want nothing",
		"softmoe=3":      "softmoe: want nothing",
		"relu=x":         "relu: want nothing or a shift",
		"expertchoice=0": "above 0",
		"replay=":        "replay: want a trace file",
		"file":           "file: want an overlay",
	} {
		_, _, err := moe.ParseGate(text)
		require.ErrorIs(t, err, moe.ErrGate, text)
		require.ErrorContains(t, err, want, text)
	}
	for text, want := range map[string]string{
		"force=1:2;drop=1:2":     "layer 1: bad gate: want expert 2 in one of force and drop",
		"drop=1:0,1,2,3,4,5,6,7": "found all 8 dropped",
		"drop=0:1":               "drop: layers: want mixtures of experts from 0 to 5",
		"drop=6:1":               "drop: layers: want",
		"bias=1:8:1":             "bias: want an expert from 0 to 7, found 8",
		"temp=2;random=1":        "random: want no edits",
		"relu;layers=2;hash":     "layer 2: bad gate: want one gate in place of the layer's own, found relu and hash",
	} {
		_, list, err := moe.ParseGate(text)
		require.NoError(t, err, text)
		err = list.Check(gates(spec(8, 2)))
		require.ErrorIs(t, err, moe.ErrGate, text)
		require.ErrorContains(t, err, want, text)
	}
}
