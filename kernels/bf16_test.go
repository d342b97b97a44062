package kernels

import (
	"fmt"
	"math"
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
