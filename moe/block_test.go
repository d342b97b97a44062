package moe_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Sizes that are no multiple of any tile.
const hidden, inner, sharedInner = 52, 37, 29

type layer struct {
	name  string
	block func(t testing.TB) *moe.Block
}

// layers is every way in which a block can be put together.
func layers() []layer {
	silu := moe.GLU(kernels.SiLU)
	with := func(name string, g moe.GateSpec, act moe.Act, d tensor.DType, biases bool, shared func(testing.TB) *moe.Shared) layer {
		return layer{name, func(t testing.TB) *moe.Block {
			b := newBlock(t, g, act, d, biases)
			if shared != nil {
				b.Shared = shared(t)
			}
			return b
		}}
	}
	g := spec(16, 4, normed(0))
	return []layer{
		with("plain", g, silu, tensor.F32, false, nil),
		with("bf16, biases", g, silu, tensor.BF16, true, nil),
		with("gelu", g, moe.GLU(kernels.GELUTanh), tensor.F32, false, nil),
		with("relu², not gated", g, moe.Act{Kind: moe.ActPlain, Func: kernels.ReLU2}, tensor.F32, true, nil),
		with("oai", g, moe.Act{Kind: moe.ActOAI, Limit: 2}, tensor.BF16, true, nil),
		with("clamped before", g, moe.Act{Kind: moe.ActClampPre, Limit: 1.5}, tensor.F32, false, sharedOf(0, false)),
		with("clamped behind", g, moe.Act{Kind: moe.ActClampPost, Limit: 1}, tensor.F32, false, nil),
		with("weights on the input", spec(16, 2, func(g *moe.GateSpec) { g.ApplyInput = true }), silu, tensor.F32, false, sharedOf(0, false)),
		with("identity experts", spec(10, 6, func(g *moe.GateSpec) { g.Null, g.NullKind = 6, moe.NullIdentity }), silu, tensor.F32, false, nil),
		with("zero experts", spec(3, 1, func(g *moe.GateSpec) { g.Null, g.NullKind = 9, moe.NullZero }), silu, tensor.F32, false, nil),
		with("shared, scaled sum", spec(16, 4, func(g *moe.GateSpec) { g.SumScale = 2.5 }), silu, tensor.F32, false, sharedOf(0, false)),
		with("shared with sigmoid", g, silu, tensor.BF16, false, sharedOf(1, false)),
		with("shared, blended", g, silu, tensor.F32, false, sharedOf(2, false)),
		with("shared by the router", spec(16, 4, scored(moe.ScoreSigmoid), func(g *moe.GateSpec) { g.Norm, g.SharedSlots = moe.NormShared, 1 }),
			silu, tensor.F32, false, sharedOf(0, true)),
	}
}

func newBlock(t testing.TB, g moe.GateSpec, act moe.Act, d tensor.DType, biases bool) *moe.Block {
	gate, err := moe.NewGate(g, moe.RouterWeights{W: matrix(t, tensor.F32, g.Logits(), hidden, 1)})
	require.NoError(t, err)
	b := &moe.Block{Spec: g, Gate: gate}
	for e := range g.Experts {
		b.Experts = append(b.Experts, newMLP(t, act, d, biases, inner, uint64(100+10*e)))
	}
	return b
}

func newMLP(t testing.TB, act moe.Act, d tensor.DType, biases bool, width int, seed uint64) moe.MLP {
	m := moe.MLP{Act: act, Up: matrix(t, d, width, hidden, seed+1), Down: matrix(t, d, hidden, width, seed+2)}
	if act.Kind != moe.ActPlain {
		m.Gate = matrix(t, d, width, hidden, seed)
	}
	if biases {
		m.UpBias, m.DownBias = random(1, width, seed+4).Data, random(1, hidden, seed+5).Data
		if act.Kind != moe.ActPlain {
			m.GateBias = random(1, width, seed+3).Data
		}
	}
	return m
}

func sharedOf(gateRows int, routed bool) func(testing.TB) *moe.Shared {
	return func(t testing.TB) *moe.Shared {
		h := &moe.Shared{MLP: newMLP(t, moe.GLU(kernels.SiLU), tensor.F32, false, sharedInner, 7), Routed: routed}
		if gateRows > 0 {
			h.Gate = matrix(t, tensor.F32, gateRows, hidden, 8)
		}
		if gateRows == 2 {
			h.GateBias = []float32{0.3, -0.2}
		}
		return h
	}
}

