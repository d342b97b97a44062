package dense

import (
	"errors"
	"fmt"

	gorgonia "gorgonia.org/tensor"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// ErrNoView is returned when the data of one side cannot be seen as the other without copying it.
var ErrNoView = errors.New("no view without a copy")

// Of is a view [Rows, Cols] of m. Where rows are not dense (Stride > Cols) it is a strided view, as slicing makes them.
// It panics on an empty matrix, which gorgonia does not know.
func Of(m tensor.Mat) *gorgonia.Dense {
	if m.Rows == 0 || m.Cols == 0 {
		panic("dense.Of: empty matrix")
	}
	n := (m.Rows-1)*m.Stride + m.Cols
	if m.Stride == m.Cols {
		return gorgonia.New(gorgonia.WithShape(m.Rows, m.Cols), gorgonia.WithBacking(m.Data[:n:n]))
	}
	d := gorgonia.New(gorgonia.WithShape(n), gorgonia.WithBacking(m.Data[:n:n]))
	order := gorgonia.MakeDataOrder(gorgonia.NonContiguous)
	*d.Info() = gorgonia.MakeAP(gorgonia.Shape{m.Rows, m.Cols}, []int{m.Stride, 1}, order, gorgonia.NotTriangle)
	return d
}

// From is a view of d: a matrix [r,c], or a vector as one row. Rows may lie apart, as slicing leaves them. Errors:
// [ErrNoView] where d is not of float32, has more dimensions, is transposed or masked.
func From(d *gorgonia.Dense) (tensor.Mat, error) {
	shape, strides := d.Shape(), d.Strides()
	switch {
	case d.Dtype() != gorgonia.Float32:
		return tensor.Mat{}, fmt.Errorf("dense.From: want float32, found %v: %w", d.Dtype(), ErrNoView)
	case d.IsMasked():
		return tensor.Mat{}, fmt.Errorf("dense.From: want no mask: %w", ErrNoView)
	case len(shape) == 1 && (strides[0] == 1 || shape[0] == 1):
		return tensor.MatOf(f32s(d), 1, shape[0]), nil
	case len(shape) == 2 && (strides[1] == 1 || shape[1] == 1) && strides[0] >= shape[1]:
		n := (shape[0]-1)*strides[0] + shape[1]
		return tensor.Mat{Rows: shape[0], Cols: shape[1], Stride: strides[0], Data: f32s(d)[:n:n]}, nil
	}
	return tensor.Mat{}, fmt.Errorf("dense.From: want rows of a matrix, found shape %v with strides %v: %w", shape, strides, ErrNoView)
}

// f32s is the data even where gorgonia would give a bare value.
func f32s(d *gorgonia.Dense) []float32 {
	if s, ok := d.Data().([]float32); ok {
		return s
	}
	return d.Float32s()
}
