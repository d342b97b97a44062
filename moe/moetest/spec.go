package moetest

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// TestSpec checks [TestGate] and what follows from a spec, on a router whose matrix is the identity, so that rows are
// logits: Σw = Scale after a norm, permuted experts, shifted logits, the choice bias, K = all, ties to the lower id.
func TestSpec(t *testing.T, g moe.GateSpec) {
	w := weights(g)
	gate, err := moe.NewGate(g, w)
	require.NoError(t, err)
	require.NotNil(t, gate)
	newGate := func() moe.Gate {
		gate, _ := moe.NewGate(g, w)
		return gate
	}
	TestGate(t, Subject{New: newGate, Width: g.Logits(), Vocab: vocab})
	for _, p := range []struct {
		name  string
		needs bool
		check func(*testing.T, moe.GateSpec, moe.RouterWeights)
	}{
		{"sum", g.Norm == moe.NormSum || g.WeightFrom == moe.FromSoftmaxSelected && g.Norm == moe.NormNone, sums},
		{"permuted experts", g.Select != moe.SelectTable && g.Null == 0 && g.SharedSlots == 0, permuted},
		{"shifted logits", shiftable(&g), shifted},
		{"choice bias", g.ChoiceBias && g.Norm == moe.NormNone && g.WeightFrom == moe.FromScore, biased},
		{"all experts", g.Select == moe.SelectTopK && g.WeightFrom == moe.FromScore && g.SharedSlots == 0 && g.Norm != moe.NormPow, all},
		{"ties", g.Select != moe.SelectTable && !g.ChoiceBias, ties},
	} {
		if p.needs {
			t.Run(p.name, func(t *testing.T) { p.check(t, g, w) })
		}
	}
}

const vocab = 50

// weights makes weights that fit a spec: the identity as matrix, vectors at random, biases negative and positive.
func weights(g moe.GateSpec) moe.RouterWeights {
	r := rand.New(rand.NewPCG(11, uint64(g.Slots())))
	vector := func(n int, low, high float32) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = low + (high-low)*r.Float32()
		}
		return v
	}
	w := moe.RouterWeights{
		W: Identity(g.Logits()), Bias: make([]float32, g.Logits()), Input: vector(g.Logits(), 1, 1),
		ChoiceBias: vector(g.Slots(), -1.5, 0.5), PerExpert: vector(g.Slots(), 0.5, 2),
	}
	for range vocab {
		for _, e := range r.Perm(g.Slots())[:g.TopK] {
			w.Table = append(w.Table, int32(e))
		}
	}
	return w
}

// Identity is the matrix that makes rows logits.
func Identity(n int) kernels.Matrix {
	one := make([]float32, n*n)
	for i := range n {
		one[i*n+i] = 1
	}
	m, err := kernels.MatrixOf(tensor.FromF32(one, n, n))
	if err != nil {
		panic(err)
	}
	return m
}

// route decides about logits [T, g.Logits()].
func route(t *testing.T, g moe.GateSpec, w moe.RouterWeights, logits tensor.Mat) *moe.Routing {
	t.Helper()
	gate, err := moe.NewGate(g, w)
	require.NoError(t, err)
	c := moe.Call{X: logits, IDs: make([]int32, logits.Rows), Pos: make([]int32, logits.Rows), Engine: engine(t, kernels.Options{Threads: 1})}
	r := new(moe.Routing)
	require.NoError(t, gate.Route(r, c))
	return r
}

// grid makes random logits that are multiples of 1/64 within ±8, so that shifting them is exact, each row without ties.
func grid(g moe.GateSpec, n int) tensor.Mat {
	r := rand.New(rand.NewPCG(13, uint64(n)))
	m := tensor.NewMat(n, g.Logits())
	for t := range n {
		for i, v := range r.Perm(1024)[:m.Cols] {
			m.Row(t)[i] = float32(v-512) / 64
		}
	}
	return m
}

// byExpert spreads the weights of token t over the experts.
func byExpert(r *moe.Routing, t int) []float32 {
	out := make([]float32, r.E)
	ids, weights := r.Of(t)
	for j, e := range ids {
		out[e] = weights[j]
	}
	return out
}
