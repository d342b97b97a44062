package loader

import "github.com/seed2fbf7788/switchyard/tensor"

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
