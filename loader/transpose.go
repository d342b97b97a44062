package loader

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// transposeTile keeps both sides of a transposition in the nearest cache.
const transposeTile = 32

// transpose copies a matrix [r,c] to [c,r] in owned memory.
func transpose(t *tensor.Tensor) *tensor.Tensor {
	r, c := t.Shape[0], t.Shape[1]
	out := tensor.New(t.DType, c, r)
	switch t.DType {
	case tensor.BF16, tensor.F16:
		transposeInto(out.U16s(), t.U16s(), r, c)
	case tensor.F32:
		transposeInto(out.F32s(), t.F32s(), r, c)
	default:
		transposeBytes(out.Data, t.Data, r, c, t.DType.Size())
	}
	return out
}

// tiles visits every place (y, x) of a matrix [r,c] tile by tile.
func tiles(r, c int, row func(y, x0, x1 int)) {
	for r0 := 0; r0 < r; r0 += transposeTile {
		for c0 := 0; c0 < c; c0 += transposeTile {
			for y := r0; y < min(r0+transposeTile, r); y++ {
				row(y, c0, min(c0+transposeTile, c))
			}
		}
	}
}

func transposeInto[E any](dst, src []E, r, c int) {
	tiles(r, c, func(y, x0, x1 int) {
		for x, v := range src[y*c+x0 : y*c+x1] {
			dst[(x0+x)*r+y] = v
		}
	})
}

func transposeBytes(dst, src []byte, r, c, size int) {
	tiles(r, c, func(y, x0, x1 int) {
		for x := x0; x < x1; x++ {
			copy(dst[(x*r+y)*size:][:size], src[(y*c+x)*size:])
		}
	})
}

// Turned is a weight [Rows, K] that lies transposed in a file: its row i is column First+i of T [K, C].
type Turned struct {
	T           *tensor.Tensor
	First, Rows int
}

// Fill copies rows [a,b) of the weight to dst, row after row. It panics unless dst is (b-a)·K elements long.
func (t *Turned) Fill(dst []byte, a, b int) {
	k, c, size := t.T.Shape[0], t.T.Shape[1], t.T.DType.Size()
	if a < 0 || b < a || b > t.Rows || len(dst) != (b-a)*k*size {
		panic(fmt.Sprintf("loader.Turned.Fill: rows [%d,%d) of %d to %d bytes", a, b, t.Rows, len(dst)))
	}
	out := &tensor.Tensor{DType: t.T.DType, Shape: tensor.Shape{b - a, k}, Data: dst}
	first := t.First + a
	switch t.T.DType {
	case tensor.BF16, tensor.F16:
		fillTurned(out.U16s(), t.T.U16s(), first, b-a, k, c)
	case tensor.F32:
		fillTurned(out.F32s(), t.T.F32s(), first, b-a, k, c)
	default:
		for y := range k {
			for x := range b - a {
				copy(dst[(x*k+y)*size:][:size], t.T.Data[(y*c+first+x)*size:])
			}
		}
	}
}

func fillTurned[E any](dst, src []E, first, n, k, c int) {
	tiles(k, n, func(y, x0, x1 int) {
		for x, v := range src[y*c+first+x0 : y*c+first+x1] {
			dst[(x0+x)*k+y] = v
		}
	})
}
