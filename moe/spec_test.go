package moe_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/moe/moetest"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestValidate(t *testing.T) {
	for _, f := range families() {
		require.NoError(t, f.spec.Validate(), f.name)
	}
	inf := float32(math.Inf(1))
	for want, change := range map[string]func(*moe.GateSpec){
		"experts: want 1 to 1048576, found 0":                     func(g *moe.GateSpec) { g.Experts = 0 },
		"experts: want 1 to 1048576, found -3":                    func(g *moe.GateSpec) { g.Experts = -3 },
		"topk: want 1 to 8, found 9":                              func(g *moe.GateSpec) { g.TopK = 9 },
		"topk: want 1 to 8, found 0":                              func(g *moe.GateSpec) { g.TopK = 0 },
		"null: want 0 to 1048576, found -1":                       func(g *moe.GateSpec) { g.Null = -1 },
		`null_kind: want one of "identity", "zero", found ""`:     func(g *moe.GateSpec) { g.Null = 1 },
		`score: want one of "softmax", "sigmoid"`:                 func(g *moe.GateSpec) { g.Score = "tanh" },
		`select: want one of "topk", "sparsemixer", "table"`:      func(g *moe.GateSpec) { g.Select = "best" },
		`weight_from: want one of "score"`:                        func(g *moe.GateSpec) { g.WeightFrom = "" },
		`norm: want one of "none", "sum"`:                         func(g *moe.GateSpec) { g.Norm = "on" },
		`input: want one of "", "normed"`:                         func(g *moe.GateSpec) { g.Input = "x" },
		`compute: want one of "", "bf16", "f16"`:                  func(g *moe.GateSpec) { g.Compute = "f8" },
		"softcap: want 0 or more, found -1":                       func(g *moe.GateSpec) { g.Softcap = -1 },
		"norm_eps: want 0 or more, found NaN":                     func(g *moe.GateSpec) { g.NormEps = nan() },
		"scale: want a finite number, found +Inf":                 func(g *moe.GateSpec) { g.Scale = inf },
		"sum_scale: want a finite number, found +Inf":             func(g *moe.GateSpec) { g.SumScale = inf },
		"norm_p: want more than 0 with norm pnorm, found 0":       func(g *moe.GateSpec) { g.Norm = moe.NormPow },
		"groups.n: want a divisor of 8 experts, found 3":          func(g *moe.GateSpec) { g.Groups = &moe.Groups{N: 3, Keep: 1, Agg: moe.GroupMax} },
		"groups.n: want a divisor of 8 experts, found 0":          func(g *moe.GateSpec) { g.Groups = &moe.Groups{Keep: 1, Agg: moe.GroupMax} },
		"groups.keep: want 1 to 4, found 5":                       func(g *moe.GateSpec) { g.Groups = &moe.Groups{N: 4, Keep: 5, Agg: moe.GroupMax} },
		`groups.agg: want one of "max", "top2sum", found ""`:      func(g *moe.GateSpec) { g.Groups = &moe.Groups{N: 4, Keep: 2} },
		"at most the 1 experts of the kept groups, found 2":       func(g *moe.GateSpec) { g.Groups = &moe.Groups{N: 8, Keep: 1, Agg: moe.GroupMax} },
		"shared_slots: want above 0 exactly with norm sum_shared": func(g *moe.GateSpec) { g.SharedSlots = 1 },
	} {
		g := spec(8, 2)
		change(&g)
		err := g.Validate()
		require.ErrorIs(t, err, moe.ErrGate, want)
		require.ErrorContains(t, err, want)
	}
}

// All faults come at once.
func TestValidateReportsEverything(t *testing.T) {
	g := moe.GateSpec{Experts: 4, TopK: 5, Softcap: -1}
	err := g.Validate()
	for _, field := range []string{"topk", "softcap", "score", "norm"} {
		require.ErrorContains(t, err, field)
	}
}

