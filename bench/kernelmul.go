package bench

import (
	"fmt"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tensor/dense"
)

// The product of the table: an expert's gate or up of OLMoE-1B-7B, and so many of them that no cache holds them all.
const (
	mulRows, mulCols = 1024, 2048
	coldBytes        = 256 << 20
	smallRows        = 256 // outputs for the generic level at many rows
)

func mulOps() []kernelOp {
	dtypes := []string{"f32", "bf16", "f16", "int8", "int4"}
	return []kernelOp{
		{"matmul", dtypes, []int{1, 2, 4, 8, 12, 64, 512}, buildMatMul, mulRivals},
		{"gemv", dtypes, []int{1, 2, 4, 8}, buildGEMV, mulRivals},
	}
}

// buildMatMul is a product with the same weight again and again.
func buildMatMul(e *kernels.Engine, dtype string, rows int, small bool) kernelCase {
	n := mulRows
	if small && rows > 16 {
		n = smallRows
	}
	return product(e, dtype, rows, n, 1)
}

// buildGEMV is decoding: few rows, and weights that come from memory every time, for each call multiplies with another one.
func buildGEMV(e *kernels.Engine, dtype string, rows int, small bool) kernelCase {
	return product(e, dtype, rows, mulRows, coldBytes/(mulRows*mulCols*weightBits(dtype)/8))
}

func product(e *kernels.Engine, dtype string, rows, n, weights int) kernelCase {
	mem := &arena{}
	w := copies(mem, anyWeight(e, dtype, n, mulCols), weights)
	x, dst := randomMat(rows, mulCols), tensor.NewMat(rows, n)
	next := 0
	c := kernelCase{
		mem: mem, shape: fmt.Sprintf("[%d %d]·[%d %d]ᵀ", rows, mulCols, n, mulCols), ops: 2 * float64(rows*n*mulCols), arith: arithmetic(dtype),
		bytes: float64(len(w[0].Data) + 4*len(x.Data) + 4*len(dst.Data)), footprint: len(w)*len(w[0].Data) + 4*len(x.Data),
	}
	c.run = func() {
		e.MatMul(kernels.Product{Dst: dst, X: x, W: w[next]})
		next = (next + 1) % len(w)
	}
	return c
}

// weightBits is about how long a weight is; only sizes of buffers follow from it.
func weightBits(dtype string) int {
	return map[string]int{"f32": 32, "bf16": 16, "f16": 16, "int8": 9, "int4": 5}[dtype]
}

func arithmetic(dtype string) model.Arith {
	if dtype == "int8" || dtype == "int4" {
		return model.Int8
	}
	return model.F32
}

// copies puts copies of a weight where the weights of models lie: in huge pages.
func copies(mem *arena, w kernels.Matrix, count int) []kernels.Matrix {
	size := (len(w.Data) + 63) &^ 63 // every one at a multiple of 64
	data, err := mem.alloc(size * count)
	if err != nil {
		return []kernels.Matrix{w} // the system has no more memory
	}
	list := make([]kernels.Matrix, count)
	for i := range list {
		list[i] = w
		list[i].Data = data[i*size : i*size+len(w.Data)]
		copy(list[i].Data, w.Data)
	}
	return list
}

// anyWeight is a random weight of any dtype of the table.
func anyWeight(e *kernels.Engine, dtype string, n, k int) kernels.Matrix {
	d, ok := map[string]tensor.DType{"int8": tensor.Q8P, "int4": tensor.Q4P}[dtype]
	if !ok {
		return floatWeight(e, dtype, n, k)
	}
	w := newPacked(d, n, k)
	if err := e.Pack(w, floatWeight(e, "bf16", n, k)); err != nil {
		panic(err) // the values are finite
	}
	return w
}

func newPacked(d tensor.DType, n, k int) kernels.Matrix {
	w, err := kernels.NewPacked(d, n, k)
	if err != nil {
		panic(err) // the shape is ours
	}
	return w
}

// floatWeight is a random weight of f32, bf16 or f16.
func floatWeight(e *kernels.Engine, dtype string, n, k int) kernels.Matrix {
	values := randomMat(n, k).Data
	t := tensor.FromF32(values, n, k)
	if dtype != "f32" {
		half := make([]uint16, len(values))
		d := tensor.BF16
		if dtype == "f16" {
			d = tensor.F16
			e.Ops().NarrowF16(half, values)
		} else {
			e.Ops().NarrowBF16(half, values)
		}
		t = tensor.FromU16(half, n, k)
		t.DType = d
	}
	w, err := kernels.MatrixOf(t)
	if err != nil {
		panic(err) // the shape and the dtype are ours
	}
	return w
}

func randomMat(rows, cols int) tensor.Mat {
	m := tensor.NewMat(rows, cols)
	r := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	for i := range m.Data {
		m.Data[i] = float32(r.Float64() - 0.5)
	}
	return m
}

// mulRivals are gonum's Sgemm and gorgonia's MatMul, both in Go, on f32.
func mulRivals(rows int) []rival {
	n := mulRows
	x, w, dst := randomMat(rows, mulCols), randomMat(n, mulCols), tensor.NewMat(rows, n)
	ops := 2 * float64(rows*n*mulCols)
	sgemm := func() {
		gonum.Implementation{}.Sgemm(blas.NoTrans, blas.Trans, rows, n, mulCols, 1, x.Data, mulCols, w.Data, mulCols, 0, dst.Data, n)
	}
	a, b := dense.Of(x), dense.Of(transposed(w))
	return []rival{{"gonum", ops, sgemm}, {"gorgonia", ops, func() {
		if _, err := a.MatMul(b); err != nil {
			panic(err) // the shapes are ours
		}
	}}}
}

func transposed(m tensor.Mat) tensor.Mat {
	t := tensor.NewMat(m.Cols, m.Rows)
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			t.Data[j*t.Stride+i] = v
		}
	}
	return t
}
