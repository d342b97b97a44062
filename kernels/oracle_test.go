package kernels

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tensor/dense"
)

// TestMatMulAgainstGorgonia compares f32 products with an implementation that shares nothing with ours.
func TestMatMulAgainstGorgonia(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e := engine(t, level, 2)
		r := rand.New(rand.NewPCG(17, 18))
		for _, c := range [][3]int{{1, 1, 1}, {2, 3, 5}, {13, 40, 96}, {64, 33, 200}} {
			rows, n, k := c[0], c[1], c[2]
			x, w := randomMat(r, rows, k, k), randomMat(r, n, k, k)
			weights, err := MatrixOf(tensor.FromF32(w.Data, n, k))
			require.NoError(t, err)
			dst := tensor.NewMat(rows, n)
			e.MatMul(Product{Dst: dst, X: x, W: weights})

			wt := dense.Of(w)
			require.NoError(t, wt.T())
			want, err := gorgonia.MatMul(dense.Of(x), wt)
			require.NoError(t, err)
			m, err := dense.From(want.(*gorgonia.Dense))
			require.NoError(t, err)
			require.Less(t, tensor.Compare(dst.Data, m.Data).Rel(), 1e-5, "%v", c)
		}
	})
}
