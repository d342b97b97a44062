package trace_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// BenchmarkTrace compares the prefill of the built-in model, 16 texts of 512 tokens in pieces of 256, alone and with
// what a trace can hold.
func BenchmarkTrace(b *testing.B) {
	m, err := model.OpenFS(builtin.FS(), model.Options{Chunk: 256})
	require.NoError(b, err)
	defer m.Close()
	var texts []trace.Text
	for i := range 16 {
		texts = append(texts, trace.Text{Label: "x", IDs: ids(512, 3+i)})
	}
	rate := func(b *testing.B) { b.ReportMetric(float64(b.N*16*512)/b.Elapsed().Seconds(), "tokens/s") }
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			for _, t := range texts {
				seq := m.NewSequence()
				require.NoError(b, m.Prefill(context.Background(), seq, t.IDs, tensor.Mat{}, nil))
				seq.Free()
			}
		}
		rate(b)
	})
	for _, c := range []struct {
		name string
		o    trace.Options
	}{{"ids", trace.Options{}}, {"logits", trace.Options{Logits: true}}, {"entropy", trace.Options{Entropy: true}}, {"norms", trace.Options{Norms: true}}, {"choice", trace.Options{Choice: true}}} {
		b.Run(c.name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "t")
			for b.Loop() {
				require.NoError(b, trace.Write(context.Background(), m, path, texts, c.o))
			}
			rate(b)
		})
	}
}

// BenchmarkRecordDecode compares decoding with nobody looking on, with a recorder, and with a hook that wants nothing.
func BenchmarkRecordDecode(b *testing.B) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(b, err)
	defer m.Close()
	for name, w := range map[string]moe.Observer{
		"alone": nil, "ids": moe.NewRecorder(moe.RecordRouting), "logits": moe.NewRecorder(moe.RecordLogits), "idle hook": moe.Observe(watch{}),
	} {
		b.Run(name, func(b *testing.B) {
			seq := m.NewSequence()
			defer seq.Free()
			out := tensor.NewMat(1, m.Spec().Vocab)
			next := []int32{9}
			for b.Loop() {
				if seq.Len() >= 256 {
					seq.Truncate(3)
				}
				require.NoError(b, m.Step(context.Background(), model.Batch{{Seq: seq, Tokens: next, Out: out}}, w))
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
