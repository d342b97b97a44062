package moe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const everyPoint = moe.PointGateInput | moe.PointLogits | moe.PointScores | moe.PointSelection | moe.PointWeights | moe.PointExpert | moe.PointOutput

// hook calls a function at its points and notes where it was called.
type hook struct {
	points moe.Point
	at     func(p moe.Point, v *moe.View)
	seen   moe.Point
}

func (h *hook) Points() moe.Point { return h.points }
func (h *hook) At(p moe.Point, v *moe.View) error {
	h.seen |= p
	if h.at != nil {
		h.at(p, v)
	}
	return nil
}

func watched(t testing.TB, b *moe.Block, e *kernels.Engine, x tensor.Mat, h *hook) (tensor.Mat, *moe.Routing) {
	dst := random(x.Rows, x.Cols, 77)
	var s moe.State
	require.NoError(t, b.Forward(e, dst, x, moe.Call{X: x, Engine: e}, &s, moe.Observe(h)))
	return dst, &s.Routing
}

// A hook that changes nothing changes no bit, in any kind of block, for one token and for many; what it sees adds up.
func TestHooksChangeNothing(t *testing.T) {
	for _, threads := range []int{1, 2} {
		e := engine(t, kernels.Options{Threads: threads})
		for _, l := range append(layers(), packedLayers()...) {
			for _, n := range []int{1, 23} {
				b, x := l.block(t), random(n, hidden, 9)
				want := forward(t, b, e, x, new(moe.State))
				sum := tensor.NewMat(n, hidden)
				var weights *moe.Routing
				h := &hook{points: everyPoint, at: func(p moe.Point, v *moe.View) {
					switch p {
					case moe.PointWeights:
						weights = v.Routing
					case moe.PointExpert:
						alone := tensor.NewMat(v.Out.Rows, hidden)
						for i, tok := range v.Tokens {
							if !b.Spec.ApplyInput {
								v.Eval(alone.Slice(i, i+1), x.Slice(int(tok), int(tok)+1), v.Expert)
								require.Equal(t, alone.Row(i), v.Out.Row(i), "counterfactual of expert %d", v.Expert)
							}
							ids, ws := weights.Of(int(tok))
							for j, id := range ids {
								if int(id) == v.Expert {
									w := ws[j]
									if b.Spec.ApplyInput {
										w = 1
									}
									for k, o := range v.Out.Row(i) {
										sum.Row(int(tok))[k] += w * o
									}
								}
							}
						}
					case moe.PointOutput:
						if b.Spec.Null == 0 && b.Spec.SumScale == 0 {
							require.InDeltaSlice(t, sum.Data, v.Routed.Data, 1e-4, l.name)
						}
						require.Equal(t, b.Shared != nil, v.Shared.Rows > 0, l.name)
					}
				}}
				got, _ := watched(t, b, e, x, h)
				require.Equal(t, bitsOf(want), bitsOf(got), "%s, %d tokens", l.name, n)
				most := everyPoint
				if b.Spec.Null > 5 { // it may be that only null experts work
					most &^= moe.PointExpert
				}
				require.Equal(t, most, h.seen&most, l.name)
			}
		}
	}
}

// What a hook writes is what counts.
func TestHooksReplace(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 2})
	b, x := layers()[0].block(t), random(9, hidden, 9)
	run := func(p moe.Point, at func(v *moe.View)) (tensor.Mat, *moe.Routing) {
		return watched(t, b, e, x, &hook{points: p, at: func(_ moe.Point, v *moe.View) { at(v) }})
	}
	_, r := run(moe.PointLogits, func(v *moe.View) { v.Logits.Row(4)[7] = 1e3 })
	ids, w := r.Of(4)
	require.Equal(t, int32(7), ids[0])
	require.InDelta(t, 1, w[0], 1e-6)
	_, r = run(moe.PointScores, func(v *moe.View) { v.Choice.Row(2)[11] = 9 })
	ids, _ = r.Of(2)
	require.Equal(t, int32(11), ids[0])
	_, r = run(moe.PointSelection, func(v *moe.View) {
		ids, _ := v.Routing.Of(3)
		copy(ids, []int32{-1, 5, -1, 2})
	})
	ids, w = r.Of(3)
	require.Equal(t, []int32{5, 2}, ids)
	require.InDelta(t, 1, w[0]+w[1], 1e-6, "weighed as the gate weighs")
	ids, _ = r.Of(4)
	require.Len(t, ids, 4)
	own := forward(t, b, e, x, new(moe.State))
	got, r := run(moe.PointGateInput, func(v *moe.View) { clear(v.X.Data) })
	ids, _ = r.Of(0)
	require.Equal(t, []int32{0, 1, 2, 3}, ids, "the gate reads zeros")
	require.NotEqual(t, make([]float32, hidden), got.Row(0), "the experts do not")
	got, _ = run(moe.PointExpert, func(v *moe.View) { clear(v.Out.Data) })
	require.Equal(t, make([]float32, 9*hidden), got.Data)
	got, _ = run(moe.PointOutput, func(v *moe.View) { v.Sum.Row(1)[0] = 42 })
	require.Equal(t, float32(42), got.Row(1)[0])
	require.Equal(t, own.Row(2), got.Row(2))
	got, _ = run(moe.PointWeights, func(v *moe.View) {
		for i := range v.Routing.Weight {
			v.Routing.Weight[i] = 0
		}
	})
	require.Equal(t, make([]float32, 9*hidden), got.Data)
}

func TestHookMistakes(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 1})
	b, x := layers()[0].block(t), random(2, hidden, 9)
	h := &hook{points: moe.PointSelection, at: func(_ moe.Point, v *moe.View) { v.Routing.Expert[0] = 16 }}
	err := b.Forward(e, tensor.NewMat(2, hidden), x, moe.Call{X: x, Engine: e}, new(moe.State), moe.Observe(h))
	require.ErrorIs(t, err, moe.ErrGate)
	require.ErrorContains(t, err, "a hook chose expert 16, want 0 to 15")
}

// A block without a hook, and with an observer that is none, allocates nothing.
func TestNoHookCostsNothing(t *testing.T) {
	e := engine(t, kernels.Options{Threads: 2})
	b, x := layers()[0].block(t), random(33, hidden, 9)
	dst := tensor.NewMat(33, hidden)
	var s moe.State
	run := func() {
		if err := b.Forward(e, dst, x, moe.Call{X: x, Engine: e}, &s, nil); err != nil {
			t.Fatal(err)
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(5, run))
	h := moe.Observe(&hook{points: everyPoint})
	run = func() {
		if err := b.Forward(e, dst, x, moe.Call{X: x, Engine: e}, &s, h); err != nil {
			t.Fatal(err)
		}
	}
	run()
	require.Zero(t, testing.AllocsPerRun(5, run), "nor does one that looks everywhere")
}
