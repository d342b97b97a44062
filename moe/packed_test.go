package moe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// packedLayers are layers with weights in a packed format; of every second expert or layer down stays as it was.
func packedLayers() []layer {
	var list []layer
	for i, l := range layers() {
		d := []tensor.DType{tensor.Q8P, tensor.Q4P}[i%2]
		list = append(list, layer{l.name + ", " + d.String(), func(t testing.TB) *moe.Block {
			b := l.block(t)
			for e := range b.Experts {
				packMLP(t, &b.Experts[e], d, i%3 != 2)
			}
			if b.Shared != nil {
				packMLP(t, &b.Shared.MLP, d, i%3 != 1)
			}
			return b
		}})
	}
	return list
}

func packMLP(t testing.TB, m *moe.MLP, d tensor.DType, down bool) {
	e := engine(t, kernels.Options{Threads: 1})
	for _, w := range []*kernels.Matrix{&m.Gate, &m.Up, &m.Down} {
		if w.Rows == 0 || (w == &m.Down && !down) {
			continue
		}
		p, err := kernels.NewPacked(d, w.Rows, w.Cols)
		require.NoError(t, err)
		require.NoError(t, e.Pack(p, *w))
		*w = p
	}
}

// Blocks of packed weights are near the naive loop over the dequantised ones: what differs is that activations are int8
// in blocks of 32, twice, each time with an error of at most 1/254 of the block's largest, 1/440 in the mean square of
// evenly spread values.
func TestPackedBlockAgainstNaive(t *testing.T) {
	for _, level := range kernels.Levels() {
		e := engine(t, kernels.Options{Level: level, Threads: 2})
		for _, l := range packedLayers() {
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
					d := tensor.Compare(got.Row(i), narrow(naiveBlock(b, x.Row(i), ids, weights, share)))
					require.LessOrEqual(t, d.NMSE, 4e-4, "token %d", i)
				}
			})
		}
	}
}

func TestPackedMLP(t *testing.T) {
	for i, act := range []moe.Act{moe.GLU(kernels.SiLU), {Kind: moe.ActPlain, Func: kernels.GELU}, {Kind: moe.ActOAI, Limit: 1}} {
		m := newMLP(t, act, tensor.F32, true, inner, 3)
		packMLP(t, &m, []tensor.DType{tensor.Q8P, tensor.Q4P}[i%2], true)
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
					require.LessOrEqual(t, tensor.Compare(dst.Row(i), narrow(naiveMLP(&m, wide(x.Row(i))))).NMSE, 4e-4, "token %d", i)
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

// A NaN of a token stays the token's.
func TestPackedBlockKeepsNaN(t *testing.T) {
	b := packedLayers()[0].block(t)
	b.Gate = skewed{}
	e := engine(t, kernels.Options{Threads: 2})
	var s moe.State
	x := random(70, hidden, 11)
	x.Row(40)[7] = nan()
	got := forward(t, b, e, x, &s)
	for i := range x.Rows {
		for _, v := range got.Row(i) {
			require.Equal(t, i == 40, v != v, "token %d", i)
		}
	}
}
