package bench

import (
	"bytes"
	"context"
	"image/png"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/bench/roofline"
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
)

// TestKernelCases builds and runs every operation with every dtype at the lowest and the highest level, and holds each to
// figures that make sense.
func TestKernelCases(t *testing.T) {
	levels := kernels.Levels()
	for _, level := range slices.Compact([]string{levels[0], levels[len(levels)-1]}) {
		e, err := kernels.New(kernels.Options{Level: level, Threads: 2})
		require.NoError(t, err)
		defer e.Close()
		for _, op := range kernelOps() {
			if op.name == "gemv" { // the product of matmul, with other weights each time
				continue
			}
			for _, dtype := range op.dtypes {
				for _, rows := range []int{1, 5} {
					c := op.build(e, dtype, rows, false)
					c.run()
					c.free()
					require.Positive(t, c.ops, "%s %s", op.name, dtype)
					require.Positive(t, c.bytes)
					require.Positive(t, c.footprint)
					require.Contains(t, c.shape, "[")
				}
			}
		}
	}
}

// TestProductCost: operations and bytes of a product by hand, and a weight for each call where they go round.
func TestProductCost(t *testing.T) {
	e, err := kernels.New(kernels.Options{Threads: 1})
	require.NoError(t, err)
	defer e.Close()
	c := product(e, "bf16", 3, 32, 4)
	require.EqualValues(t, 2*3*32*mulCols, c.ops)
	require.EqualValues(t, 2*32*mulCols+4*3*mulCols+4*3*32, c.bytes)
	require.Equal(t, 4*2*32*mulCols+4*3*mulCols, c.footprint)
	c.run()
	q := product(e, "int8", 1, 32, 1)
	require.Equal(t, model.Int8, q.arith)
	require.EqualValues(t, 32*mulCols*1088/1024+4*mulCols+4*32, q.bytes)
}

// TestRivals: the other libraries compute the same product.
func TestRivals(t *testing.T) {
	for _, v := range mulRivals(2) {
		v.run()
		require.EqualValues(t, 2*2*mulRows*mulCols, v.ops)
	}
}

// TestBind: the lower limit binds.
func TestBind(t *testing.T) {
	l := Limits{Read: 1, F32: 100, Int8: 400}
	row := KernelRow{Gops: 20, Read: 10}
	row.bind(&kernelCase{ops: 4, bytes: 1}, l)
	require.Equal(t, "memory", row.Bound)
	require.InDelta(t, 0.5, row.Fraction, 1e-12) // 4 operations a byte at 10 GB/s are 40
	row.bind(&kernelCase{ops: 400, bytes: 1, arith: model.Int8}, l)
	require.Equal(t, "int8", row.Bound)
	require.InDelta(t, 0.05, row.Fraction, 1e-12)
}

func TestKernels(t *testing.T) {
	var rows []KernelRow
	o := KernelOptions{
		Ops: []string{"rmsnorm", "widen"}, Rows: []int{1, 3}, Threads: []int{1}, Time: time.Millisecond, Buffer: 1 << 20,
	}
	require.NoError(t, Kernels(context.Background(), o, func(r KernelRow) error { rows = append(rows, r); return nil }))
	require.Len(t, rows, len(kernels.Levels())*3*2)
	for _, r := range rows {
		require.Positive(t, r.Fraction)
		require.Positive(t, r.Generic)
		require.Zero(t, r.Gonum, "gonum has no such operation")
		require.NotEmpty(t, r.samples)
		require.InEpsilon(t, r.Ops/r.Ns, r.Gops, 1e-9)
	}
	var out bytes.Buffer
	require.NoError(t, roofline.Write(&out, "k.png", KernelPicture(rows)))
	_, err := png.Decode(&out)
	require.NoError(t, err)
	require.Contains(t, printed(t, "bench", rows[0]), "BenchmarkKernel/op=rmsnorm/dtype=f32/level=")
	require.Contains(t, printed(t, "md", rows[0]), "rmsnorm")
}

func TestKernelsRefuse(t *testing.T) {
	for _, o := range []KernelOptions{{Ops: []string{"fft"}}, {DTypes: []string{"fp8"}}, {Levels: []string{"mmx"}}, {Rows: []int{0}}} {
		require.Error(t, o.Check())
		require.Error(t, Kernels(context.Background(), o, nil))
	}
}

func TestModelPicture(t *testing.T) {
	rows := []ModelRow{
		{Shape: "a", Quant: "none", Level: "x", Threads: 1, Test: "pp5", Ops: 2e9, Bytes: 1e7, TokS: 10, Read: 10, F32: 100},
		{Shape: "a", Quant: "none", Level: "x", Threads: 1, Test: "tg5", Ops: 2e9, Bytes: 1e9, TokS: 5, Read: 12, F32: 90},
	}
	p := ModelPicture(rows)
	require.Len(t, p.Panels, 1)
	require.Equal(t, []roofline.Line{{Name: "memory", Rate: 12}}, p.Panels[0].Slopes, "the best of all rows")
	require.Len(t, p.Panels[0].Points, 2)
	require.InDelta(t, 200, p.Panels[0].Points[0].Intensity, 1e-9)
	require.InDelta(t, 20, p.Panels[0].Points[0].Rate, 1e-9)
}
