package kernels

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// The benchmarks report fractions of the machine's limits measured in the same run: "best" is the fastest iteration
// against the best limit (on a shared machine the only stable figure), "median" the median iteration.

func benchWeights(d tensor.DType, n, k int) Matrix {
	m := randomMatrix(rand.New(rand.NewPCG(1, 1)), d, 1, 8191)
	out := Matrix{DType: d, Rows: n, Cols: k, Data: make([]byte, n*k*d.Size())}
	for at := 0; at < len(out.Data); {
		at += copy(out.Data[at:], m.Data)
	}
	return out
}

// fractions times f and reports work per second (in 10⁹) against a limit measured before, amid and after.
func fractions(b *testing.B, work float64, unit string, limit func() float64, f func()) {
	f()
	top := limit()
	var times []float64
	b.ResetTimer()
	for b.Loop() {
		start := time.Now()
		f()
		times = append(times, time.Since(start).Seconds())
	}
	b.StopTimer()
	top = max(top, limit())
	slices.Sort(times)
	b.ReportMetric(work/times[0]/1e9, unit)
	b.ReportMetric(work/times[0]/1e9/top, "best")
	b.ReportMetric(work/times[len(times)/2]/1e9/top, "median")
}

// BenchmarkPrefill is the product of many rows against the multiply-add peak.
func BenchmarkPrefill(b *testing.B) {
	const n, k = 1024, 2048
	for _, level := range Levels()[1:] {
		for _, d := range weightTypes {
			for _, threads := range []int{1, 2} {
				for _, rows := range []int{12, 64, 512} {
					b.Run(fmt.Sprintf("%s/%v/threads=%d/rows=%d", level, d, threads, rows), func(b *testing.B) {
						e := engine(b, level, threads)
						p := Product{Dst: tensor.NewMat(rows, n), X: randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k), W: benchWeights(d, n, k)}
						fractions(b, float64(2*rows*n*k), "GFLOP/s", func() float64 { return PeakF32(e) }, func() { e.MatMul(p) })
					})
				}
			}
		}
	}
}

// BenchmarkDecode multiplies few rows with weights far larger than the caches, experts of [1024, 2048] one after the
// other, against the read bandwidth.
func BenchmarkDecode(b *testing.B) {
	const n, k, experts = 1024, 2048, 64
	for _, level := range Levels()[1:] {
		for _, d := range weightTypes {
			w := benchWeights(d, n*experts, k)
			for _, threads := range []int{1, 2} {
				for _, rows := range []int{1, 2, 4, 8} {
					b.Run(fmt.Sprintf("%s/%v/threads=%d/rows=%d", level, d, threads, rows), func(b *testing.B) {
						e := engine(b, level, threads)
						x, dst := randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k), tensor.NewMat(rows, n)
						fractions(b, float64(len(w.Data)), "GB/s", func() float64 { return ReadBandwidth(e, 256<<20) }, func() {
							for i := range experts {
								e.MatMul(Product{Dst: dst, X: x, W: w.RowRange(i*n, (i+1)*n)})
							}
						})
					})
				}
			}
		}
	}
}

// BenchmarkBF16 is the product of many rows rounded to bfloat16 against the peak of the bf16 dot product.
func BenchmarkBF16(b *testing.B) {
	const n, k = 1024, 2048
	for _, threads := range []int{1, 2} {
		for _, rows := range []int{12, 64, 512} {
			b.Run(fmt.Sprintf("threads=%d/rows=%d", threads, rows), func(b *testing.B) {
				e := engineBF16(b, "", threads)
				if PeakBF16(e) == 0 {
					b.Skip("no bf16 dot product")
				}
				p := Product{Dst: tensor.NewMat(rows, n), X: randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k), W: benchWeights(tensor.BF16, n, k)}
				fractions(b, float64(2*rows*n*k), "GFLOP/s", func() float64 { return PeakBF16(e) }, func() { e.MatMul(p) })
			})
		}
	}
}

// BenchmarkDecodeBF16 is BenchmarkDecode of the bf16 dot product.
func BenchmarkDecodeBF16(b *testing.B) {
	const n, k, experts = 1024, 2048, 64
	w := benchWeights(tensor.BF16, n*experts, k)
	for _, rows := range []int{1, 8} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			e := engineBF16(b, "", 2)
			if PeakBF16(e) == 0 {
				b.Skip("no bf16 dot product")
			}
			x, dst := randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k), tensor.NewMat(rows, n)
			fractions(b, float64(len(w.Data)), "GB/s", func() float64 { return ReadBandwidth(e, 256<<20) }, func() {
				for i := range experts {
					e.MatMul(Product{Dst: dst, X: x, W: w.RowRange(i*n, (i+1)*n)})
				}
			})
		})
	}
}
