package kernels

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

func engineBF16(t testing.TB, level string, threads int) *Engine {
	t.Helper()
	e, err := New(Options{Level: level, Threads: threads, BF16: true})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}

// roundedBF16 is p with X rounded to bfloat16 by hand.
func roundedBF16(p Product) Product {
	x := tensor.NewMat(p.X.Rows, p.X.Cols)
	for i := range x.Rows {
		for k, v := range p.X.Row(i) {
			x.Row(i)[k] = math.Float32frombits(uint32(tensor.F32ToBF16(v)) << 16)
		}
	}
	p.X = x
	return p
}

// The result is that of rounded activations: exact sums in float64 bound it as they bound an f32 product.
func TestBF16NearFloat64(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e := engineBF16(t, level, 2)
		r := rand.New(rand.NewPCG(21, 22))
		for _, k := range depths() {
			for _, rows := range []int{1, 2, 3, 5, 8, 14} {
				n := 1 + r.IntN(19)
				p := Product{Dst: randomMat(r, rows, n, n+3), X: randomMat(r, rows, k, k+5), W: randomMatrix(r, tensor.BF16, n, k)}
				if k%2 == 0 {
					p.Bias = random(r, n)
				}
				e.MatMul(p)
				requireNear(t, roundedBF16(p), fmt.Sprintf("T=%d N=%d K=%d", rows, n, k))
			}
		}
	})
}

// One row alone, in any company, cut anywhere, on any number of threads: the same bits.
func TestBF16Bits(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(23, 24))
		one := engineBF16(t, level, 1)
		engines := []*Engine{engineBF16(t, level, 2), engineBF16(t, level, 3)}
		const most, n = 211, 53
		for _, k := range []int{7, 32, 40, 64, 520, 2056} {
			if testing.Short() && level == "generic" && k > 520 {
				break
			}
			x, w, bias := randomMat(r, most, k, k+1), randomMatrix(r, tensor.BF16, n, k), random(r, n)
			want := tensor.NewMat(most, n)
			for i := range most {
				one.MatMul(Product{Dst: want.Slice(i, i+1), X: x.Slice(i, i+1), W: w, Bias: bias})
			}
			for _, rows := range []int{2, 3, 4, 5, 6, 7, 8, 12, 13, 29, 97, most} {
				at := r.IntN(most - rows + 1)
				got := tensor.NewMat(rows, n)
				p := Product{Dst: got, X: x.Slice(at, at+rows), W: w, Bias: bias}
				note := fmt.Sprintf("K=%d rows %d at %d", k, rows, at)
				engines[rows%2].MatMul(p)
				requireSameBits(t, got, want.Slice(at, at+rows), note)
				clear(got.Data)
				for n0 := 0; n0 < n; {
					n1 := min(n, n0+1+r.IntN(40))
					one.Block(0, p, n0, n1)
					n0 = n1
				}
				requireSameBits(t, got, want.Slice(at, at+rows), note+" by blocks")
			}
		}
	})
}

// Exact products and other weights are computed as without the option.
func TestBF16LeavesTheRestAlone(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(25, 26))
		plain, e := engine(t, level, 1), engineBF16(t, level, 1)
		for _, d := range weightTypes {
			p := Product{Dst: tensor.NewMat(9, 21), X: randomMat(r, 9, 77, 77), W: randomMatrix(r, d, 21, 77), Exact: d == tensor.BF16}
			e.MatMul(p)
			want := p
			want.Dst = tensor.NewMat(9, 21)
			plain.MatMul(want)
			requireSameBits(t, p.Dst, want.Dst, d.String())
		}
	})
}

func TestBF16AllocatesNothing(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(27, 28))
		e := engineBF16(t, level, 2)
		x, w, dst := randomMat(r, 7, 96, 96), randomMatrix(r, tensor.BF16, 40, 96), tensor.NewMat(7, 40)
		for range 20 { // until every worker has had its turn
			e.MatMul(Product{Dst: dst, X: x, W: w})
		}
		require.Zero(t, testing.AllocsPerRun(50, func() {
			e.MatMul(Product{Dst: dst, X: x, W: w})
			e.Block(0, Product{Dst: dst, X: x, W: w}, 0, 40)
			e.GatedBlock(0, dst, x, w, w, nil, nil, SiLU, 0, 40)
		}))
	})
}

// fmaBF16 rounds once: against exact arithmetic, where rounding twice would show.
func TestFMABF16(t *testing.T) {
	r := rand.New(rand.NewPCG(29, 30))
	wide := func(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }
	for range 200000 {
		w, x := uint16(r.Uint32()&0x83ff|0x3c00), uint16(r.Uint32()&0x83ff|0x3c00)
		a := math.Float32frombits(r.Uint32()&0x81ffffff | 0x3e000000)
		if r.IntN(2) == 0 { // a tie or nearly one
			a = math.Float32frombits(math.Float32bits(a)&^0xfff | uint32(r.IntN(3)))
		}
		exact := new(big.Float).SetPrec(400).SetFloat64(float64(wide(w)) * float64(wide(x)))
		exact.Add(exact, big.NewFloat(float64(a)))
		want, _ := exact.Float32()
		require.Equal(t, want, fmaBF16(w, x, a), "%v·%v + %v", wide(w), wide(x), a)
	}
	denormal, one := uint16(0x0001), uint16(0x3f80)
	require.Zero(t, fmaBF16(denormal, one, 0))
	require.Zero(t, fmaBF16(0, one, math.Float32frombits(1)))
	require.Zero(t, fmaBF16(0x0080, 0x3f00, 0), "2⁻¹²⁶·½ leaves none")
	require.True(t, math.IsInf(float64(fmaBF16(0x7f80, one, -1)), 1))
	require.True(t, math.IsNaN(float64(fmaBF16(0x7f80, 0, 1))))
}

// Levels agree within rounding: each is within the bound of requireNear of the exact sum; here the difference is bounded
// by a lane's length, as a level's sums have the same order: 16 lanes of k/16 terms, each rounding once (the dot product)
// or, through f32 kernels, in another order of as many.
func TestBF16LevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	spec := engineBF16(t, "generic", 1)
	for _, k := range []int{1, 31, 32, 33, 64, 257, 2048} {
		p := Product{Dst: tensor.NewMat(9, 13), X: randomMat(r, 9, k, k), W: randomMatrix(r, tensor.BF16, 13, k)}
		spec.MatMul(p)
		eachLevel(t, func(t *testing.T, level string) {
			q := p
			q.Dst = tensor.NewMat(9, 13)
			engineBF16(t, level, 1).MatMul(q)
			for i, v := range p.Dst.Data {
				require.InDelta(t, v, q.Dst.Data[i], float64(2*(k/8+5))*float64(k)*0x1p-24, "K=%d", k)
			}
		})
	}
}
