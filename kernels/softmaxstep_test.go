package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Steps over parts of a row end where float64 does over the whole, rows do not depend on each other, and each step is
// Max, ExpSum and one exponential.
func TestSoftmaxStep(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(31, 32))
		inf := float32(math.Inf(-1))
		for _, n := range lengths()[1:] {
			if n == 0 || n > 300 {
				continue
			}
			rows := 1 + r.IntN(7)
			top, sum, shrink := guardedOf(r, rows, 3), guardedOf(r, rows, 5), guardedOf(r, rows, 0)
			for i := range rows {
				top.x[i], sum.x[i] = inf, 0
			}
			want := make([]float64, rows)
			for step := range 3 {
				g := guardedOf(r, rows*(n+3), r.IntN(16))
				s := tensor.Mat{Data: g.x, Rows: rows, Cols: n, Stride: n + 3}
				o.Scale(g.x, float32(step+1))
				before := append([]float32(nil), g.x...)
				topWas, sumWas := append([]float32(nil), top.x...), append([]float32(nil), sum.x...)
				o.SoftmaxStep(s, top.x, sum.x, shrink.x)
				note := fmt.Sprintf("%d rows of %d, step %d", rows, n, step)
				for i := range rows {
					row := append([]float32(nil), before[i*(n+3):i*(n+3)+n]...)
					for _, v := range row {
						want[i] += math.Exp(float64(v))
					}
					m := max(topWas[i], o.Max(row))
					one := []float32{topWas[i]}
					o.ExpSum(one, m)
					added := o.ExpSum(row, m)
					require.Equal(t, m, top.x[i], note)
					require.Equal(t, one[0], shrink.x[i], note)
					require.Equal(t, row, s.Row(i), note)
					require.Equal(t, float32(sumWas[i]*shrink.x[i])+added, sum.x[i], note)
					require.InEpsilon(t, want[i], float64(sum.x[i])*math.Exp(float64(top.x[i])), 1e-5, note)
					require.Equal(t, before[i*(n+3)+n:min((i+1)*(n+3), len(before))], g.x[i*(n+3)+n:min((i+1)*(n+3), len(before))], "between rows")
				}
				for _, g := range []guarded{g, top, sum, shrink} {
					g.check(t, note)
				}
			}
		}
	})
}

func TestSoftmaxStepSpecialValues(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		for _, n := range []int{1, 7, 8, 16, 17, 40, 64} {
			s := tensor.NewMat(3, n)
			s.Row(0)[n-1], s.Row(2)[n-1] = nan, -inf
			top, sum, shrink := []float32{-1, -1, 500}, []float32{2, 2, 2}, []float32{9, 9, 9}
			o.SoftmaxStep(s, top, sum, shrink)
			require.True(t, sum[0] != sum[0], "a NaN spoils its row")
			if n > 1 {
				require.EqualValues(t, 0, top[0], "and is no maximum")
			}
			require.InDelta(t, 2/math.E+float64(n), sum[1], 1e-4)
			require.EqualValues(t, 1, shrink[2], "top stays")
			require.EqualValues(t, 2, sum[2])
			require.EqualValues(t, 500, top[2])
		}
	})
	require.Panics(t, func() {
		engine(t, "generic", 1).Ops().SoftmaxStep(tensor.NewMat(2, 3), make([]float32, 1), make([]float32, 2), make([]float32, 2))
	})
}
