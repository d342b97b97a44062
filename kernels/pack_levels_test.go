package kernels

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// oddMatrix mixes ordinary weights with blocks of zeros, of one value, of one outlier, with tiny and with huge numbers.
func oddMatrix(r *rand.Rand, rows, cols int) tensor.Mat {
	m := tensor.NewMat(rows, cols)
	for i := range rows {
		row := m.Row(i)
		for b := 0; b < cols; b += 32 {
			block, size := row[b:min(b+32, cols)], math.Exp2(float64(r.IntN(60)-40))
			kind := r.IntN(8)
			for k := range block {
				block[k] = float32(r.NormFloat64() * size)
			}
			switch kind {
			case 0:
				clear(block)
			case 1:
				for k := range block {
					block[k] = float32(size)
				}
			case 2:
				block[r.IntN(len(block))] = float32(100 * size)
			case 3:
				for k := range block {
					block[k] *= 1e-38
				}
			case 4:
				block[0] = math.MaxFloat32
			case 5:
				block[len(block)-1] = float32(math.Copysign(0, -1))
			}
		}
	}
	return m
}

// TestPackOnEveryLevel: what is packed has the bytes of the generic code, whatever the weights, and nothing around it
// is touched.
func TestPackOnEveryLevel(t *testing.T) {
	generic := engine(t, "generic", 1)
	eachLevel(t, func(t *testing.T, level string) {
		e := engine(t, level, 2)
		r := rand.New(rand.NewPCG(31, 32))
		for _, cols := range []int{1, 31, 32, 33, 64, 65, 96, 200, 1024, 1025, 2100} {
			src := matrixOf(oddMatrix(r, 37, cols))
			for _, d := range packedTypes {
				want, got := packed(t, generic, d, src), packed(t, e, d, src)
				require.True(t, bytes.Equal(want.Data, got.Data), "%v K=%d", d, cols)
				for p := range got.Panels() {
					alone, err := NewPacked(d, 37, cols)
					require.NoError(t, err)
					for i := range alone.Data {
						alone.Data[i] = 0xa5
					}
					untouched := bytes.Clone(alone.Data)
					require.NoError(t, e.PackPanels(alone, src, p, p+1))
					copy(untouched[p*len(alone.panel(0)):], alone.panel(p))
					require.True(t, bytes.Equal(want.panel(p), alone.panel(p)), "%v K=%d panel %d", d, cols, p)
					require.True(t, bytes.Equal(untouched, alone.Data), "%v K=%d around panel %d", d, cols, p)
				}
			}
		}
	})
}
