package moe_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/moe/moetest"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// selecting is a router over rows that are logits.
func selecting(t testing.TB, n int, s moe.Selector) *moe.Router {
	r, err := moe.NewGate(spec(n, 1), moe.RouterWeights{W: moetest.Identity(n)})
	require.NoError(t, err)
	r.Selector = s
	return r
}

// Every gate of a paper keeps the contract.
func TestResearchGates(t *testing.T) {
	const n = 48 // wide enough for the selectors to go parallel
	plain, normal := spec(n, 4), spec(n, 4, normed(0))
	router := func(r *moe.Router, err error) moe.Gate {
		require.NoError(t, err)
		return r
	}
	w := moe.RouterWeights{W: moetest.Identity(n)}
	for name, gate := range map[string]func() moe.Gate{
		"relu":                  func() moe.Gate { return selecting(t, n, &moe.ReLU{Spec: plain}) },
		"relu, normed":          func() moe.Gate { return selecting(t, n, &moe.ReLU{Spec: normal, Shift: 1}) },
		"expert choice":         func() moe.Gate { return selecting(t, n, &moe.ExpertChoice{Spec: plain, Capacity: 2}) },
		"expert choice, normed": func() moe.Gate { return selecting(t, n, &moe.ExpertChoice{Spec: normal, Capacity: 0.5}) },
		"soft":                  func() moe.Gate { return selecting(t, n, &moe.SoftMoE{E: n}) },
		"noisy topk":            func() moe.Gate { return router(moe.NewNoisyTopK(moetest.Identity(n), moetest.Identity(n), 2, 5)) },
		"topp":                  func() moe.Gate { return router(moe.NewTopP(normal, w, 0.6, 1, 8)) },
		"threshold":             func() moe.Gate { return router(moe.NewThreshold(plain, w, 0.1, 1, 0)) },
	} {
		t.Run(name, func(t *testing.T) { moetest.TestGate(t, moetest.Subject{New: gate, Width: n}) })
	}
}

func decide(t testing.TB, g moe.Gate, rows [][]float32) *moe.Routing {
	x := tensor.NewMat(len(rows), len(rows[0]))
	c := moe.Call{X: x, Engine: engine(t, kernels.Options{Threads: 1})}
	for i, r := range rows {
		copy(x.Row(i), r)
		c.Pos = append(c.Pos, int32(i))
	}
	var r moe.Routing
	require.NoError(t, g.Route(&r, c))
	return &r
}

func TestReLU(t *testing.T) {
	rows := [][]float32{{1, -2, 3, 0}, {-1, -1, -1, -1}, {0.5, 2, 2, 1}}
	r := decide(t, selecting(t, 4, &moe.ReLU{Spec: spec(4, 2)}), rows)
	require.Equal(t, []int32{0, 2, 2, 6}, r.Start)
	require.Equal(t, []int32{2, 0, 1, 2, 3, 0}, r.Expert)
	require.Equal(t, []float32{3, 1, 2, 2, 1, 0.5}, r.Weight)
	r = decide(t, selecting(t, 4, &moe.ReLU{Spec: spec(4, 2, normed(0)), Shift: 0.5}), rows)
	require.Equal(t, []int32{2, 0, 1, 2, 3}, r.Expert)
	require.InDeltaSlice(t, []float32{2.5 / 3, 0.5 / 3, 1.5 / 3.5, 1.5 / 3.5, 0.5 / 3.5}, r.Weight, 1e-6)
}

// Four tokens, two experts, one expert a token on average: each expert takes its two best tokens.
func TestExpertChoice(t *testing.T) {
	at := func(p float64) []float32 { return []float32{float32(math.Log(p / (1 - p))), 0} }
	r := decide(t, selecting(t, 2, &moe.ExpertChoice{Spec: spec(2, 1), Capacity: 1}), [][]float32{at(0.9), at(0.5), at(0.8), at(0.2)})
	require.Equal(t, []int32{0, 1, 2, 3, 4}, r.Start)
	require.Equal(t, []int32{0, 1, 0, 1}, r.Expert, "expert 0 takes tokens 0 and 2, expert 1 takes 3 and 1")
	require.InDeltaSlice(t, []float32{0.9, 0.5, 0.8, 0.8}, r.Weight, 1e-6)
}