func TestNewGateChecksWeights(t *testing.T) {
	for want, c := range map[string]struct {
		change func(*moe.GateSpec)
		w      moe.RouterWeights
	}{
		"router rows: want 8, found 7":                         {func(g *moe.GateSpec) {}, moe.RouterWeights{W: moetest.Identity(7)}},
		"router bias: want 8 values, found 0":                  {func(g *moe.GateSpec) { g.Bias = true }, moe.RouterWeights{W: moetest.Identity(8)}},
		"choice bias: want 8 values, found 1":                  {biased, moe.RouterWeights{W: moetest.Identity(8), ChoiceBias: make([]float32, 1)}},
		"per-expert scale: want 8 values":                      {func(g *moe.GateSpec) { g.PerExpert = true }, moe.RouterWeights{W: moetest.Identity(8)}},
		"router input vector: want 8":                          {func(g *moe.GateSpec) { g.Input = moe.InputNormed }, moe.RouterWeights{W: moetest.Identity(8)}},
		"needs a Gate of its own":                              {func(g *moe.GateSpec) { g.Input = moe.InputCarried }, moe.RouterWeights{W: moetest.Identity(8)}},
		"table: want rows of 2 experts":                        {func(g *moe.GateSpec) { g.Select = moe.SelectTable }, moe.RouterWeights{W: moetest.Identity(8), Table: make([]int32, 3)}},
		"table of token id 1: want an expert below 8, found 8": {func(g *moe.GateSpec) { g.Select = moe.SelectTable }, moe.RouterWeights{W: moetest.Identity(8), Table: []int32{0, 1, 2, 8}}},
	} {
		g := spec(8, 2)
		c.change(&g)
		_, err := moe.NewGate(g, c.w)
		require.ErrorIs(t, err, moe.ErrGate, want)
		require.ErrorContains(t, err, want)
	}
	_, err := moe.NewGate(spec(8, 2), moe.RouterWeights{W: moetest.Identity(8), ChoiceBias: make([]float32, 3)})
	require.NoError(t, err, "vectors that the spec does not ask for are ignored")
}

// A table needs the ids of the call, all of them known.
func TestTableNeedsIDs(t *testing.T) {
	g := spec(8, 2, func(g *moe.GateSpec) { g.Select = moe.SelectTable })
	gate, err := moe.NewGate(g, moe.RouterWeights{W: moetest.Identity(8), Table: []int32{0, 1, 2, 3}})
	require.NoError(t, err)
	var r moe.Routing
	c := moe.Call{Layer: 2, X: random(2, 8, 1), Engine: engine(t, kernels.Options{Threads: 1})}
	require.ErrorContains(t, gate.Route(&r, c), "layer 2: select table needs 2 token ids, found 0")
	for _, id := range []int32{2, -1} {
		c.IDs = []int32{1, id}
		require.ErrorContains(t, gate.Route(&r, c), "layer 2 token 1: want an id in the table of 2")
	}
	c.IDs = []int32{1, 0}
	require.NoError(t, gate.Route(&r, c))
	require.Equal(t, []int32{2, 3, 0, 1}, r.Expert)
}

// An infinite logit, and a bias that is not a number, are refused where they leave no weight.
func TestWeightsAreFinite(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	inf := float32(math.Inf(1))
	for _, g := range []moe.GateSpec{
		spec(4, 2, scored(moe.ScoreIdentity)), spec(4, 2, biased),
		spec(4, 2, func(g *moe.GateSpec) { g.Select = moe.SelectSparseMixer }),
	} {
		gate, err := moe.NewGate(g, moe.RouterWeights{W: moetest.Identity(4), ChoiceBias: []float32{0, 0, nan(), 0}})
		require.NoError(t, err)
		var r moe.Routing
		err = gate.Selector.Select(&r, tensor.MatOf([]float32{0, 1, inf, 2}, 1, 4), moe.Call{Layer: 6, Engine: e})
		require.ErrorIs(t, err, moe.ErrBadScore)
		require.ErrorContains(t, err, "layer 6 token 0 expert 2")
	}
}

