package dense

import (
	"fmt"
	"unsafe"

	gorgonia "gorgonia.org/tensor"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// View is a view of t with the same shape. Errors: [ErrNoView] for dtypes that gorgonia does not know (F16, BF16, F8),
// for empty tensors, and where the bytes are not aligned; [Widen] copies instead.
func View(t *tensor.Tensor) (*gorgonia.Dense, error) {
	backing, ok := backing(t)
	if !ok {
		return nil, fmt.Errorf("dense.View: %v %v: %w", t.DType, t.Shape, ErrNoView)
	}
	return gorgonia.New(gorgonia.WithShape(t.Shape...), gorgonia.WithBacking(backing)), nil
}

// Widen is a copy of t in float32, whatever its dtype; the result owns its data. Errors: [ErrNoView] for empty tensors.
func Widen(t *tensor.Tensor) (*gorgonia.Dense, error) {
	if t.Elems() == 0 {
		return nil, fmt.Errorf("dense.Widen: %v %v: %w", t.DType, t.Shape, ErrNoView)
	}
	values := make([]float32, t.Elems())
	if err := tensor.ToF32(values, t); err != nil {
		return nil, err
	}
	return gorgonia.New(gorgonia.WithShape(t.Shape...), gorgonia.WithBacking(values)), nil
}

// Tensor is a view of d as an F32 tensor of the same shape. Errors: [ErrNoView] where d is not dense float32 in rows.
func Tensor(d *gorgonia.Dense) (*tensor.Tensor, error) {
	if d.Dtype() != gorgonia.Float32 || d.RequiresIterator() || !d.DataOrder().IsRowMajor() {
		return nil, fmt.Errorf("dense.Tensor: want dense rows of float32, found %v %v: %w", d.Dtype(), d.Shape(), ErrNoView)
	}
	return tensor.FromF32(f32s(d), d.Shape()...), nil
}

func backing(t *tensor.Tensor) (any, bool) {
	switch t.DType {
	case tensor.F64:
		return viewOf[float64](t)
	case tensor.F32:
		return viewOf[float32](t)
	case tensor.I64:
		return viewOf[int64](t)
	case tensor.I32:
		return viewOf[int32](t)
	case tensor.I16:
		return viewOf[int16](t)
	case tensor.I8:
		return viewOf[int8](t)
	case tensor.U64:
		return viewOf[uint64](t)
	case tensor.U32:
		return viewOf[uint32](t)
	case tensor.U16:
		return viewOf[uint16](t)
	case tensor.U8:
		return viewOf[uint8](t)
	}
	return nil, false
}

func viewOf[E any](t *tensor.Tensor) (any, bool) {
	var e E
	p := unsafe.Pointer(unsafe.SliceData(t.Data))
	if len(t.Data) == 0 || uintptr(p)%unsafe.Alignof(e) != 0 {
		return nil, false
	}
	return unsafe.Slice((*E)(p), len(t.Data)/int(unsafe.Sizeof(e))), true
}