func forward(t testing.TB, b *moe.Block, e *kernels.Engine, x tensor.Mat, s *moe.State) tensor.Mat {
	dst := random(x.Rows, x.Cols, 77) // old content must not show
	require.NoError(t, b.Forward(e, dst, x, moe.Call{X: x, Engine: e}, s, nil))
	return dst
}

// Every block agrees with the naive loop.
func TestBlockAgainstNaive(t *testing.T) {
	for _, level := range kernels.Levels() {
		e := engine(t, kernels.Options{Level: level, Threads: 2})
		for _, l := range layers() {
			t.Run(level+"/"+l.name, func(t *testing.T) {
				b, x := l.block(t), random(23, hidden, 9)
				var s moe.State
				got := forward(t, b, e, x, &s)
				for i := range x.Rows {
					ids, weights := s.Routing.Of(i)
					share := 0.0
					if len(s.Routing.Shared) > 0 {
						share = float64(s.Routing.Shared[i])
					}
					want := narrow(naiveBlock(b, x.Row(i), ids, weights, share))
					d := tensor.Compare(got.Row(i), want)
					require.LessOrEqual(t, d.MaxAbs, 2e-6*max(1, d.MaxMag), "token %d at %d", i, d.AtMax)
				}
			})
		}
	}
}

// One batch, a token alone, any cut of the batch, any number of threads: the same bits, on every level.
func TestBlockBits(t *testing.T) {
	const n = 130 // more rows than a piece takes
	spans := [][2]int{{0, n}, {0, 1}, {3, 4}, {97, 98}, {129, 130}, {4, 7}, {7, 9}, {10, 74}, {74, 130}}
	for _, level := range kernels.Levels() {
		for _, l := range append(layers(), packedLayers()...) {
			t.Run(level+"/"+l.name, func(t *testing.T) {
				b, x := l.block(t), random(n, hidden, 10)
				var s moe.State
				want := forward(t, b, engine(t, kernels.Options{Level: level, Threads: 1}), x, &s)
				for _, threads := range []int{1, 2, 3} {
					e := engine(t, kernels.Options{Level: level, Threads: threads})
					for _, span := range spans {
						got := forward(t, b, e, x.Slice(span[0], span[1]), &s)
						require.Equal(t, bitsOf(want.Slice(span[0], span[1])), bitsOf(got), "%d threads, tokens %v", threads, span)
					}
				}
			})
		}
	}
}

// skewed sends every token to expert 0, and all but one to none else: one expert with many rows, most with none.
type skewed struct{}

func (skewed) Route(dst *moe.Routing, c moe.Call) error {
	dst.Reset(16, c.X.Rows, 2)
	for t := range c.X.Rows {
		dst.Add(0, 0.75)
		if t == 1 {
			dst.Add(15, 0.25)
		}
		if t == 2 { // a token without an expert
			dst.Expert, dst.Weight = dst.Expert[:len(dst.Expert)-1], dst.Weight[:len(dst.Weight)-1]
		}
		dst.EndToken()
	}
	return nil
}

func TestSkewedRouting(t *testing.T) {
	b := layers()[0].block(t)
	b.Gate = skewed{}
	e := engine(t, kernels.Options{Threads: 2})
	var s moe.State
	x := random(300, hidden, 11)
	got := forward(t, b, e, x, &s)
	for i := range x.Rows {
		ids, weights := s.Routing.Of(i)
		d := tensor.Compare(got.Row(i), narrow(naiveBlock(b, x.Row(i), ids, weights, 0)))
		require.LessOrEqual(t, d.MaxAbs, 2e-6*max(1, d.MaxMag), "token %d", i)
	}
	require.Zero(t, tensor.Compare(got.Row(2), make([]float32, hidden)).MaxAbs)
}

type wrongGate struct{ fill func(*moe.Routing) }

func (g wrongGate) Route(dst *moe.Routing, c moe.Call) error {
	dst.Uniform(16, c.X.Rows, 2)
	clear(dst.Expert)
	g.fill(dst)
	return nil
}

