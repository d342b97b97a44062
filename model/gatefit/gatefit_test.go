package gatefit_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/gatefit"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func open(t *testing.T, gate string) *model.Model {
	m, err := model.OpenFS(builtin.FS(), model.Options{Gate: gate})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// text is what this package says of itself: some 1,500 tokens that repeat little.
func text(t *testing.T, m *model.Model, file string, n int) []int32 {
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	ids, err := m.EncodePrompt(string(data))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(ids), n)
	return ids[:n]
}

// record is the routing of ids, as many at a time as the context holds.
func record(t *testing.T, m *model.Model, ids []int32) *moe.Recorder {
	rec := moe.NewRecorder(moe.RecordRouting)
	for piece := range slices.Chunk(ids, m.Context()) {
		require.NoError(t, m.Prefill(context.Background(), m.NewSequence(), piece, tensor.Mat{}, rec))
	}
	return rec
}

func loads(t *testing.T, m *model.Model, ids []int32) map[int]float64 {
	rec := record(t, m, ids)
	out := map[int]float64{}
	for _, l := range m.Spec().MoELayers() {
		load := moe.Load{}
		load.Add(rec.Layer(l).Routing())
		out[l] = load.MaxVio()
	}
	return out
}

// Biases balance every layer; loaded from the file they give the load that was promised, and weights still add up to 1.
func TestBalance(t *testing.T) {
	m := open(t, "")
	ids := text(t, m, "distil.go", 900)
	const target = 0.15
	o, b, err := gatefit.Balance(context.Background(), m, [][]int32{ids}, target, gatefit.Options{})
	require.NoError(t, err)
	require.True(t, b.Reached, "%+v", b)
	assert.Equal(t, loads(t, m, ids), b.Before)
	path := filepath.Join(t.TempDir(), "b.safetensors")
	require.NoError(t, o.Write(path, m))
	balanced := open(t, "file="+path)
	after := loads(t, balanced, ids)
	assert.Equal(t, after, b.After)
	for l, v := range after {
		assert.LessOrEqual(t, v, target, "layer %d", l)
		assert.Greater(t, b.Before[l], 2*target, "layer %d was balanced before: the test shows nothing", l)
	}
	assert.Contains(t, balanced.Spec().Layers[0].MoE.Gate.String(), "bias=on")
	rest := loads(t, open(t, "layers=0-2;file="+path), ids)
	assert.LessOrEqual(t, rest[1], target)
	assert.Greater(t, rest[5], 2*target, "layers= holds for file= too")
	_, _, err = gatefit.Balance(context.Background(), m, [][]int32{ids}, 0, gatefit.Options{})
	assert.ErrorIs(t, err, gatefit.ErrFit)
	assert.ErrorIs(t, gatefit.Merge(m, path, filepath.Join(t.TempDir(), "no")), moe.ErrGate)
}

// A router learns a routing that is linear in what it reads: the experts of the layer's own router in another order.
// Held-out recall says so, and so does the model with the overlay.
func TestDistilRecoversARouter(t *testing.T) {
	ctx := context.Background()
	m := open(t, "")
	ids := text(t, m, "regression.go", 1200)
	// The wanted routing: every layer's router with its rows turned by one, written as an overlay.
	turned := &gatefit.Overlay{Routers: map[int][]float32{}, Notes: map[string]string{}}
	for _, l := range m.Spec().MoELayers() {
		w := m.Router(l).Weights.W
		rows := make([]float32, w.Rows*w.Cols)
		for e := range w.Rows {
			at := (e + 1) % w.Rows
			w.Row(rows[at*w.Cols:(at+1)*w.Cols], e)
		}
		turned.Routers[l] = rows
	}
	dir := t.TempDir()
	want := filepath.Join(dir, "turned.safetensors")
	require.NoError(t, turned.Write(want, m))
	d := gatefit.Distil{Target: "gate=file=" + want, Iterations: 60, Options: gatefit.Options{Layers: []moe.LayerRange{{From: 0, To: 1}}}}
	o, fitted, err := d.Fit(ctx, m, [][]int32{ids})
	require.NoError(t, err)
	require.Len(t, fitted, 2)
	for _, f := range fitted {
		assert.Equal(t, 1200, f.Tokens+f.HeldOut)
		assert.Less(t, f.HeldOutBefore, 0.5)
		assert.Greater(t, f.HeldOutAfter, 0.9, "%+v", f)
	}
	path := filepath.Join(dir, "learned.safetensors")
	require.NoError(t, o.Write(path, m))
	recall := func(gate string) float64 {
		truth, got := record(t, open(t, "file="+want), ids), record(t, open(t, gate), ids)
		var o moe.Overlap
		o.Add(got.Layer(0).Routing(), truth.Layer(0).Routing())
		return o.MeanRecall()
	}
	assert.Greater(t, recall("file="+path), 0.9)
	assert.Less(t, recall("topk=4"), 0.5)
}

