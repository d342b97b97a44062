package dense_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	gorgonia "gorgonia.org/tensor"

	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tensor/dense"
)

func counted(rows, cols int) tensor.Mat {
	m := tensor.NewMat(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(i)
	}
	return m
}

func TestViewsShareMemory(t *testing.T) {
	m := counted(3, 4)
	d := dense.Of(m)
	require.NoError(t, d.SetAt(float32(-1), 1, 2))
	assert.Equal(t, float32(-1), m.Row(1)[2])
	back, err := dense.From(d)
	require.NoError(t, err)
	assert.Equal(t, m, back)
	back.Row(2)[3] = -2
	v, err := d.At(2, 3)
	require.NoError(t, err)
	assert.Equal(t, float32(-2), v)
}

// A column slice has rows that lie apart: values, iteration and arithmetic must see only its own columns.
func TestStridedMatrix(t *testing.T) {
	m := counted(3, 5).ColSlice(1, 4)
	d := dense.Of(m)
	require.Equal(t, gorgonia.Shape{3, 3}, d.Shape())
	for i := range m.Rows {
		for j := range m.Cols {
			v, err := d.At(i, j)
			require.NoError(t, err)
			require.Equal(t, m.Row(i)[j], v)
		}
	}
	sum, err := gorgonia.Add(d, float32(100))
	require.NoError(t, err)
	v, err := sum.At(2, 2)
	require.NoError(t, err)
	assert.Equal(t, float32(113), v)
	back, err := dense.From(d)
	require.NoError(t, err)
	assert.Equal(t, m, back)
	back.Row(0)[0] = -7
	v, err = d.At(0, 0)
	require.NoError(t, err)
	assert.Equal(t, float32(-7), v)
}

func TestFromSliced(t *testing.T) {
	d := dense.Of(counted(4, 6))
	cut, err := d.Slice(gorgonia.S(1, 3), gorgonia.S(2, 5))
	require.NoError(t, err)
	m, err := dense.From(cut.(*gorgonia.Dense))
	require.NoError(t, err)
	assert.Equal(t, []float32{8, 9, 10}, m.Row(0))
	assert.Equal(t, []float32{14, 15, 16}, m.Row(1))
}

func TestSmallShapes(t *testing.T) {
	for _, m := range []tensor.Mat{counted(1, 1), counted(1, 5), counted(5, 1), counted(3, 4).ColSlice(2, 3), counted(1, 4).ColSlice(1, 3)} {
		back, err := dense.From(dense.Of(m))
		require.NoError(t, err)
		require.Equal(t, m.Rows, back.Rows)
		for i := range m.Rows {
			require.Equal(t, m.Row(i), back.Row(i))
		}
		m.Row(0)[0] = 42
		require.Equal(t, float32(42), back.Row(0)[0])
	}
	vector := gorgonia.New(gorgonia.WithShape(3), gorgonia.WithBacking([]float32{1, 2, 3}))
	m, err := dense.From(vector)
	require.NoError(t, err)
	assert.Equal(t, []float32{1, 2, 3}, m.Row(0))
}

func TestFromRefuses(t *testing.T) {
	turned := dense.Of(counted(3, 4))
	require.NoError(t, turned.T())
	masked := dense.Of(counted(2, 2))
	masked.SetMask([]bool{true, false, false, false})
	for name, d := range map[string]*gorgonia.Dense{
		"transposed": turned, "masked": masked,
		"float64": gorgonia.New(gorgonia.WithShape(2, 2), gorgonia.WithBacking(make([]float64, 4))),
		"cube":    gorgonia.New(gorgonia.WithShape(2, 2, 2), gorgonia.WithBacking(make([]float32, 8))),
	} {
		_, err := dense.From(d)
		assert.ErrorIs(t, err, dense.ErrNoView, name)
	}
	assert.Panics(t, func() { dense.Of(tensor.Mat{}) })
}

func TestViewOfEveryDType(t *testing.T) {
	for d := tensor.F64; d <= tensor.Bool; d++ {
		x := tensor.New(d, 2, 3)
		x.Data[0] = 1
		v, err := dense.View(x)
		switch d {
		case tensor.F16, tensor.BF16, tensor.F8E4M3, tensor.F8E5M2, tensor.Bool:
			require.ErrorIs(t, err, dense.ErrNoView, d.String())
		default:
			require.NoError(t, err)
			require.Equal(t, gorgonia.Shape{2, 3}, v.Shape())
			x.Data[len(x.Data)-1] = 1
			raw := v.Info()
			require.Equal(t, 6, raw.Size())
			last, err := v.At(1, 2)
			require.NoError(t, err)
			require.NotZero(t, last, "%v does not share memory", d)
		}
	}
	odd := tensor.New(tensor.U8, 9)
	_, err := dense.View(&tensor.Tensor{DType: tensor.F32, Shape: tensor.Shape{2}, Data: odd.Data[1:9]})
	assert.ErrorIs(t, err, dense.ErrNoView, "unaligned")
	_, err = dense.View(tensor.New(tensor.F32, 0, 3))
	assert.ErrorIs(t, err, dense.ErrNoView, "empty")
}

func TestWidenAndBack(t *testing.T) {
	x := tensor.New(tensor.BF16, 2, 2)
	for i, v := range []float32{1, -2, 0.5, 4} {
		x.U16s()[i] = tensor.F32ToBF16(v)
	}
	d, err := dense.Widen(x)
	require.NoError(t, err)
	back, err := dense.Tensor(d)
	require.NoError(t, err)
	assert.Equal(t, []float32{1, -2, 0.5, 4}, back.F32s())
	back.F32s()[0] = 9
	v, err := d.At(0, 0)
	require.NoError(t, err)
	assert.Equal(t, float32(9), v)
	_, err = dense.Tensor(dense.Of(counted(3, 4).ColSlice(0, 2)))
	assert.ErrorIs(t, err, dense.ErrNoView)
	_, err = dense.Widen(tensor.New(tensor.BF16, 0))
	assert.ErrorIs(t, err, dense.ErrNoView)
}

func TestScalar(t *testing.T) {
	d, err := dense.View(tensor.FromF32([]float32{3}))
	require.NoError(t, err)
	assert.Equal(t, float32(3), d.ScalarValue())
}

// The oracle: gorgonia's product of two views.
func ExampleOf() {
	x := tensor.MatOf([]float32{1, 2, 3, 4}, 2, 2)
	d := dense.Of(x)
	y, err := d.MatMul(d)
	if err != nil {
		panic(err)
	}
	m, err := dense.From(y)
	if err != nil {
		panic(err)
	}
	fmt.Println(m.Row(0), m.Row(1))
	// Output: [7 10] [15 22]
}