func TestExpertChoiceLoads(t *testing.T) {
	r := decide(t, selecting(t, 5, &moe.ExpertChoice{Spec: spec(5, 1), Capacity: 1.5}), rowsOf(random(20, 5, 3)))
	load := moe.Load{}
	load.Add(r)
	require.Equal(t, []int64{6, 6, 6, 6, 6}, load.Count, "every expert works on ceil(20·1.5/5) tokens")
	var dst moe.Routing
	g := selecting(t, 5, &moe.ExpertChoice{Spec: spec(5, 1), Capacity: 1})
	err := g.Route(&dst, moe.Call{X: tensor.NewMat(1, 5), Pos: []int32{7}, Engine: engine(t, kernels.Options{Threads: 1})})
	require.ErrorIs(t, err, moe.ErrGate)
	require.ErrorContains(t, err, "prefill only, no decoding), found position 7")
}

func rowsOf(m tensor.Mat) (out [][]float32) {
	for t := range m.Rows {
		out = append(out, m.Row(t))
	}
	return out
}

// A soft mixture against its formula in float64, with a shared expert behind it.
func TestSoftMoE(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 2})
	for _, name := range []string{"plain", "shared with sigmoid", "shared, scaled sum"} {
		i := slices.IndexFunc(layers(), func(l layer) bool { return l.name == name })
		b, x := layers()[i].block(t), random(9, hidden, 4)
		b.Gate.(*moe.Router).Selector = &moe.SoftMoE{E: 16}
		var s moe.State
		got := forward(t, b, e, x, &s)
		logits := s.Routing.Logits
		slots := make([][]float64, 16)
		for ex := range slots {
			z := 0.0
			slots[ex] = make([]float64, hidden)
			for tok := range 9 {
				z += math.Exp(float64(logits.Row(tok)[ex]))
			}
			for tok := range 9 {
				for k, v := range x.Row(tok) {
					slots[ex][k] += math.Exp(float64(logits.Row(tok)[ex])) / z * float64(v)
				}
			}
		}
		for tok := range 9 {
			z := 0.0
			for _, l := range logits.Row(tok) {
				z += math.Exp(float64(l))
			}
			want := make([]float64, hidden)
			for ex, slot := range slots {
				y := tensor.NewMat(1, hidden)
				b.Eval(e, y, tensor.MatOf(narrow(slot), 1, hidden), ex, new(moe.State))
				for k, v := range y.Data {
					want[k] += math.Exp(float64(logits.Row(tok)[ex])) / z * float64(v)
				}
			}
			rest := naiveBlock(b, x.Row(tok), nil, nil, 0) // nothing but the shared expert
			for k := range want {
				if b.Spec.SumScale != 0 {
					want[k] *= float64(b.Spec.SumScale)
				}
				want[k] += rest[k]
			}
			require.InDeltaSlice(t, narrow(want), got.Row(tok), 1e-4, "%s token %d", name, tok)
		}
	}
}

// Noise is as wide as its map says, and repeats.
func TestNoisyTopK(t *testing.T) {
	zero, err := kernels.MatrixOf(tensor.FromF32(make([]float32, 64), 8, 8))
	require.NoError(t, err)
	g, err := moe.NewNoisyTopK(zero, zero, 1, 3)
	require.NoError(t, err)
	n, sum, squares := 0.0, 0.0, 0.0
	r := decide(t, g, rowsOf(random(2000, 8, 1)))
	for _, l := range r.Logits.Data {
		n, sum, squares = n+1, sum+float64(l), squares+float64(l)*float64(l)
	}
	require.InDelta(t, 0, sum/n, 0.02)
	require.InDelta(t, math.Ln2, math.Sqrt(squares/n), 0.02, "softplus(0) = ln 2")
	again, err := moe.NewNoisyTopK(zero, zero, 1, 3)
	require.NoError(t, err)
	require.Equal(t, r.Expert, decide(t, again, rowsOf(random(2000, 8, 2))).Expert, "the rows do not matter, the places do")
	_, err = moe.NewNoisyTopK(zero, moetest.Identity(4), 1, 3)
	require.ErrorIs(t, err, moe.ErrGate)
}

