package tensor_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestShapeOverflow(t *testing.T) {
	for _, s := range []tensor.Shape{{-1}, {math.MaxInt, 2}, {1 << 32, 1 << 32}} {
		_, err := s.Elems()
		require.ErrorIs(t, err, tensor.ErrShape, s.String())
	}
	_, err := tensor.Shape{math.MaxInt / 2}.Bytes(tensor.F32)
	require.ErrorIs(t, err, tensor.ErrShape)
	n, err := tensor.Shape{math.MaxInt, 0}.Elems()
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestViewsShareMemory(t *testing.T) {
	x := tensor.New(tensor.F32, 2, 3)
	x.F32s()[4] = 7
	assert.Equal(t, float32(7), x.Index(1).F32s()[1])
	assert.Equal(t, tensor.Shape{3}, x.Index(1).Shape)
	assert.Equal(t, tensor.Shape{1, 3}, x.Rows(1, 2).Shape)
	assert.Equal(t, float32(7), x.Rows(1, 2).F32s()[1])
	assert.Panics(t, func() { x.I32s() })
	assert.Panics(t, func() { x.Index(2) })
	assert.Panics(t, func() { tensor.FromF32(make([]float32, 3), 2) })
}

func TestMatSlices(t *testing.T) {
	m := tensor.NewMat(4, 5)
	m.Row(2)[3] = 9
	assert.Equal(t, float32(9), m.Slice(2, 4).Row(0)[3])
	assert.Equal(t, float32(9), m.ColSlice(3, 5).Row(2)[0])
	assert.Equal(t, 2, m.ColSlice(3, 5).Cols)
	assert.Zero(t, m.Slice(2, 2).Rows)
}

func TestDTypeNames(t *testing.T) {
	for d := tensor.F64; d <= tensor.Bool; d++ {
		got, err := tensor.ParseDType(d.String())
		require.NoError(t, err)
		assert.Equal(t, d, got)
		assert.Positive(t, d.Size())
	}
	_, err := tensor.ParseDType("F4")
	require.Error(t, err)
}
