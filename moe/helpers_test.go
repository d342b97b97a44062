package moe_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func engine(t testing.TB, o kernels.Options) *kernels.Engine {
	e, err := kernels.New(o)
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}

// random is a matrix of values in [-1,1].
func random(rows, cols int, seed uint64) tensor.Mat {
	r := rand.New(rand.NewPCG(seed, 99))
	m := tensor.NewMat(rows, cols)
	for i := range m.Data {
		m.Data[i] = 2*r.Float32() - 1
	}
	return m
}

// matrix is a random weight [rows, cols] of a dtype.
func matrix(t testing.TB, d tensor.DType, rows, cols int, seed uint64) kernels.Matrix {
	values := random(rows, cols, seed).Data
	x := tensor.FromF32(values, rows, cols)
	if d == tensor.BF16 {
		x = tensor.New(d, rows, cols)
		for i, v := range values {
			x.U16s()[i] = tensor.F32ToBF16(v)
		}
	}
	m, err := kernels.MatrixOf(x)
	require.NoError(t, err)
	return m
}

func nan() float32 { return float32(math.NaN()) }
