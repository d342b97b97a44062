package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// eachLaneLevel runs f on the levels that have kernels for lanes.
func eachLaneLevel(t *testing.T, f func(t *testing.T, level string)) {
	eachLevel(t, func(t *testing.T, level string) {
		if engine(t, level, 1).level.mat.lane.packX == nil {
			t.Skip("takes all products by tiles")
		}
		f(t, level)
	})
}

// requireRowByRow checks that a product that was computed has the bits of its rows computed one by one.
func requireRowByRow(t *testing.T, one *Engine, p Product, note string) {
	t.Helper()
	want := tensor.NewMat(p.X.Rows, p.W.Rows)
	for i := range p.X.Rows {
		one.MatMul(Product{Dst: want.Slice(i, i+1), X: p.X.Slice(i, i+1), W: p.W, Bias: p.Bias})
	}
	requireSameBits(t, p.Dst, want, note)
}

// TestLanesBits compares products of many rows with the same rows taken one by one, over ends of rows, columns and k of
// all kinds.
func TestLanesBits(t *testing.T) {
	eachLaneLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(31, 32))
		one, more := engine(t, level, 1), []*Engine{engine(t, level, 1), engine(t, level, 3)}
		for i, k := range []int{laneMinK, 257, 272, 287, 319, 512, 527, 1040, 2063} {
			if testing.Short() && k > 550 {
				break
			}
			for j, rows := range []int{laneMinRows, laneMinRows + 1, 109, 143, 190, 192, 211, 301} {
				d := weightTypes[(i+j)%3]
				n := laneMinCols + []int{0, 1, 31, 40}[r.IntN(4)]
				dst := tensor.Mat{Rows: rows, Cols: n, Stride: n + 2, Data: make([]float32, rows*(n+2))}
				p := Product{Dst: dst, X: randomMat(r, rows, k, k+3), W: randomMatrix(r, d, n, k)}
				if j%2 == 0 {
					p.Bias = random(r, n)
				}
				e := more[j%2]
				require.True(t, e.lanesPay(&p))
				e.MatMul(p)
				note := fmt.Sprintf("%v T=%d N=%d K=%d", d, rows, n, k)
				requireRowByRow(t, one, p, note)
				for i := range rows {
					require.Equal(t, []float32{0, 0}, dst.Data[i*(n+2)+n:(i+1)*(n+2)], "%s: written past the row", note)
				}
			}
		}
	})
}

// TestLanesSeveralProducts: products that share X or do not, lane by lane or by tiles, in one call.
func TestLanesSeveralProducts(t *testing.T) {
	eachLaneLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(33, 34))
		one, e := engine(t, level, 1), engine(t, level, 2)
		x, y := randomMat(r, 100, 300, 300), randomMat(r, 130, 300, 301)
		var ps []Product
		for i, in := range []tensor.Mat{x, x, y, x, y} {
			n := []int{256, 300, 288, 40, 256}[i]
			ps = append(ps, Product{Dst: tensor.NewMat(in.Rows, n), X: in, W: randomMatrix(r, weightTypes[i%3], n, 300)})
		}
		e.MatMul(ps...)
		require.Equal(t, 2, e.lanes.used, "each X once")
		for i, p := range ps {
			requireRowByRow(t, one, p, fmt.Sprint("product ", i))
		}
		require.Zero(t, testing.AllocsPerRun(3, func() { e.MatMul(ps...) }))
	})
}

func TestLanesPropagateNaN(t *testing.T) {
	eachLaneLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(35, 36))
		e := engine(t, level, 1)
		p := Product{Dst: tensor.NewMat(101, 256), X: randomMat(r, 101, 261, 261), W: randomMatrix(r, tensor.F32, 256, 261)}
		nan := []int{0, 57, 100}
		for i, row := range nan {
			p.X.Row(row)[130*i] = float32(math.NaN())
		}
		e.MatMul(p)
		for i := range 101 {
			for _, v := range p.Dst.Row(i) {
				require.Equal(t, i == nan[0] || i == nan[1] || i == nan[2], v != v, "row %d", i)
			}
		}
	})
}
