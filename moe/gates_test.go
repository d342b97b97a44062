package moe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/moe/moetest"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Every family's gate keeps the contract.
func TestGatesOfFamilies(t *testing.T) {
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) { moetest.TestSpec(t, f.spec) })
	}
}

// Axes that no family of the table combines.
func TestGatesOfOtherSpecs(t *testing.T) {
	base := moe.GateSpec{Experts: 16, TopK: 4, Score: moe.ScoreSoftmax, Select: moe.SelectTopK, WeightFrom: moe.FromScore, Norm: moe.NormNone}
	for name, change := range map[string]func(*moe.GateSpec){
		"bf16":           func(g *moe.GateSpec) { g.Compute = moe.ComputeBF16 },
		"f16":            func(g *moe.GateSpec) { g.Compute = moe.ComputeF16; g.Norm = moe.NormSum },
		"normed":         func(g *moe.GateSpec) { g.Input = moe.InputNormed; g.InputEps = 1e-6 },
		"biased sigmoid": func(g *moe.GateSpec) { g.Score = moe.ScoreSigmoid; g.ChoiceBias = true },
		"zero experts":   func(g *moe.GateSpec) { g.Null = 3; g.NullKind = moe.NullZero; g.TopK = 1 },
		"groups and null": func(g *moe.GateSpec) {
			g.Null, g.NullKind = 2, moe.NullIdentity
			g.Groups = &moe.Groups{N: 4, Keep: 1, Agg: moe.GroupMax}
		},
		"normalised sparsemixer": func(g *moe.GateSpec) {
			g.Select, g.TopK, g.Jitter, g.Norm = moe.SelectSparseMixer, 2, 0.3, moe.NormSum
		},
	} {
		g := base
		change(&g)
		t.Run(name, func(t *testing.T) { moetest.TestSpec(t, g) })
	}
}

func TestNearest(t *testing.T) {
	moetest.TestGate(t, moetest.Subject{New: func() moe.Gate { return nearest{4} }, Width: 3})
}

func TestRoundRobin(t *testing.T) {
	moetest.TestGate(t, moetest.Subject{New: func() moe.Gate { return moe.RoundRobin{E: 5, K: 2} }, Width: 4, Blind: true})
	var r moe.Routing
	c := moe.Call{X: tensor.NewMat(3, 4), Pos: []int32{0, 1, 2}}
	require.NoError(t, moe.RoundRobin{E: 5, K: 2}.Route(&r, c))
	require.Equal(t, []int32{0, 1, 2, 3, 4, 0}, r.Expert)
	c.Pos = nil
	require.ErrorIs(t, moe.RoundRobin{E: 5, K: 2}.Route(&r, c), moe.ErrGate)
}

func TestReplay(t *testing.T) {
	g := moe.GateSpec{Experts: 8, TopK: 2, Score: moe.ScoreSoftmax, Select: moe.SelectTopK, WeightFrom: moe.FromScore, Norm: moe.NormSum}
	gate, err := moe.NewGate(g, moe.RouterWeights{W: moetest.Identity(8)})
	require.NoError(t, err)
	e := engine(t, kernels.Options{Threads: 1})
	rec := moe.NewRecorder(moe.RecordLogits)
	c := moe.Call{Layer: 3, X: random(200, 8, 5), Pos: make([]int32, 200), Engine: e}
	for i := range c.Pos {
		c.Pos[i] = int32(i)
	}
	var want, got moe.Routing
	require.NoError(t, rec.Wrap(gate).Route(&want, c))
	replay := moe.Replay{From: rec}
	require.NoError(t, replay.Route(&got, c))
	require.Equal(t, want.Expert, got.Expert)
	require.Equal(t, want.Weight, got.Weight)
	require.Equal(t, want.Start, got.Start)
	require.Equal(t, want.Logits.Data, rec.Layer(3).Logits)
	moetest.TestGate(t, moetest.Subject{New: func() moe.Gate { return replay }, Width: 8, Blind: true})

	c.Pos[7] = 200
	require.ErrorIs(t, replay.Route(&got, c), moe.ErrReplay)
	c.Pos[7], c.Layer = 7, 4
	require.ErrorIs(t, replay.Route(&got, c), moe.ErrReplay)
	c.X.Row(0)[0] = nan()
	require.ErrorIs(t, rec.Wrap(gate).Route(&got, c), moe.ErrBadScore)
	c.Pos = nil
	require.ErrorIs(t, replay.Route(&got, c), moe.ErrGate)
}

// across is a gate whose tokens are not independent.
type across struct{ moe.RoundRobin }

func (across) CrossToken() bool { return true }

// A wrapped gate says what the gate says.
func TestWrapKeepsCrossToken(t *testing.T) {
	rec := moe.NewRecorder(moe.RecordRouting)
	require.True(t, rec.Wrap(across{}).(moe.CrossToken).CrossToken())
	require.False(t, rec.Wrap(moe.RoundRobin{}).(moe.CrossToken).CrossToken())
}

func TestRecorder(t *testing.T) {
	rec := moe.NewRecorder(moe.RecordRouting)
	var r moe.Routing
	r.Reset(8, 2, 3)
	for _, p := range []struct {
		e int32
		w float32
	}{{5, 0.25}, {1, 0.5}, {0, 0.25}} {
		r.Add(p.e, p.w)
	}
	r.EndToken()
	r.Add(2, 1)
	r.EndToken()
	rec.ObserveRouting(1, &r)
	rec.ObserveRouting(1, &r)
	got := rec.Layer(1)
	require.Equal(t, 4, got.Tokens())
	require.Equal(t, 3, got.MaxK())
	ids, weights := got.Sorted(3)
	require.Equal(t, []int32{1, 0, 5, 2, -1, -1, 1, 0, 5, 2, -1, -1}, ids)
	require.Equal(t, []float32{0.5, 0.25, 0.25, 1, 0, 0}, weights[:6])
	require.Equal(t, 0, rec.Layer(9).Tokens())
}
