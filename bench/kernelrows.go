package bench

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// kernelOps is the table of operations.
func kernelOps() []kernelOp { return append(mulOps(), rowOps()...) }

// The rows of the elementwise operations: as wide as a hidden state, and a head over as many positions.
const (
	rowWidth  = 2048
	headWidth = 128
	positions = 512
)

// expOps is what an exponential counts for: reduction of the range and a polynomial.
const expOps = 12

// rowOps work on one row after the other, which the threads share out. Their counts of operations are nominal, an add,
// multiply, maximum or division each 1, an exponential expOps: they place a point on the roofline, where all of them are
// bound by reading and writing.
func rowOps() []kernelOp {
	rows := []int{1, 64, 512}
	f32 := []string{"f32"}
	attnRows := []int{1, 4, 64, 512}
	halves := []string{"bf16", "f16"}
	return []kernelOp{
		{"softmax", f32, rows, elementwise(rowWidth, 4, 8, 4+expOps, softmax), nil},
		{"silu·mul", f32, rows, elementwise(rowWidth, 12, 12, 4+expOps, siluMul), nil},
		{"rmsnorm", f32, rows, elementwise(rowWidth, 8, 12, 4, rmsNorm), nil},
		{"rope", f32, rows, elementwise(rowWidth, 4, 8, 3, rope), nil},
		{"scores", []string{"f32", "f16"}, attnRows, buildScores, nil},
		{"mix", []string{"f32", "f16"}, attnRows, buildMix, nil},
		{"widen", halves, rows, elementwise(rowWidth, 6, 6, 1, widen), nil},
		{"quantise", []string{"int8"}, rows, elementwise(rowWidth, 5, 5, 4, quantise), nil},
		{"pack", []string{"int8", "int4"}, []int{64, 512}, buildPack, nil},
		{"narrow", halves, rows, elementwise(rowWidth, 6, 6, 1, narrow), nil},
	}
}

// rowFunc makes what is done with row i of a case.
type rowFunc func(e *kernels.Engine, dtype string, rows int) func(i int)

// elementwise is an operation on rows of a width; for each element it has data of so many bytes, reads and writes some, and
// does some operations.
func elementwise(width, data, bytes, ops int, make rowFunc) func(*kernels.Engine, string, int, bool) kernelCase {
	return func(e *kernels.Engine, dtype string, rows int, _ bool) kernelCase {
		n := rows * width
		return kernelCase{
			shape: fmt.Sprintf("[%d %d]", rows, width), ops: float64(ops * n), bytes: float64(bytes * n), footprint: data * n,
			serial: rows == 1, run: overRows(e, rows, make(e, dtype, rows)),
		}
	}
}

// rowJob shares rows out.
type rowJob struct {
	rows, tile int
	do         func(i int)
}

// Do implements kernels.Job.
func (j *rowJob) Do(_, chunk int) {
	for i := chunk * j.tile; i < min((chunk+1)*j.tile, j.rows); i++ {
		j.do(i)
	}
}

func overRows(e *kernels.Engine, rows int, do func(i int)) func() {
	j := &rowJob{rows: rows, tile: max(1, min(8, rows/(4*e.Threads()))), do: do}
	if rows == 1 {
		return func() { do(0) }
	}
	return func() { e.Run((rows+j.tile-1)/j.tile, j) }
}

func softmax(e *kernels.Engine, _ string, rows int) func(i int) {
	x, o := randomMat(rows, rowWidth), e.Ops()
	return func(i int) { o.Softmax(x.Row(i)) }
}

func siluMul(e *kernels.Engine, _ string, rows int) func(i int) {
	dst, gate, up, o := tensor.NewMat(rows, rowWidth), randomMat(rows, rowWidth), randomMat(rows, rowWidth), e.Ops()
	return func(i int) { o.ActMul(dst.Row(i), gate.Row(i), up.Row(i), kernels.SiLU) }
}

func rmsNorm(e *kernels.Engine, _ string, rows int) func(i int) {
	dst, x, w, o := tensor.NewMat(rows, rowWidth), randomMat(rows, rowWidth), randomMat(1, rowWidth).Data, e.Ops()
	return func(i int) { o.RMSNorm(dst.Row(i), x.Row(i), w, 1e-6) }
}

// rope turns the heads of a row in place, by angles that keep lengths as they are.
func rope(e *kernels.Engine, _ string, rows int) func(i int) {
	x, o := randomMat(rows, rowWidth), e.Ops()
	cos, sin := make([]float32, headWidth/2), make([]float32, headWidth/2)
	for i := range cos {
		cos[i], sin[i] = 0.6, 0.8
	}
	return func(i int) {
		for h := 0; h < rowWidth; h += headWidth {
			o.Rope(x.Row(i)[h:h+headWidth], cos, sin)
		}
	}
}

func widen(e *kernels.Engine, dtype string, rows int) func(i int) {
	dst, src, o := tensor.NewMat(rows, rowWidth), make([]uint16, rows*rowWidth), e.Ops()
	f := o.WidenBF16
	if dtype == "f16" {
		f = o.WidenF16
	}
	return func(i int) { f(dst.Row(i), src[i*rowWidth:(i+1)*rowWidth]) }
}

func narrow(e *kernels.Engine, dtype string, rows int) func(i int) {
	dst, src, o := make([]uint16, rows*rowWidth), randomMat(rows, rowWidth), e.Ops()
	f := o.NarrowBF16
	if dtype == "f16" {
		f = o.NarrowF16
	}
	return func(i int) { f(dst[i*rowWidth:(i+1)*rowWidth], src.Row(i)) }
}

// quantise turns rows of activations into int8.
func quantise(e *kernels.Engine, _ string, rows int) func(i int) {
	x := randomMat(rows, rowWidth)
	var q kernels.QuantRows
	q.Resize(e, rows, rowWidth)
	return func(i int) { e.Quantise(q, i, 0, x.Row(i)) }
}

// buildPack quantises a bf16 weight of so many rows. Its operations count as quantise's do, although int4 tries several ranges.
func buildPack(e *kernels.Engine, dtype string, rows int, _ bool) kernelCase {
	src := floatWeight(e, "bf16", rows, mulCols)
	dst := newPacked(map[string]tensor.DType{"int8": tensor.Q8P, "int4": tensor.Q4P}[dtype], rows, mulCols)
	bytes := len(src.Data) + len(dst.Data)
	return kernelCase{
		shape: fmt.Sprintf("[%d %d]", rows, mulCols), ops: float64(4 * rows * mulCols), bytes: float64(bytes), footprint: bytes,
		run: func() {
			if err := e.Pack(dst, src); err != nil {
				panic(err) // the values are finite
			}
		},
	}
}
