package model_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// BenchmarkDecode is one token of the built-in model; it allocates nothing.
func BenchmarkDecode(b *testing.B) {
	m := openBuiltin(b, model.Options{})
	decode(b, m, 64)
}

// BenchmarkPrefill is a prompt of 256 tokens of the built-in model.
func BenchmarkPrefill(b *testing.B) {
	m := openBuiltin(b, model.Options{})
	ids := make([]int32, 256)
	for i := range ids {
		ids[i] = int32(i*37%4095 + 1)
	}
	seq := m.NewSequence()
	for b.Loop() {
		require.NoError(b, m.Prefill(context.Background(), seq, ids, tensor.Mat{}, nil))
		seq.Free()
	}
	b.ReportMetric(float64(b.N*len(ids))/b.Elapsed().Seconds(), "tokens/s")
}

// decode steps one sequence, going back to where it began before the context is full.
func decode(b *testing.B, m *model.Model, span int) {
	seq := m.NewSequence()
	out := tensor.NewMat(1, m.Spec().Vocab)
	require.NoError(b, m.Prefill(context.Background(), seq, []int32{5, 6, 7}, out, nil))
	next := []int32{9}
	batch := model.Batch{{Seq: seq, Tokens: next, Out: out}}
	for range span {
		require.NoError(b, m.Step(context.Background(), batch, nil))
	}
	b.ReportAllocs()
	for b.Loop() {
		if seq.Len() >= span {
			seq.Truncate(3)
		}
		next[0] = (next[0]*31 + 7) % int32(m.Spec().Vocab)
		if err := m.Step(context.Background(), batch, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
}
