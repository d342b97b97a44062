package tensor

import (
	"fmt"
	"unsafe"
)

// Tensor is dtype, shape and bytes: row-major, dense, little endian. Data may be owned or look into a mapping;
// whoever made the Tensor says how long it lives. A Tensor of a mapped file is read-only.
type Tensor struct {
	DType DType
	Shape Shape
	Data  []byte
}

// New makes a zeroed tensor that owns its bytes, aligned for every element type. It panics on a bad shape: shapes
// that come from files are checked with [Shape.Bytes] first.
func New(d DType, shape ...int) *Tensor {
	n, err := Shape(shape).Bytes(d)
	if err != nil {
		panic("tensor.New: " + err.Error())
	}
	words := make([]uint64, (n+7)/8)
	return &Tensor{DType: d, Shape: append(Shape(nil), shape...), Data: bytesOf(words)[:n:n]}
}

// FromF32 wraps values as an F32 tensor without copying; the tensor shares memory with values.
func FromF32(values []float32, shape ...int) *Tensor { return wrap(F32, values, shape) }

// FromI32 wraps values as an I32 tensor without copying; the tensor shares memory with values.
func FromI32(values []int32, shape ...int) *Tensor { return wrap(I32, values, shape) }

// FromU16 wraps values as a U16 tensor without copying; the tensor shares memory with values.
func FromU16(values []uint16, shape ...int) *Tensor { return wrap(U16, values, shape) }

func wrap[E any](d DType, values []E, shape []int) *Tensor {
	if n, err := Shape(shape).Elems(); err != nil || n != len(values) {
		panic(fmt.Sprintf("tensor: %d values do not fill shape %v", len(values), Shape(shape)))
	}
	return &Tensor{DType: d, Shape: append(Shape(nil), shape...), Data: bytesOf(values)}
}

// Elems is the number of elements.
func (t *Tensor) Elems() int {
	if t.DType.Size() == 0 {
		return 0
	}
	return len(t.Data) / t.DType.Size()
}

// F32s is a view of the data of an F32 tensor; it shares memory. It panics where the dtype differs or the bytes are
// not aligned to 4 (the loader aligns what it maps).
func (t *Tensor) F32s() []float32 { return view[float32](t, F32) }

// I32s is a view of the data of an I32 tensor; it shares memory.
func (t *Tensor) I32s() []int32 { return view[int32](t, I32) }

// I64s is a view of the data of an I64 tensor; it shares memory.
func (t *Tensor) I64s() []int64 { return view[int64](t, I64) }

// U16s is a view of the raw 16-bit words of a BF16, F16 or U16 tensor; it shares memory.
func (t *Tensor) U16s() []uint16 {
	if t.DType == U16 {
		return view[uint16](t, U16)
	}
	if t.DType == F16 {
		return view[uint16](t, F16)
	}
	return view[uint16](t, BF16)
}

// Index is the view of row i along the first dimension: the tensor [d1 d2 …] of a tensor [d0 d1 d2 …].
func (t *Tensor) Index(i int) *Tensor {
	if len(t.Shape) == 0 || i < 0 || i >= t.Shape[0] {
		panic(fmt.Sprintf("tensor.Index: %d of shape %v", i, t.Shape))
	}
	n := len(t.Data) / t.Shape[0]
	return &Tensor{DType: t.DType, Shape: t.Shape[1:], Data: t.Data[i*n : (i+1)*n : (i+1)*n]}
}

// Rows is the view of rows [a,b) along the first dimension; it shares memory.
func (t *Tensor) Rows(a, b int) *Tensor {
	if len(t.Shape) == 0 || a < 0 || b < a || b > t.Shape[0] {
		panic(fmt.Sprintf("tensor.Rows: [%d,%d) of shape %v", a, b, t.Shape))
	}
	n := 0
	if t.Shape[0] > 0 {
		n = len(t.Data) / t.Shape[0]
	}
	shape := append(Shape{b - a}, t.Shape[1:]...)
	return &Tensor{DType: t.DType, Shape: shape, Data: t.Data[a*n : b*n : b*n]}
}

func view[E any](t *Tensor, d DType) []E {
	if t.DType != d {
		panic(fmt.Sprintf("tensor: view of %v data as %v", t.DType, d))
	}
	if len(t.Data) == 0 {
		return nil
	}
	var e E
	p := unsafe.Pointer(unsafe.SliceData(t.Data))
	if uintptr(p)%unsafe.Alignof(e) != 0 {
		panic(fmt.Sprintf("tensor: %v data is not aligned", t.DType))
	}
	return unsafe.Slice((*E)(p), len(t.Data)/int(unsafe.Sizeof(e)))
}

func bytesOf[E any](s []E) []byte {
	if len(s) == 0 {
		return nil
	}
	var e E
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(e)))
}
