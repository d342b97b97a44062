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

const cases = 1500

// Every family's gate, made of its spec, agrees with the formula written anew: the same experts, the same weights. Choice
// biases are mostly negative, so that a group filled with 0 differs from one filled with -inf.
func TestFormulas(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 2})
	for _, f := range families() {
		t.Run(f.name, func(t *testing.T) { f.compare(t, e) })
	}
}

func (f *family) compare(t *testing.T, e *kernels.Engine) {
	g := f.spec
	r := rand.New(rand.NewPCG(3, uint64(g.Slots())))
	vector := func(n int, low, high float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(low + (high-low)*r.Float64())
		}
		return v
	}
	w := moe.RouterWeights{
		W: moetest.Identity(g.Logits()), Bias: vector(g.Logits(), -1, 1),
		ChoiceBias: vector(g.Slots(), -1.5, 0.5), PerExpert: vector(g.Slots(), 0.5, 2),
	}
	c := moe.Call{X: tensor.MatOf(vector(cases*g.Logits(), -6, 6), cases, g.Logits()), Engine: e}
	for range cases {
		c.IDs = append(c.IDs, int32(len(c.IDs)))
		for _, x := range r.Perm(g.Slots())[:g.TopK] {
			w.Table = append(w.Table, int32(x))
		}
	}
	gate, err := moe.NewGate(g, w)
	require.NoError(t, err)
	var got moe.Routing
	if g.Bias {
		require.NoError(t, gate.Route(&got, c))
	} else {
		require.NoError(t, gate.Selector.Select(&got, c.X, c)) // the matrix is the identity: rows are logits
	}
	close := 0
	for i := range cases {
		in := refIn{l: wide(c.X.Row(i)), bias: wide(w.ChoiceBias), per: wide(w.PerExpert)}
		if g.Bias {
			in.l = plus(in.l, wide(w.Bias))
		}
		for _, x := range w.Table[i*g.TopK : (i+1)*g.TopK] {
			in.table = append(in.table, int(x))
		}
		if want := f.ref(in); want.margin > 1e-5 {
			agree(t, want, &got, i)
		} else {
			close++
		}
	}
	require.Less(t, close, cases/20, "too many ties to show anything")
}

func agree(t *testing.T, want refOut, got *moe.Routing, i int) {
	ids, weights := got.Of(i)
	require.Len(t, ids, len(want.w), "case %d", i)
	for j, x := range ids {
		v, ok := want.w[int(x)]
		require.True(t, ok, "case %d chose expert %d, want %v", i, x, want.w)
		require.InDelta(t, v, float64(weights[j]), 1e-6*math.Max(1, math.Abs(v)), "case %d expert %d", i, x)
	}
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}

// A softmax over all, renormalised over the chosen, is a softmax over the chosen.
func TestSoftmaxRenormalisedIsSoftmaxOverSelected(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	c := moe.Call{X: random(500, 32, 1), Engine: e}
	var a, b moe.Routing
	for _, s := range []struct {
		g   moe.GateSpec
		dst *moe.Routing
	}{{spec(32, 6, normed(0)), &a}, {spec(32, 6, scored(moe.ScoreIdentity), from(moe.FromSoftmaxSelected)), &b}} {
		gate, err := moe.NewGate(s.g, moe.RouterWeights{W: moetest.Identity(32)})
		require.NoError(t, err)
		require.NoError(t, gate.Route(s.dst, c))
	}
	require.Equal(t, a.Expert, b.Expert)
	require.InDeltaSlice(t, a.Weight, b.Weight, 1e-6)
}

// The fill of groups that are not kept matters where kept choice scores are negative: with 0 an expert of a group that
// was not kept is chosen, with -inf it is not.
func TestFillMatters(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	for _, zero := range []bool{false, true} {
		g := spec(4, 1, scored(moe.ScoreSigmoid), biased, grouped(2, 1, moe.GroupMax, zero))
		gate, err := moe.NewGate(g, moe.RouterWeights{W: moetest.Identity(4), ChoiceBias: []float32{-2, -2, -3, -3}})
		require.NoError(t, err)
		var r moe.Routing
		require.NoError(t, gate.Route(&r, moe.Call{X: tensor.NewMat(1, 4), Engine: e}))
		want := int32(0)
		if zero {
			want = 2
		}
		require.Equal(t, want, r.Expert[0], "fill with 0: %v", zero)
	}
}

