package trace_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// way is one of the ways to do the same work that are held against each other.
type way struct {
	name string
	run  func()
}

// paired runs all ways in turn, again and again in another order, so that what else happens on the machine falls on each
// alike, and reports by how many per cent the median of each one's times is above the first one's.
func paired(b *testing.B, ways []way) {
	times := make([][]float64, len(ways))
	for n := 0; b.Loop(); n++ {
		for i := range ways {
			i = (i + n) % len(ways)
			start := time.Now()
			ways[i].run()
			times[i] = append(times[i], time.Since(start).Seconds())
		}
	}
	median := func(s []float64) float64 { slices.Sort(s); return s[len(s)/2] }
	alone := median(times[0])
	b.ReportMetric(alone*1e6, "alone-µs")
	for i, w := range ways[1:] {
		b.ReportMetric((median(times[i+1])/alone-1)*100, w.name+"-%")
	}
}

// BenchmarkTrace compares the prefill of the built-in model, a text of 512 tokens in pieces of 256, alone and with
// what a trace can hold, written to a file.
func BenchmarkTrace(b *testing.B) {
	m, err := model.OpenFS(builtin.FS(), model.Options{Chunk: 256})
	require.NoError(b, err)
	defer m.Close()
	text := trace.Text{Label: "x"}
	for i := range 4 * 512 { // sequences of 512
		text.IDs = append(text.IDs, int32((i*i*31+i*7)%m.Spec().Vocab))
	}
	path := filepath.Join(b.TempDir(), "t")
	ways := []way{{"alone", func() {
		for part := range slices.Chunk(text.IDs, 512) {
			seq := m.NewSequence()
			require.NoError(b, m.Prefill(context.Background(), seq, part, tensor.Mat{}, nil))
			seq.Free()
		}
	}}}
	for name, o := range map[string]trace.Options{
		"ids": {}, "logits": {Logits: true}, "entropy": {Entropy: true}, "norms": {Norms: true}, "choice": {Choice: true},
	} {
		ways = append(ways, way{name, func() { require.NoError(b, trace.Write(context.Background(), m, path, []trace.Text{text}, o)) }})
	}
	paired(b, ways)
}

// BenchmarkRecord compares prefill and decoding with nobody looking on, with recorders in memory, and with a hook that
// wants nothing.
func BenchmarkRecord(b *testing.B) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(b, err)
	defer m.Close()
	watchers := map[string]func() moe.Observer{
		"ids":       func() moe.Observer { return moe.NewRecorder(moe.RecordRouting) },
		"logits":    func() moe.Observer { return moe.NewRecorder(moe.RecordLogits) },
		"idle-hook": func() moe.Observer { return moe.Observe(watch{}) },
	}
	seq, out := m.NewSequence(), tensor.NewMat(1, m.Spec().Vocab)
	defer seq.Free()
	for _, c := range []struct{ steps, tokens int }{{16, 1}, {1, 256}} {
		work := func(look func() moe.Observer) func() {
			text := ids(c.tokens, 3)
			return func() {
				w := look()
				seq.Truncate(0)
				for range c.steps {
					require.NoError(b, m.Step(context.Background(), model.Batch{{Seq: seq, Tokens: text, Out: out}}, w))
				}
			}
		}
		ways := []way{{"alone", work(func() moe.Observer { return nil })}}
		for name, w := range watchers {
			ways = append(ways, way{name, work(w)})
		}
		b.Run(fmt.Sprintf("%d steps of %d", c.steps, c.tokens), func(b *testing.B) { paired(b, ways) })
	}
}
