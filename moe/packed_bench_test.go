package moe_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// BenchmarkPackedBlock is a whole mixture layer of the shape of OLMoE-1B-7B or Qwen3-30B-A3B, two layers in turn so that
// weights come from memory, against what the machine allows: one token by the bytes of its experts, 512 by the int8
// peak. "best" compares the fastest iteration with the best limit, "median" the median one.
func BenchmarkPackedBlock(b *testing.B) {
	for _, s := range []struct {
		name                 string
		experts, topK, h, in int
	}{{"olmoe", 64, 8, 2048, 1024}, {"qwen3", 128, 8, 2048, 768}} {
		for _, d := range []tensor.DType{tensor.Q8P, tensor.Q4P} {
			g := spec(s.experts, s.topK, normed(0))
			layers := []moe.Block{benchBlock(b, g, d, s.h, s.in), benchBlock(b, g, d, s.h, s.in)}
			active := len(layers[0].Experts[0].Up.Data) * 3 * s.topK
			for _, threads := range []int{1, 2} {
				e := engine(b, kernels.Options{Threads: threads})
				for _, n := range []int{1, 512} {
					b.Run(fmt.Sprintf("%s/%v/threads=%d/tokens=%d", s.name, d, threads, n), func(b *testing.B) {
						limit := func() float64 { return float64(active) / kernels.ReadBandwidth(e, 256<<20) / 1e9 }
						if n > 1 {
							limit = func() float64 { return float64(2*n*s.topK*3*s.h*s.in) / kernels.PeakI8(e) / 1e9 }
						}
						x, dst := random(64*n, s.h, 5), tensor.NewMat(n, s.h)
						var st moe.State
						var times []float64
						at, least := 0, limit()
						for b.Loop() {
							start := time.Now()
							in := x.Slice(at%64*n, (at%64+1)*n)
							if err := layers[at%2].Forward(e, dst, in, moe.Call{X: in, Engine: e}, &st, nil); err != nil {
								b.Fatal(err)
							}
							times = append(times, time.Since(start).Seconds())
							at++
						}
						least = min(least, limit())
						slices.Sort(times)
						b.ReportMetric(least/times[0], "best")
						b.ReportMetric(least/times[len(times)/2], "median")
					})
				}
			}
		}
	}
}

// benchBlock makes a layer whose experts have the same weights in different memory.
func benchBlock(b *testing.B, g moe.GateSpec, d tensor.DType, h, in int) moe.Block {
	gate, err := moe.NewGate(g, moe.RouterWeights{W: matrix(b, tensor.F32, g.Experts, h, 1)})
	if err != nil {
		b.Fatal(err)
	}
	e := engine(b, kernels.Options{})
	up, _ := kernels.NewPacked(d, in, h)
	down, _ := kernels.NewPacked(d, h, in)
	if e.Pack(up, matrix(b, tensor.BF16, in, h, 2)) != nil || e.Pack(down, matrix(b, tensor.BF16, h, in, 3)) != nil {
		b.Fatal("packing")
	}
	again := func(m kernels.Matrix) kernels.Matrix {
		c, _ := kernels.NewPacked(d, m.Rows, m.Cols)
		copy(c.Data, m.Data)
		return c
	}
	block := moe.Block{Spec: g, Gate: gate}
	for range g.Experts {
		block.Experts = append(block.Experts, moe.MLP{Gate: again(up), Up: again(up), Down: again(down), Act: moe.GLU(kernels.SiLU)})
	}
	return block
}
