package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// colBlocksOf makes a matrix [k, 16·blocks] at an offset between sentinels, with gaps between its rows and blocks, and the
// matrix that it holds.
func colBlocksOf(r *rand.Rand, k, blocks int, half bool) (ColBlocks, [][]float64) {
	p := ColBlocks{Row: ColBlock, Block: (k + r.IntN(3)) * ColBlock}
	if r.IntN(2) == 0 { // rows whole, as values lie
		p = ColBlocks{Row: blocks*ColBlock + r.IntN(9), Block: ColBlock}
	}
	x := random(r, max(0, (k-1)*p.Row+blocks*p.Block-p.Block+ColBlock)+16)[r.IntN(16):]
	p.F32 = x
	if half {
		p.F16 = make([]uint16, len(x))
		narrowF16Generic(p.F16, x)
		widenF16Generic(x, p.F16)
		p.F32 = nil
	}
	m := make([][]float64, k)
	for i := range m {
		m[i] = make([]float64, blocks*ColBlock)
		for n := range m[i] {
			m[i][n] = float64(x[i*p.Row+n/ColBlock*p.Block+n%ColBlock])
		}
	}
	return p, m
}

func TestMulColBlocks(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(21, 22))
		for _, k := range lengths() {
			if k > 300 {
				continue
			}
			for _, half := range []bool{false, true} {
				rows, blocks := 1+r.IntN(15), 1+r.IntN(10)
				b, m := colBlocksOf(r, k, blocks, half)
				n := blocks * ColBlock
				dst, a := guardedOf(r, rows*(n+5), r.IntN(16)), guardedOf(r, rows*(k+3), r.IntN(16))
				before := append([]float32(nil), dst.x...)
				d := tensor.Mat{Data: dst.x, Rows: rows, Cols: n, Stride: n + 5}
				x := tensor.Mat{Data: a.x, Rows: rows, Cols: k, Stride: k + 3}
				for _, more := range []bool{false, true} {
					copy(dst.x, before)
					o.MulColBlocks(d, x, b, more)
					note := fmt.Sprintf("k=%d rows=%d blocks=%d half=%v more=%v", k, rows, blocks, half, more)
					requireCols(t, d, x, m, before, more, note)
					requireColsAlone(t, o, d, x, b, before, more, note)
				}
				for i := range dst.x {
					if i%(n+5) >= n {
						require.Equal(t, before[i], dst.x[i], "written between rows")
					}
				}
				dst.check(t, "MulColBlocks")
				a.check(t, "MulColBlocks")
			}
		}
	})
}

// requireCols compares with float64.
func requireCols(t *testing.T, d, x tensor.Mat, m [][]float64, before []float32, more bool, note string) {
	t.Helper()
	for r := range d.Rows {
		for n := range d.Cols {
			want, mag := 0.0, 0.0
			if more {
				want = float64(before[r*d.Stride+n])
			}
			for k, w := range x.Row(r) {
				want += float64(w) * m[k][n]
				mag += math.Abs(float64(w) * m[k][n])
			}
			require.InDelta(t, want, d.Row(r)[n], 0x1p-23*float64(x.Cols+2)*(mag+math.Abs(want))+1e-30, "%s [%d,%d]", note, r, n)
		}
	}
}

