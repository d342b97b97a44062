package moe_test

import (
	"fmt"
	"testing"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// A block of 32 experts, 4 per token, H 512, I 256 in bf16: decode (1 token), a few, prefill.
func BenchmarkBlock(b *testing.B) {
	const h, i = 512, 256
	g := spec(32, 4, normed(0))
	gate, err := moe.NewGate(g, moe.RouterWeights{W: matrix(b, tensor.F32, 32, h, 1)})
	if err != nil {
		b.Fatal(err)
	}
	block := moe.Block{Spec: g, Gate: gate}
	for e := range uint64(32) {
		block.Experts = append(block.Experts, moe.MLP{
			Gate: matrix(b, tensor.BF16, i, h, 3*e), Up: matrix(b, tensor.BF16, i, h, 3*e+1), Down: matrix(b, tensor.BF16, h, i, 3*e+2),
		})
	}
	e := engine(b, kernels.Options{})
	for _, n := range []int{1, 8, 256} {
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			x, dst := random(n, h, 5), tensor.NewMat(n, h)
			var s moe.State
			c := moe.Call{X: x, Engine: e}
			b.ReportAllocs()
			for b.Loop() {
				if err := block.Forward(e, dst, x, c, &s, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tok/s")
		})
	}
}

// A gate alone: what the choice costs beside the router's product.
func BenchmarkSelect(b *testing.B) {
	for _, f := range families() {
		switch f.name {
		case "qwen3_moe", "deepseek_v3", "granitemoe", "phimoe":
		default:
			continue
		}
		for _, n := range []int{1, 512} {
			b.Run(fmt.Sprintf("%s/tokens=%d", f.name, n), func(b *testing.B) {
				s := moe.TopK{Spec: f.spec, ChoiceBias: make([]float32, f.spec.Slots())}
				var sel moe.Selector = &s
				if f.spec.Select == moe.SelectSparseMixer {
					sel = &moe.SparseMixer{Spec: f.spec}
				}
				x, r := random(n, f.spec.Logits(), 5), moe.Routing{}
				c := moe.Call{Engine: engine(b, kernels.Options{})}
				b.ReportAllocs()
				for b.Loop() {
					if err := sel.Select(&r, x, c); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
