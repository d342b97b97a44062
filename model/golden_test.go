package model_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const goldens = "../testdata/goldens"

// tolerance of DESIGN: max |Δ| relative to the largest magnitude.
const tolerance = 1e-5

// opener opens one golden model with options.
type opener func(o model.Options) (*model.Model, error)

// eachGolden runs f for every golden folder and for the built-in model.
func eachGolden(t *testing.T, f func(t *testing.T, open opener, golden *loader.File)) {
	dirs, err := filepath.Glob(goldens + "/*/golden.safetensors")
	require.NoError(t, err)
	require.Len(t, dirs, 24)
	for _, path := range dirs {
		dir := filepath.Dir(path)
		open := func(o model.Options) (*model.Model, error) { return model.Open(dir, o) }
		t.Run(filepath.Base(dir), func(t *testing.T) { f(t, open, readFile(t, path)) })
	}
	open := func(o model.Options) (*model.Model, error) { return model.OpenFS(builtin.FS(), o) }
	t.Run(builtin.Name, func(t *testing.T) { f(t, open, readFile(t, "../testdata/builtin-golden.safetensors")) })
}

func readFile(t *testing.T, path string) *loader.File {
	f, err := loader.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// The numbers of the reference implementation hold at every level; within a level the bits are the same however the
// text is cut, whoever shares the batch, and on any number of threads.
func TestGoldens(t *testing.T) {
	eachGolden(t, func(t *testing.T, open opener, golden *loader.File) {
		for _, level := range levels() {
			t.Run(level, func(t *testing.T) {
				first := runGolden(t, open, golden, model.Options{Level: level, Threads: 1}, alone)
				first.compare(t, golden)
				for _, v := range variants(testing.Short()) {
					o := model.Options{Level: level, Threads: v.threads, Chunk: v.chunk}
					got := runGolden(t, open, golden, o, v.company)
					require.Equal(t, first.logits.Data, got.logits.Data, "logits, %+v", v)
					require.Equal(t, first.generated, got.generated, "greedy ids, %+v", v)
				}
			})
		}
	})
}

// levels are those to test: all that the CPU has, under a slow emulator only the best.
func levels() []string {
	all := kernels.Levels()
	if os.Getenv("SWITCHYARD_EMULATED") != "" {
		return all[len(all)-1:]
	}
	return all
}

type variant struct {
	threads, chunk int
	company        company
}

func variants(short bool) []variant {
	if short {
		return []variant{{2, 7, crowd}}
	}
	return []variant{{2, 0, alone}, {3, 0, alone}, {1, 1, alone}, {2, 3, alone}, {3, 7, alone}, {2, 0, crowd}, {1, 7, crowd}}
}

// company says what else is in the batch.
type company int

const (
	alone company = iota
	crowd         // two other sequences, one before and one behind
)

type outcome struct {
	logits    tensor.Mat
	generated []int32
	rec       *moe.Recorder
	spec      *model.Spec
}

// runGolden computes the logits of the golden's ids and its greedy continuation.
func runGolden(t *testing.T, open opener, golden *loader.File, o model.Options, c company) outcome {
	m, err := open(o)
	require.NoError(t, err)
	defer m.Close()
	in, _ := golden.Tensor("input_ids")
	ids := in.I32s()
	out := outcome{logits: tensor.NewMat(len(ids), m.Spec().Vocab), rec: moe.NewRecorder(moe.RecordLogits), spec: m.Spec()}
	seq := m.NewSequence()
	if c == alone {
		require.NoError(t, m.Prefill(context.Background(), seq, ids, out.logits, out.rec))
	} else {
		prefillInCrowd(t, m, seq, ids, out.logits, o.Chunk)
	}
	n := 0
	if g, ok := golden.Tensor("generated_ids"); ok {
		n = g.Elems()
	}
	next := tensor.NewMat(1, m.Spec().Vocab)
	copy(next.Data, out.logits.Row(len(ids)-1))
	sampler := model.NewSampler(model.Sampling{})
	for i := range n {
		out.generated = append(out.generated, sampler.Sample(next.Row(0)))
		sp := model.Span{Seq: seq, Tokens: out.generated[i:], Out: next}
		require.NoError(t, m.Step(context.Background(), model.Batch{sp}, nil))
	}
	return out
}

// prefillInCrowd reads ids in chunks while two other sequences share every batch.
func prefillInCrowd(t *testing.T, m *model.Model, seq *model.Sequence, ids []int32, logits tensor.Mat, chunk int) {
	if chunk == 0 {
		chunk = len(ids)
	}
	before, behind := m.NewSequence(), m.NewSequence()
	seq.Announce(len(ids))
	for a := 0; a < len(ids); a += chunk {
		b := min(a+chunk, len(ids))
		batch := model.Batch{
			{Seq: before, Tokens: ids[max(0, b-3):b]},
			{Seq: seq, Tokens: ids[a:b], Out: logits.Slice(a, b)},
			{Seq: behind, Tokens: ids[a : a+1], Out: tensor.NewMat(1, m.Spec().Vocab)},
		}
		require.NoError(t, m.Step(context.Background(), batch, nil))
	}
}

// compare holds an outcome against the reference.
func (o *outcome) compare(t *testing.T, golden *loader.File) {
	within(t, "logits", golden, o.logits.Data)
	if g, ok := golden.Tensor("generated_ids"); ok {
		require.Equal(t, g.I32s(), o.generated, "greedy continuation")
	}
	for _, layer := range o.spec.MoELayers() {
		r := o.rec.Layer(layer)
		within(t, fmt.Sprintf("router_logits.%d", layer), golden, r.Logits)
		ids, weights := r.Sorted(r.MaxK())
		compareRouting(t, golden, layer, r.MaxK(), ids, weights)
	}
}

// compareRouting compares the chosen experts of each token as sets, and weights by expert.
func compareRouting(t *testing.T, golden *loader.File, layer, k int, ids []int32, weights []float32) {
	wantIDs, ok := golden.Tensor(fmt.Sprintf("topk_ids.%d", layer))
	require.True(t, ok)
	wantWeights, _ := golden.Tensor(fmt.Sprintf("topk_weights.%d", layer))
	require.Equal(t, wantIDs.Shape[1], k)
	for at := 0; at < len(ids); at += k {
		want := map[int32]float32{}
		for j := at; j < at+k; j++ {
			want[wantIDs.I32s()[j]] = wantWeights.F32s()[j]
		}
		for j := at; j < at+k; j++ {
			w, ok := want[ids[j]]
			require.True(t, ok, "layer %d token %d chose expert %d, the reference %v", layer, at/k, ids[j], want)
			require.InDelta(t, w, weights[j], 2e-5, "layer %d token %d expert %d", layer, at/k, ids[j])
			delete(want, ids[j])
		}
	}
}

func within(t *testing.T, name string, golden *loader.File, got []float32) {
	want, ok := golden.Tensor(name)
	require.True(t, ok, name)
	d := tensor.Compare(got, want.F32s())
	require.LessOrEqual(t, d.Rel(), tolerance, "%s: max |Δ| %g at %d, largest %g", name, d.MaxAbs, d.AtMax, d.MaxMag)
}

// A folder that is not copied whole would make the tests above pass with less than they promise.
func TestGoldenFoldersAreWhole(t *testing.T) {
	dirs, err := filepath.Glob(goldens + "/*")
	require.NoError(t, err)
	for _, d := range dirs {
		for _, f := range []string{"config.json", "generation_config.json", "golden.safetensors"} {
			_, err := os.Stat(filepath.Join(d, f))
			require.NoError(t, err)
		}
	}
}