// SparseMixer with a negative maximum divides by |l|, and keeps an expert whose ratio is 0/0.
func TestSparseMixerEdges(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	g := spec(3, 2, func(g *moe.GateSpec) { g.Select, g.Jitter = moe.SelectSparseMixer, 0.01 })
	gate, err := moe.NewGate(g, moe.RouterWeights{W: moetest.Identity(3)})
	require.NoError(t, err)
	var r moe.Routing
	x := tensor.MatOf([]float32{-1, -1.01, -5, 0, 0, -3}, 2, 3)
	require.NoError(t, gate.Route(&r, moe.Call{X: x, Engine: e}))
	require.Equal(t, []int32{0, 1, 0, 1}, r.Expert)
	share := 1 / (1 + math.Exp(-0.01)) // 0.01/1.01 ≤ 0.02: both stay
	require.InDelta(t, share, r.Weight[0], 1e-7)
	require.Equal(t, float32(1), r.Weight[1])
	require.Equal(t, float32(0.5), r.Weight[2])
	require.Equal(t, float32(1), r.Weight[3])
}

// gemma4's router reads x under an RMSNorm of its own, times a vector and H^-½.
func TestNormedInput(t *testing.T) {
	const h = 24
	g := spec(8, 2, func(g *moe.GateSpec) { g.Input, g.InputEps = moe.InputNormed, 1e-6 })
	w := moe.RouterWeights{W: matrix(t, tensor.F32, 8, h, 2), Input: random(1, h, 3).Data}
	gate, err := moe.NewGate(g, w)
	require.NoError(t, err)
	var r moe.Routing
	x := random(5, h, 4)
	require.NoError(t, gate.Route(&r, moe.Call{X: x, Engine: engine(t, kernels.Options{Threads: 1})}))
	row := make([]float32, h)
	for i := range x.Rows {
		in := wide(x.Row(i))
		root := math.Sqrt(total(each(in, func(v float64) float64 { return v * v }))/h + 1e-6)
		for e := range 8 {
			w.W.Row(row, e)
			want := 0.0
			for k := range in {
				want += in[k] / root * float64(w.Input[k]) / math.Sqrt(h) * float64(row[k])
			}
			require.InDelta(t, want, r.Logits.Row(i)[e], 1e-6)
		}
	}
}

// The shared slots of inkling get their own share.
func TestSharedSlots(t *testing.T) {
	g := spec(2, 1, scored(moe.ScoreSigmoid), scaled(3), func(g *moe.GateSpec) { g.Norm, g.SharedSlots = moe.NormShared, 1 })
	gate, err := moe.NewGate(g, moe.RouterWeights{W: moetest.Identity(3)})
	require.NoError(t, err)
	var r moe.Routing
	x := tensor.MatOf([]float32{1, 2, 0.5}, 1, 3)
	require.NoError(t, gate.Route(&r, moe.Call{X: x, Engine: engine(t, kernels.Options{Threads: 1})}))
	s, h := logistic(2), logistic(0.5)
	require.InDelta(t, 3*s/(s+h), r.Weight[0], 1e-6)
	require.InDelta(t, 3*h/(s+h), r.Shared[0], 1e-6)
}

// Published epsilons and floors are too small to show in random cases; large ones do. Logits 0 have scores 1/2.
func TestEpsilonAndFloor(t *testing.T) {
	for _, c := range []struct {
		eps, floor float32
		want       float64
	}{{0.5, 0, 0.5 / 1.5}, {0, 4, 0.5 / 4}, {0, 0.1, 0.5}, {1, 1.5, 0.25}} {
		s := moe.TopK{Spec: spec(4, 2, scored(moe.ScoreSigmoid), normed(c.eps), func(g *moe.GateSpec) { g.NormFloor = c.floor })}
		var r moe.Routing
		require.NoError(t, s.Select(&r, tensor.NewMat(1, 4), moe.Call{}))
		require.InDelta(t, c.want, r.Weight[0], 1e-7, "eps %v floor %v", c.eps, c.floor)
	}
}

// Rounded logits tie where exact ones do not, and the tie goes to the lower id.
func TestLogitsAreRounded(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	x := tensor.MatOf([]float32{1, 1.0001, 0, -1}, 1, 4)
	for compute, want := range map[moe.Compute]int32{moe.ComputeF32: 1, moe.ComputeBF16: 0, moe.ComputeF16: 0} {
		gate, err := moe.NewGate(spec(4, 1, func(g *moe.GateSpec) { g.Compute = compute }), moe.RouterWeights{W: moetest.Identity(4)})
		require.NoError(t, err)
		var r moe.Routing
		require.NoError(t, gate.Route(&r, moe.Call{X: x, Engine: e}))
		require.Equal(t, want, r.Expert[0], "%q", compute)
	}
}