// A recording gives back what it holds, in the order of choice, to the texts that it is of and to no others.
func TestFollow(t *testing.T) {
	rec := &moe.Recording{
		Tokens: []int32{7, 8, 9, 7, 8, 5}, Offsets: []int32{0, 3, 6}, Layers: []int32{1, 3}, K: 2,
		Expert: make([]uint16, 24), Weight: make([]float32, 24),
	}
	for i := range rec.Expert {
		rec.Expert[i], rec.Weight[i] = uint16(i%2+2*(i/4)%6), float32(i)
	}
	rec.Expert[4*2+3] = moe.NoExpert
	specs := []*moe.GateSpec{nil, {Experts: 8, TopK: 2}, nil, {Experts: 8, TopK: 2}}
	require.NoError(t, rec.Check(specs))
	g := &moe.Follow{From: rec, E: 8}
	call := func(layer int, past []int32, ids ...int32) moe.Call {
		c := moe.Call{Layer: layer, X: tensor.NewMat(len(ids), 1), IDs: ids}
		for i := range ids {
			c.Pos, c.Past = append(c.Pos, int32(len(past)+i)), append(c.Past, past)
		}
		return c
	}
	var r moe.Routing
	require.NoError(t, g.Route(&r, call(3, []int32{7, 8}, 9)))
	require.Equal(t, []int32{int32(rec.Expert[10])}, r.Expert)
	require.Equal(t, []float32{10}, r.Weight)
	require.NoError(t, g.Route(&r, call(1, []int32{7}, 8, 5)))
	require.Equal(t, []float32{16, 17, 20, 21}, r.Weight)
	both := call(1, nil, 7, 8)
	more := call(1, nil, 7, 8, 5)
	both.X, both.IDs, both.Pos, both.Past = tensor.NewMat(5, 1), append(both.IDs, more.IDs...), append(both.Pos, more.Pos...), append(both.Past, more.Past...)
	require.NoError(t, g.Route(&r, both))
	require.Equal(t, []float32{0, 1, 4, 5, 12, 13, 16, 17, 20, 21}, r.Weight, "two texts in one call")
	rec.Slot = make([]uint8, 24)
	for i := range rec.Slot {
		rec.Slot[i] = uint8(1 - i%2)
	}
	rec.Slot[10] = 0
	require.NoError(t, rec.Check(specs))
	require.NoError(t, g.Route(&r, call(1, []int32{7}, 8)))
	require.Equal(t, []float32{5, 4}, r.Weight)
	for want, c := range map[string]moe.Call{
		"token 6 at position 2: no recorded text goes on so": call(1, []int32{7, 8}, 6),
		"token 1 at position 3":                              call(1, []int32{7, 8, 9}, 1),
		"no such layer":                                      call(2, nil, 7),
	} {
		err := g.Route(&r, c)
		require.ErrorIs(t, err, moe.ErrReplay)
		require.ErrorContains(t, err, want)
	}
	for want, spoil := range map[string]func(*moe.Recording){
		"want an expert from 0 to 7, found 9": func(r *moe.Recording) { r.Expert = slices.Clone(r.Expert); r.Expert[5] = 9 },
		"distinct experts, then empty places": func(r *moe.Recording) { r.Expert = slices.Clone(r.Expert); r.Expert[5] = r.Expert[4] },
		"want finite weights":                 func(r *moe.Recording) { r.Weight = slices.Clone(r.Weight); r.Weight[5] = nan() },
		"want rising values from 0 to 6":      func(r *moe.Recording) { r.Offsets = []int32{0, 4, 3, 6} },
		"found none for layer 1":              func(r *moe.Recording) { r.Layers = []int32{3, 3} },
		"want mixture layers of the model": func(r *moe.Recording) {
			r.Layers = []int32{1, 3, 2}
			r.K = 0
			r.Expert, r.Weight, r.Slot = nil, nil, nil
		},
		"want 24 experts and weights, found 23": func(r *moe.Recording) { r.Expert = r.Expert[:23] },
		"topk_slots: want each place once":      func(r *moe.Recording) { r.Slot = make([]uint8, 24) },
	} {
		bad := *rec
		spoil(&bad)
		err := bad.Check(specs)
		require.ErrorIs(t, err, moe.ErrReplay, want)
		require.ErrorContains(t, err, want)
	}
}
