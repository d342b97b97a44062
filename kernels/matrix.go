package kernels

import (
	"fmt"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Matrix is a weight [Rows, Cols], read-only and possibly mapped: row n holds the weights of output n, so Rows is N and
// Cols is K. F32, F16 and BF16 are row-major: Data must be aligned to the element size and hold Rows·Cols elements.
// Q8P and Q4P are packed (see [PackedMatrix]). Copying a Matrix shares the data.
type Matrix struct {
	DType      tensor.DType
	Rows, Cols int
	Data       []byte
}

// MatrixOf looks at a 2-D tensor of F32, F16 or BF16 as a Matrix, sharing its bytes. The error names dtype and shape.
func MatrixOf(t *tensor.Tensor) (Matrix, error) {
	if len(t.Shape) != 2 {
		return Matrix{}, fmt.Errorf("kernels: weight of shape %v, want 2 dimensions", t.Shape)
	}
	m := Matrix{DType: t.DType, Rows: t.Shape[0], Cols: t.Shape[1], Data: t.Data}
	if _, ok := formatOf(t.DType); !ok {
		return Matrix{}, fmt.Errorf("kernels: weight %v of dtype %v, want F32, F16 or BF16", t.Shape, t.DType)
	}
	if want, err := t.Shape.Bytes(t.DType); err != nil || want != len(t.Data) {
		return Matrix{}, fmt.Errorf("kernels: weight %v %v holds %d bytes, want %d", t.DType, t.Shape, len(t.Data), want)
	}
	if len(m.Data) > 0 && uintptr(unsafe.Pointer(&m.Data[0]))%uintptr(t.DType.Size()) != 0 {
		return Matrix{}, fmt.Errorf("kernels: weight %v %v is not aligned to %d bytes", t.DType, t.Shape, t.DType.Size())
	}
	return m, nil
}

// RowRange is the view of rows [a,b). Of a packed weight both must be multiples of 16, but b may be Rows.
func (m Matrix) RowRange(a, b int) Matrix {
	if a < 0 || b < a || b > m.Rows {
		panic(fmt.Sprintf("kernels.Matrix.RowRange: [%d,%d) of %d rows", a, b, m.Rows))
	}
	if m.Packed() {
		return m.packedRange(a, b)
	}
	n := m.rowBytes()
	return Matrix{DType: m.DType, Rows: b - a, Cols: m.Cols, Data: m.Data[a*n : b*n : b*n]}
}

// From are the bytes of row i (of a packed weight: of its panel) and of all behind it, nil where there is none: what
// [Product.Then] wants.
func (m *Matrix) From(i int) []byte {
	switch {
	case i < 0 || i >= m.Rows:
		return nil
	case m.Packed():
		return m.from(i / panelRows)
	}
	return m.Data[i*m.rowBytes():]
}

// Row widens row i into dst, which must have exactly Cols elements (an embedding lookup); exact but for packed weights,
// which are dequantised in f32.
func (m Matrix) Row(dst []float32, i int) {
	if len(dst) != m.Cols {
		panic("kernels.Matrix.Row: len(dst) != Cols")
	}
	if m.Packed() {
		m.packedRow(dst, i)
		return
	}
	r := m.RowRange(i, i+1)
	widenGeneric(dst, r.Data, r.format())
}

func (m Matrix) rowBytes() int { return m.Cols * m.DType.Size() }

// bytes is the least length of Data.
func (m Matrix) bytes() int {
	if m.Packed() {
		return m.Panels() * int(m.packing().panel(m.Cols))
	}
	m.format()
	return m.Rows * m.rowBytes()
}

func (m Matrix) format() format {
	f, ok := formatOf(m.DType)
	if !ok {
		panic(fmt.Sprintf("kernels: matrix of dtype %v", m.DType))
	}
	return f
}

// format indexes the tables of kernels by how a weight is stored.
type format uint8

const (
	f32 format = iota
	bf16
	f16
	numFormats
)

func formatOf(d tensor.DType) (format, bool) {
	switch d {
	case tensor.F32:
		return f32, true
	case tensor.BF16:
		return bf16, true
	case tensor.F16:
		return f16, true
	}
	return 0, false
}

// as looks at bytes as elements; the caller has checked alignment.
func as[E any](b []byte) []E {
	var e E
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(e)))
}
