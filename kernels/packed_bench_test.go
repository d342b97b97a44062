package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// benchPacked makes experts of [n,k] in a packed format, all the same values in different memory.
func benchPacked(b *testing.B, e *Engine, d tensor.DType, experts, n, k int) Matrix {
	one := packed(b, e, d, benchWeights(tensor.BF16, n, k))
	m, err := NewPacked(d, experts*n, k)
	if err != nil {
		b.Fatal(err)
	}
	for at := 0; at < len(m.Data); {
		at += copy(m.Data[at:], one.Data)
	}
	return m
}

// BenchmarkPackedPrefill multiplies many rows with cold experts of [1024, 2048] against the int8 peak: rows an expert.
func BenchmarkPackedPrefill(b *testing.B) {
	const n, k, experts = 1024, 2048, 64
	for _, level := range Levels()[1:] {
		for _, d := range packedTypes {
			w := benchPacked(b, engine(b, level, 2), d, experts, n, k)
			for _, threads := range []int{1, 2} {
				for _, rows := range []int{12, 32, 64, 512} {
					b.Run(fmt.Sprintf("%s/%v/threads=%d/rows=%d", level, d, threads, rows), func(b *testing.B) {
						e := engine(b, level, threads)
						x, dst := randomMat(rand.New(rand.NewPCG(1, 2)), rows, k, k), tensor.NewMat(rows, n)
						var q QuantRows
						q.Resize(e, rows, k)
						e.QuantiseRows(q, x)
						use := min(experts, 1+4096/rows)
						fractions(b, float64(2*rows*n*k*use), "GOP/s", func() float64 { return PeakI8(e) }, func() {
							for i := range use {
								e.MatMul(Product{Dst: dst, XQ: q, W: w.RowRange(i*n, (i+1)*n)})
							}
						})
					})
				}
			}
		}
	}
}

// BenchmarkPackedDecode multiplies few rows with the same experts against the read bandwidth.
func BenchmarkPackedDecode(b *testing.B) {
	const n, k, experts = 1024, 2048, 256
	for _, level := range Levels()[1:] {
		for _, d := range packedTypes {
			w := benchPacked(b, engine(b, level, 2), d, experts, n, k)
			for _, threads := range []int{1, 2} {
				for _, rows := range []int{1, 2, 4, 8, 12} {
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

// BenchmarkQuantise is activations to int8, BenchmarkPack bf16 weights to a packed format.
func BenchmarkQuantise(b *testing.B) {
	for _, level := range Levels() {
		b.Run(level, func(b *testing.B) {
			e := engine(b, level, 1)
			x := randomMat(rand.New(rand.NewPCG(1, 2)), 1, 2048, 2048)
			var q QuantRows
			q.Resize(e, 1, 2048)
			for b.Loop() {
				e.Quantise(q, 0, 0, x.Row(0))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2048, "ns/elem")
		})
	}
}

func BenchmarkPack(b *testing.B) {
	for _, level := range Levels() {
		for _, d := range packedTypes {
			b.Run(fmt.Sprintf("%s/%v", level, d), func(b *testing.B) {
				e := engine(b, level, 2)
				src := benchWeights(tensor.BF16, 1024, 2048)
				dst, _ := NewPacked(d, 1024, 2048)
				b.SetBytes(int64(len(src.Data)))
				for b.Loop() {
					if err := e.Pack(dst, src); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(len(src.Data))*1e9, "s/GB")
			})
		}
	}
}