// A gate that breaks its contract is an error and not a crash.
func TestWrongGates(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	x := random(3, hidden, 12)
	for name, fill := range map[string]func(*moe.Routing){
		"expert too large":   func(r *moe.Routing) { r.Expert[1] = 16 },
		"expert below 0":     func(r *moe.Routing) { r.Expert[1] = -1 },
		"too few tokens":     func(r *moe.Routing) { r.Start = r.Start[:3] },
		"pairs too many":     func(r *moe.Routing) { r.Expert = r.Expert[:5] },
		"weights too few":    func(r *moe.Routing) { r.Weight = r.Weight[:5] },
		"start not sorted":   func(r *moe.Routing) { r.Start[1], r.Start[2] = 4, 2 },
		"start not from 0":   func(r *moe.Routing) { r.Start[0] = 1 },
		"nothing at all":     func(r *moe.Routing) { *r = moe.Routing{} },
		"more than is there": func(r *moe.Routing) { r.Start[3] = 99 },
	} {
		b := layers()[0].block(t)
		b.Gate = wrongGate{fill}
		err := b.Forward(e, tensor.NewMat(3, hidden), x, moe.Call{Layer: 4, X: x, Engine: e}, new(moe.State), nil)
		require.ErrorIs(t, err, moe.ErrGate, name)
		require.ErrorContains(t, err, "layer 4", name)
	}
}

// A shared expert that waits for weights of the gate says so.
func TestSharedWithoutWeights(t *testing.T) {
	b := layers()[0].block(t)
	b.Shared = sharedOf(0, true)(t)
	e := engine(t, kernels.Options{Threads: 1})
	x := random(3, hidden, 12)
	require.ErrorIs(t, b.Forward(e, tensor.NewMat(3, hidden), x, moe.Call{X: x, Engine: e}, new(moe.State), nil), moe.ErrGate)
}

func TestDamagedInputIsRefused(t *testing.T) {
	b := layers()[0].block(t)
	e := engine(t, kernels.Options{Threads: 1})
	x := random(3, hidden, 12)
	x.Row(1)[0] = nan()
	err := b.Forward(e, tensor.NewMat(3, hidden), x, moe.Call{Layer: 4, X: x, Engine: e}, new(moe.State), nil)
	require.ErrorIs(t, err, moe.ErrBadScore)
	require.ErrorContains(t, err, "layer 4 token 1 expert 0")
}

type seen struct{ layers, tokens int }

func (s *seen) ObserveRouting(layer int, r *moe.Routing) {
	s.layers, s.tokens = s.layers+layer, s.tokens+r.Tokens()
}

func TestObserver(t *testing.T) {
	b := layers()[0].block(t)
	e := engine(t, kernels.Options{Threads: 1})
	x := random(3, hidden, 12)
	var o seen
	var s moe.State
	require.NoError(t, b.Forward(e, tensor.NewMat(3, hidden), x, moe.Call{Layer: 4, X: x, Engine: e}, &s, &o))
	require.Equal(t, seen{4, 3}, o)
}

// A warm block allocates nothing, at decode and in a batch.
func TestBlockAllocatesNothing(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 2})
	for _, l := range append(layers(), packedLayers()...) {
		for _, n := range []int{1, 5, 64} {
			t.Run(fmt.Sprintf("%s/%d", l.name, n), func(t *testing.T) {
				b, x, dst := l.block(t), random(n, hidden, 13), tensor.NewMat(n, hidden)
				var s moe.State
				var o seen
				run := func() {
					if err := b.Forward(e, dst, x, moe.Call{X: x, Engine: e}, &s, &o); err != nil {
						t.Fatal(err)
					}
				}
				run()
				require.Zero(t, testing.AllocsPerRun(5, run))
			})
		}
	}
}

// A dense feed-forward is an MLP: the same oracle, the same bits, no allocation.
func TestMLP(t *testing.T) {
	for _, act := range []moe.Act{moe.GLU(kernels.SiLU), {Kind: moe.ActPlain, Func: kernels.GELU}, {Kind: moe.ActOAI, Limit: 1}} {
		m := newMLP(t, act, tensor.F32, true, inner, 3)
		x := random(200, hidden, 14)
		var s moe.State
		var want []uint32
		for _, threads := range []int{1, 2, 3} {
			e := engine(t, kernels.Options{Threads: threads})
			dst := tensor.NewMat(x.Rows, hidden)
			m.Forward(e, dst, x, &s)
			if want == nil {
				want = bitsOf(dst)
				for i := range x.Rows {
					d := tensor.Compare(dst.Row(i), narrow(naiveMLP(&m, wide(x.Row(i)))))
					require.LessOrEqual(t, d.MaxAbs, 2e-6*max(1, d.MaxMag), "token %d", i)
				}
			}
			require.Equal(t, want, bitsOf(dst), "%d threads", threads)
			one := tensor.NewMat(1, hidden)
			m.Forward(e, one, x.Slice(150, 151), &s)
			require.Equal(t, bitsOf(dst.Slice(150, 151)), bitsOf(one), "one row")
			require.Zero(t, testing.AllocsPerRun(5, func() { m.Forward(e, dst, x, &s) }))
		}
	}
}
