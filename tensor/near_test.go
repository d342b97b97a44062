package tensor_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestCompare(t *testing.T) {
	nan := float32(math.NaN())
	d := tensor.Compare([]float32{1, 2, 4}, []float32{1, 2.5, 4})
	assert.Equal(t, 0.5, d.MaxAbs)
	assert.Equal(t, 1, d.AtMax)
	assert.Equal(t, 4.0, d.MaxMag)
	assert.InDelta(t, 0.25/(1+6.25+16), d.NMSE, 1e-12)
	assert.Equal(t, 0.0, tensor.Compare([]float32{nan}, []float32{nan}).MaxAbs)
	assert.True(t, math.IsInf(tensor.Compare([]float32{nan}, []float32{1}).MaxAbs, 1))
	assert.True(t, math.IsInf(tensor.Compare([]float32{1}, nil).MaxAbs, 1))
}

func TestULP(t *testing.T) {
	assert.Equal(t, uint32(1), tensor.ULP(1, math.Nextafter32(1, 2)))
	assert.Equal(t, uint32(2), tensor.ULP(math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32))
	assert.Equal(t, uint32(0), tensor.ULP(0, float32(math.Copysign(0, -1))))
	assert.Equal(t, uint32(math.MaxUint32), tensor.ULP(float32(math.NaN()), 1))
}

func TestKL(t *testing.T) {
	// p = (1/2, 1/2), q = (3/4, 1/4): ½·ln(2/3) + ½·ln 2.
	q := []float32{float32(math.Log(3)), 0}
	assert.InDelta(t, 0.5*math.Log(2.0/3)+0.5*math.Log(2), tensor.KL(q, []float32{7, 7}), 1e-6)
	assert.InDelta(t, 0, tensor.KL([]float32{1, 2, 3}, []float32{11, 12, 13}), 1e-12)
}