// The other targets: a trace is that of a gate, and an oracle evaluates every expert.
func TestDistilTargets(t *testing.T) {
	m := open(t, "")
	ids := text(t, m, "balance.go", 640)
	for target, least := range map[string]float64{"oracle": 0.5, "oracle=2": 0.4, "gate=topk=2": 0.99} {
		d := gatefit.Distil{Target: target, Iterations: 5, Options: gatefit.Options{Layers: []moe.LayerRange{{From: 3, To: 3}}}}
		_, f, err := d.Fit(context.Background(), m, [][]int32{ids})
		require.NoError(t, err, target)
		assert.Greater(t, f[0].HeldOutBefore, least, target)
		assert.GreaterOrEqual(t, f[0].Train, f[0].TrainBefore, target)
	}
	for target, want := range map[string]string{
		"": "want trace=FILE, gate=TEXT or oracle", "oracle=17": "1 to 16 experts", "oracle=x": "1 to 16 experts",
		"gate=tpok=2": "want a key of layers", "trace=/nowhere": "no such file",
	} {
		_, _, err := gatefit.Distil{Target: target}.Fit(context.Background(), m, [][]int32{ids})
		require.Error(t, err, target)
		assert.ErrorContains(t, err, want)
	}
	_, _, err := gatefit.Distil{Target: "oracle"}.Fit(context.Background(), m, [][]int32{ids[:200]})
	assert.ErrorContains(t, err, "want at least 320 tokens")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err = gatefit.Distil{Target: "oracle"}.Fit(ctx, m, [][]int32{ids})
	assert.ErrorIs(t, err, context.Canceled)
}

// Merged weights give the bits of the overlay, from a folder in one file or in shards; wrong overlays are refused.
func TestMerge(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"", "mixtral", "qwen3-moe-dense-layer", "granitemoe", "phimoe"} {
		dir := t.TempDir()
		m, err := model.OpenFS(builtin.FS(), model.Options{})
		if name != "" {
			m, err = model.Open("../../testdata/goldens/"+name, model.Options{})
		}
		require.NoError(t, err)
		defer m.Close()
		o := &gatefit.Overlay{Routers: map[int][]float32{}, Notes: map[string]string{}}
		l := slices.Max(m.Spec().MoELayers())
		w := m.Router(l).Weights.W
		o.Routers[l] = make([]float32, w.Rows*w.Cols)
		for e := range w.Rows {
			w.Row(o.Routers[l][e*w.Cols:(e+1)*w.Cols], w.Rows-1-e)
		}
		path, out := filepath.Join(dir, "o"), filepath.Join(dir, "merged")
		require.NoError(t, o.Write(path, m))
		require.NoError(t, gatefit.Merge(m, path, out), name)
		merged, err := model.Open(out, model.Options{})
		require.NoError(t, err, name)
		defer merged.Close()
		ids := []int32{5, 9, 200, 31, 7}
		g, err := m.CompileGate("file=" + path)
		require.NoError(t, err)
		want, own := tensor.NewMat(5, m.Spec().Vocab), tensor.NewMat(5, m.Spec().Vocab)
		require.NoError(t, m.PrefillSpan(ctx, model.Span{Seq: m.NewSequence(), Tokens: ids, Out: want, Gate: g}, nil))
		require.NoError(t, m.Prefill(ctx, m.NewSequence(), ids, own, nil))
		got, err := merged.Logits(ctx, ids)
		require.NoError(t, err)
		assert.Equal(t, want.Data, got.Data, name)
		assert.NotEqual(t, own.Data, got.Data, name)
		assert.Error(t, gatefit.Merge(m, path, out), "the folder is there already")

		for want, tensors := range map[string][]loader.Named{
			fmt.Sprintf("layers.%d.router.weight: want [%d %d], found [3 4]", l, w.Rows, w.Cols): {{Name: fmt.Sprintf("layers.%d.router.weight", l), Tensor: tensor.New(tensor.F32, 3, 4)}},
			"layers.99: want a mixture of experts":                                               {{Name: "layers.99.router.weight", Tensor: tensor.New(tensor.F32, 3, 4)}},
			"want tensors layers.N.router.weight and layers.N.choice_bias, found \"x\"":          {{Name: "x", Tensor: tensor.New(tensor.F32, 3, 4)}},
			"want 2 dimensions, found shape [3]":                                                 {{Name: "layers.1.router.weight", Tensor: tensor.New(tensor.F32, 3)}},
		} {
			bad := filepath.Join(dir, "bad")
			require.NoError(t, loader.Write(bad, tensors, map[string]string{"format": model.OverlayFormat}))
			err := gatefit.Merge(m, bad, filepath.Join(dir, "none"))
			assert.ErrorIs(t, err, moe.ErrGate)
			assert.ErrorContains(t, err, want)
		}
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		assert.Len(t, left, 3, "nothing half written: o, merged, bad")
	}
}