// Scores that all underflow leave weights at 0 and not at 0/0.
func TestSumOfNothing(t *testing.T) {
	gate, err := moe.NewGate(spec(4, 2, scored(moe.ScoreSigmoid), normed(0)), moe.RouterWeights{W: moetest.Identity(4)})
	require.NoError(t, err)
	var r moe.Routing
	x := tensor.MatOf([]float32{-1e30, -1e30, -1e30, -1e30}, 1, 4)
	require.NoError(t, gate.Route(&r, moe.Call{X: x, Engine: engine(t, kernels.Options{Threads: 1})}))
	require.Equal(t, []float32{0, 0}, r.Weight)
	require.Equal(t, []int32{0, 1}, r.Expert)
}

func TestSpecString(t *testing.T) {
	for _, c := range []struct {
		g    moe.GateSpec
		want string
	}{
		{spec(64, 8), "experts=64;topk=8;score=softmax;norm=off"},
		{spec(8, 2, scored(moe.ScoreIdentity), from(moe.FromSoftmaxSelected)), "experts=8;topk=2;score=identity;weight=softmax_selected;norm=off"},
		{spec(16, 2, func(g *moe.GateSpec) { g.Select, g.Jitter = moe.SelectSparseMixer, 0.01 }), "experts=16;topk=2;select=sparsemixer;jitter=0.01;norm=off"},
		{spec(256, 8, scored(moe.ScoreSigmoid), biased, normed(1e-20), scaled(2.5), grouped(8, 4, moe.GroupTop2Sum, false)),
			"experts=256;topk=8;score=sigmoid;bias=on;groups=4 of 8 by top2sum fill -inf;norm=on eps 1e-20;scale=2.5"},
		{spec(8, 2, func(g *moe.GateSpec) { g.Norm, g.NormP = moe.NormPow, 2 }), "experts=8;topk=2;score=softmax;norm=p 2"},
		{spec(8, 2, func(g *moe.GateSpec) { g.Norm, g.NormFloor = moe.NormSum, 1e-12 }), "experts=8;topk=2;score=softmax;norm=on floor 1e-12"},
		{spec(8, 2, func(g *moe.GateSpec) { g.Null, g.NullKind, g.ApplyInput = 4, moe.NullIdentity, true }),
			"experts=8;null=4 identity;topk=2;score=softmax;norm=off;apply=input"},
		{spec(8, 2, normed(0), scored(moe.ScoreSigmoid), grouped(4, 2, moe.GroupMax, true)),
			"experts=8;topk=2;score=sigmoid;groups=2 of 4 by max fill 0;norm=on"},
		{spec(8, 2, scored(moe.ScoreSigmoid), func(g *moe.GateSpec) { g.Norm, g.SharedSlots = moe.NormShared, 2 }),
			"experts=8;topk=2;score=sigmoid;norm=on with 2 shared"},
	} {
		require.Equal(t, c.want, c.g.String())
	}
}

func TestSpecJSON(t *testing.T) {
	for _, f := range families() {
		text, err := json.Marshal(f.spec)
		require.NoError(t, err)
		var back moe.GateSpec
		require.NoError(t, json.Unmarshal(text, &back))
		require.Equal(t, f.spec, back, f.name)
	}
}

func TestActValidate(t *testing.T) {
	require.NoError(t, moe.GLU(kernels.SiLU).Validate())
	require.NoError(t, moe.Act{Kind: moe.ActOAI, Limit: 7}.Validate())
	require.ErrorContains(t, moe.Act{Kind: moe.ActOAI}.Validate(), "act.limit: want above 0 with a clamped kind, found 0")
	require.ErrorIs(t, moe.Act{Kind: "x"}.Validate(), moe.ErrGate)
}