// requireColsAlone: a row alone, a block alone and k in two parts give the same bits.
func requireColsAlone(t *testing.T, o *Ops, d, x tensor.Mat, b ColBlocks, before []float32, more bool, note string) {
	t.Helper()
	for r := range d.Rows {
		one := tensor.MatOf(append([]float32(nil), before[r*d.Stride:r*d.Stride+d.Cols]...), 1, d.Cols)
		o.MulColBlocks(one, x.Slice(r, r+1), b, more)
		require.Equal(t, d.Row(r), one.Data, "%s: row %d alone", note, r)
		cut := x.Cols / 3
		copy(one.Data, before[r*d.Stride:])
		first, last := x.Slice(r, r+1), x.Slice(r, r+1)
		first.Cols, last.Cols, last.Data = cut, x.Cols-cut, last.Data[cut:]
		o.MulColBlocks(one, first, b, more)
		rest := b
		if b.F16 != nil {
			rest.F16 = b.F16[min(cut*b.Row, len(b.F16)):]
		} else {
			rest.F32 = b.F32[min(cut*b.Row, len(b.F32)):]
		}
		o.MulColBlocks(one, last, rest, true)
		require.Equal(t, d.Row(r), one.Data, "%s: row %d in two parts", note, r)
	}
	for n := 0; n < d.Cols && x.Cols > 0; n += ColBlock {
		block := b
		if b.F16 != nil {
			block.F16 = b.F16[n/ColBlock*b.Block:]
		} else {
			block.F32 = b.F32[n/ColBlock*b.Block:]
		}
		one := tensor.MatOf(append([]float32(nil), before[n:n+ColBlock]...), 1, ColBlock)
		o.MulColBlocks(one, x.Slice(0, 1), block, more)
		require.Equal(t, d.Row(0)[n:n+ColBlock], one.Data, "%s: block %d alone", note, n/ColBlock)
	}
}

func TestMulColBlocksRefuses(t *testing.T) {
	o := engine(t, "generic", 1).Ops()
	short := ColBlocks{F32: make([]float32, 47), Row: 16, Block: 48}
	require.Panics(t, func() { o.MulColBlocks(tensor.NewMat(1, 16), tensor.NewMat(1, 3), short, false) })
	require.Panics(t, func() { o.MulColBlocks(tensor.NewMat(1, 15), tensor.NewMat(1, 2), short, false) })
	require.Panics(t, func() { o.MulColBlocks(tensor.NewMat(2, 16), tensor.NewMat(1, 2), short, false) })
	o.MulColBlocks(tensor.NewMat(1, 16), tensor.NewMat(1, 2), short, false)
}

// BenchmarkMulColBlocks is the product of queries with a page of keys, or of probabilities with a page of values, that
// stays in the caches.
func BenchmarkMulColBlocks(b *testing.B) {
	const rounds, dim, page = 50, 128, 64
	for _, level := range Levels()[1:] {
		for _, half := range []bool{false, true} {
			for _, rows := range []int{1, 2, 3, 4, 6, 64} {
				for _, values := range []bool{false, true} {
					b.Run(fmt.Sprintf("%s/half=%v/rows=%d/values=%v", level, half, rows, values), func(b *testing.B) {
						e := engine(b, level, 1)
						k, n, p := dim, page, ColBlocks{F32: aligned(page * dim), Row: ColBlock, Block: ColBlock * dim}
						if values {
							k, n, p.Row, p.Block = page, dim, dim, ColBlock
						}
						if half {
							p.F16, p.F32 = make([]uint16, page*dim), nil
						}
						dst, a := tensor.NewMat(rows, n), randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k)
						fractions(b, rounds*2*float64(rows*page*dim), "GFLOP/s", func() float64 { return PeakF32(e) }, func() {
							for range rounds {
								e.Ops().MulColBlocks(dst, a, p, values)
							}
						})
					})
				}
			}
		}
	}
}

// BenchmarkSoftmaxStep is a step of a tile of queries over a page.
func BenchmarkSoftmaxStep(b *testing.B) {
	for _, level := range Levels()[1:] {
		b.Run(level, func(b *testing.B) {
			o, s := engine(b, level, 1).Ops(), randomMat(rand.New(rand.NewPCG(1, 2)), 64, 64, 64)
			top, sum, shrink := make([]float32, 64), make([]float32, 64), make([]float32, 64)
			for b.Loop() {
				o.SoftmaxStep(s, top, sum, shrink)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(s.Data)), "ns/element")
		})
	}
}
