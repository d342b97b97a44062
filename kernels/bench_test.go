package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// The benchmarks measure the machine's limit in the same run and report the fraction of it that they reach.

func benchWeights(d tensor.DType, n, k int) Matrix {
	m := randomMatrix(rand.New(rand.NewPCG(1, 1)), d, 1, 8191)
	out := Matrix{DType: d, Rows: n, Cols: k, Data: make([]byte, n*k*d.Size())}
	for at := 0; at < len(out.Data); {
		at += copy(out.Data[at:], m.Data)
	}
	return out
}

// BenchmarkPrefill is the product of many rows, as a fraction of the multiply-add peak ("peak").
func BenchmarkPrefill(b *testing.B) {
	const n, k = 1024, 2048
	for _, level := range Levels()[1:] {
		for _, d := range weightTypes {
			for _, threads := range []int{1, 2} {
				for _, rows := range []int{32, 64, 512} {
					b.Run(fmt.Sprintf("%s/%v/threads=%d/rows=%d", level, d, threads, rows), func(b *testing.B) {
						e := engine(b, level, threads)
						p := Product{Dst: tensor.NewMat(rows, n), X: randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k), W: benchWeights(d, n, k)}
						e.MatMul(p)
						peak := PeakF32(e)
						b.ResetTimer()
						for b.Loop() {
							e.MatMul(p)
						}
						rate := 2 * float64(rows) * n * k * float64(b.N) / b.Elapsed().Seconds() / 1e9
						peak = max(peak, PeakF32(e))
						b.ReportMetric(rate, "GFLOP/s")
						b.ReportMetric(rate/peak, "peak")
					})
				}
			}
		}
	}
}

// BenchmarkDecode multiplies few rows with weights far larger than the caches, as experts of [1024, 2048] one after
// the other; "bw" is the fraction of the read bandwidth.
func BenchmarkDecode(b *testing.B) {
	const n, k, experts = 1024, 2048, 96
	for _, level := range Levels()[1:] {
		for _, d := range weightTypes {
			w := benchWeights(d, n*experts, k)
			for _, threads := range []int{1, 2} {
				for _, rows := range []int{1, 2, 4, 8, 16} {
					b.Run(fmt.Sprintf("%s/%v/threads=%d/rows=%d", level, d, threads, rows), func(b *testing.B) {
						e := engine(b, level, threads)
						x, dst := randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k), tensor.NewMat(rows, n)
						limit := ReadBandwidth(e, len(w.Data))
						b.ResetTimer()
						for b.Loop() {
							for i := range experts {
								e.MatMul(Product{Dst: dst, X: x, W: w.RowRange(i*n, (i+1)*n)})
							}
						}
						rate := float64(len(w.Data)) * float64(b.N) / b.Elapsed().Seconds() / 1e9
						limit = max(limit, ReadBandwidth(e, len(w.Data)))
						b.ReportMetric(rate, "GB/s")
						b.ReportMetric(rate/limit, "bw")
					})
				}
			}
		}
	}
}
