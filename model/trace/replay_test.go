package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// openDir opens a golden, or the built-in model for "".
func openDir(t *testing.T, dir, gate string) *model.Model {
	o := model.Options{Gate: gate}
	m, err := model.OpenFS(builtin.FS(), o)
	if dir != "" {
		m, err = model.Open("../../testdata/goldens/"+dir, o)
	}
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

// A replay of a trace has the same bits as the run that was traced, in one piece and token by token, whatever the gate.
func TestReplayHasTheSameBits(t *testing.T) {
	ctx := context.Background()
	for _, c := range []struct{ dir, gate string }{
		{"", ""}, {"", "topk=2"}, {"", "random=4"}, {"", "noise=2,9;bias=1:3:2;force=2:7"}, {"", "topp=0.7,min=1,max=9"},
		{"", "skip=0.5"}, {"", "relu"}, {"", "expertchoice"}, {"", "drop=0:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"},
		{"mixtral", ""}, {"olmoe", ""}, {"phimoe", ""}, {"qwen2-moe", ""}, {"qwen3-moe-dense-layer", ""}, {"granitemoeshared", ""}, {"flex-olmo", "temp=3"},
	} {
		m := openDir(t, c.dir, c.gate)
		texts := []trace.Text{{Label: "a", IDs: ids(23, 37)}, {Label: "b", IDs: ids(9, 11)}}
		for _, x := range texts {
			for i := range x.IDs {
				x.IDs[i] %= int32(m.Spec().Vocab)
			}
		}
		path := filepath.Join(t.TempDir(), "t.safetensors")
		require.NoError(t, trace.Write(ctx, m, path, texts, trace.Options{}), c)
		again := openDir(t, c.dir, "replay="+path)
		for _, x := range texts {
			n := len(x.IDs)
			want, got := tensor.NewMat(n, m.Spec().Vocab), tensor.NewMat(n, m.Spec().Vocab)
			require.NoError(t, m.Prefill(ctx, m.NewSequence(), x.IDs, want, nil))
			seq, half := again.NewSequence(), n/2
			require.NoError(t, again.Prefill(ctx, seq, x.IDs[:half], got.Slice(0, half), nil))
			for i := half; i < n; i++ {
				require.NoError(t, again.Step(ctx, model.Batch{{Seq: seq, Tokens: x.IDs[i : i+1], Out: got.Slice(i, i+1)}}, nil))
			}
			assert.True(t, slices.Equal(want.Data, got.Data), "%v, text %s", c, x.Label)
			err := again.Step(ctx, model.Batch{{Seq: seq, Tokens: []int32{3}}}, nil)
			assert.ErrorIs(t, err, moe.ErrReplay, "beyond the recording")
		}
	}
}

// The routing of a model can be replayed on the same weights in another form, and on quantised ones it has the same bits.
func TestReplayOnQuantisedWeights(t *testing.T) {
	f, _ := traced(t, model.Options{}, trace.Options{}, trace.Text{Label: "x", IDs: ids(40, 3)})
	q := model.Options{Quant: "int8", Gate: "replay=" + f.Name()}
	g, m := traced(t, q, trace.Options{}, trace.Text{Label: "x", IDs: ids(40, 3)})
	a, _ := f.Tensor("topk_ids")
	b, _ := g.Tensor("topk_ids")
	assert.Equal(t, a.U16s(), b.U16s())
	assert.Equal(t, "int8", g.Metadata()["quant"])
	q.Gate = "replay=" + g.Name()
	again, err := model.OpenFS(builtin.FS(), q)
	require.NoError(t, err)
	defer again.Close()
	want, err := m.Logits(context.Background(), ids(40, 3))
	require.NoError(t, err)
	got, err := again.Logits(context.Background(), ids(40, 3))
	require.NoError(t, err)
	assert.Equal(t, want.Data, got.Data)
}

// A trace of a replay is the trace that was replayed, but for its header.
func TestTraceOfAReplay(t *testing.T) {
	f, _ := traced(t, model.Options{Gate: "temp=0.5;bias=2:1:0.5"}, trace.Options{}, trace.Text{Label: "x", IDs: ids(40, 3)})
	g, _ := traced(t, model.Options{Gate: "replay=" + f.Name()}, trace.Options{}, trace.Text{Label: "x", IDs: ids(40, 3)})
	for _, name := range []string{"topk_ids", "topk_weights", "topk_slots"} {
		a, _ := f.Tensor(name)
		b, ok := g.Tensor(name)
		require.True(t, ok)
		assert.Equal(t, a.Data, b.Data, name)
	}
	var files map[string]string
	require.NoError(t, json.Unmarshal([]byte(g.Metadata()["gate_files"]), &files))
	assert.Len(t, files[f.Name()], 64)
	assert.Contains(t, f.Metadata()["interventions"], `"2":"temp=0.5;bias=1:0.5"`)
	assert.Contains(t, f.Metadata()["interventions"], `"3":"temp=0.5"`)
}

// Dropping an expert that was never chosen changes no bit.
func TestDroppingTheUnused(t *testing.T) {
	ctx := context.Background()
	text := ids(60, 37)
	plain := openDir(t, "", "topk=1")
	rec := moe.NewRecorder(moe.RecordRouting)
	want := tensor.NewMat(60, plain.Spec().Vocab)
	require.NoError(t, plain.Prefill(ctx, plain.NewSequence(), text, want, rec))
	var clauses []string
	used := ""
	for layer := range 6 {
		load := moe.Load{}
		load.Add(rec.Layer(layer).Routing())
		for e, n := range load.Count {
			clause := "drop=" + strconv.Itoa(layer) + ":" + strconv.Itoa(e)
			if n == 0 {
				clauses = append(clauses, clause)
			} else {
				used = clause
			}
		}
	}
	require.NotEmpty(t, clauses)
	got, err := openDir(t, "", "topk=1;"+strings.Join(clauses, ";")).Logits(ctx, text)
	require.NoError(t, err)
	assert.Equal(t, want.Data, got.Data)
	got, err = openDir(t, "", "topk=1;"+used).Logits(ctx, text)
	require.NoError(t, err)
	assert.NotEqual(t, want.Data, got.Data)
}

// The optional tensors hold what they say.
func TestOptionalTensors(t *testing.T) {
	f, m := traced(t, model.Options{}, trace.Options{Norms: true, Choice: true, Logits: true, Entropy: true, LogProb: true}, trace.Text{Label: "x", IDs: ids(300, 7)})
	get := func(name string) []float32 {
		x, ok := f.Tensor(name)
		require.True(t, ok, name)
		return x.F32s()
	}
	norms, choice, weights := get("expert_out_norm"), get("choice_scores"), get("topk_weights")
	x, _ := f.Tensor("topk_ids")
	experts := x.U16s()
	seen := 0
	h := watch{moe.PointExpert, func(_ moe.Point, v *moe.View) {
		for i, tok := range v.Tokens {
			at := (int(tok)*6 + v.Layer) * 4
			j := slices.Index(experts[at:at+4], uint16(v.Expert))
			require.GreaterOrEqual(t, j, 0)
			sum := 0.0
			for _, o := range v.Out.Row(i) {
				sum += float64(o) * float64(o)
			}
			assert.InEpsilon(t, math.Sqrt(sum), norms[at+j], 1e-6)
			seen++
		}
	}}
	require.NoError(t, m.Prefill(context.Background(), m.NewSequence(), ids(300, 7), tensor.Mat{}, moe.Observe(h)))
	assert.Equal(t, 300*6*4, seen)
	for i := 0; i < len(experts); i += 4 {
		row, sum := choice[i/4*16:(i/4+1)*16], float32(0)
		for _, e := range experts[i : i+4] {
			sum += row[e]
		}
		for j, e := range experts[i : i+4] {
			require.InDelta(t, row[e]/sum, weights[i+j], 1e-6, "weights are made of the scores")
		}
	}
	var b bytes.Buffer
	require.NoError(t, trace.JSONL(&b, f))
	var l struct {
		Layers []struct {
			Norms  []float32 `json:"expert_out_norm"`
			Logits []float32 `json:"router_logits"`
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes()[:bytes.IndexByte(b.Bytes(), '\n')], &l))
	assert.Equal(t, norms[:4], l.Layers[0].Norms)
	assert.Len(t, l.Layers[5].Logits, 16)
	g, _ := traced(t, model.Options{Gate: "hash"}, trace.Options{Entropy: true, Logits: true}, trace.Text{Label: "x", IDs: ids(3, 7)})
	b.Reset()
	require.NoError(t, trace.JSONL(&b, g), "a gate without a router has no logits and no entropy")
	assert.Contains(t, b.String(), "null")
	assert.NoError(t, trace.NPZ(&b, g))
}

type watch struct {
	points moe.Point
	at     func(p moe.Point, v *moe.View)
}

func (h watch) Points() moe.Point { return h.points }
func (h watch) At(p moe.Point, v *moe.View) error {
	h.at(p, v)
	return nil
}

// Traces that cannot be replayed are refused in one line.
func TestReplaysRefused(t *testing.T) {
	f, m := traced(t, model.Options{}, trace.Options{}, trace.Text{Label: "x", IDs: ids(12, 3)})
	data, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	dir := t.TempDir()
	spoilt := func(name string, change func(tensors map[string]*tensor.Tensor, meta map[string]string)) string {
		g, err := loader.ParseFile(name, bytes.Clone(data))
		require.NoError(t, err)
		tensors, list := map[string]*tensor.Tensor{}, []loader.Named{}
		for _, n := range g.Names() {
			tensors[n], _ = g.Tensor(n)
		}
		meta := g.Metadata()
		change(tensors, meta)
		for n, x := range tensors {
			list = append(list, loader.Named{Name: n, Tensor: x})
		}
		path := filepath.Join(dir, name)
		require.NoError(t, loader.Write(path, list, meta))
		return path
	}
	for name, c := range map[string]struct {
		want   string
		change func(x map[string]*tensor.Tensor, meta map[string]string)
	}{
		"model":   {"want a trace of this model", func(_ map[string]*tensor.Tensor, meta map[string]string) { meta["model_hash"] = "0123456789abcdef" }},
		"format":  {"want a trace (format", func(_ map[string]*tensor.Tensor, meta map[string]string) { meta["format"] = "pt" }},
		"expert":  {"layer 1 token 0: nothing recorded: want an expert from 0 to 15, found 16", func(x map[string]*tensor.Tensor, _ map[string]string) { x["topk_ids"].U16s()[4] = 16 }},
		"missing": {"topk_weights: want F32 of 3 dimensions, found none", func(x map[string]*tensor.Tensor, _ map[string]string) { delete(x, "topk_weights") }},
		"shape": {"topk_ids: want [12 6 8], found [6 6 8]", func(x map[string]*tensor.Tensor, _ map[string]string) {
			x["topk_ids"].Shape = tensor.Shape{6, 6, 8}
		}},
		"layer": {"want every mixture layer, found none for layer 0", func(x map[string]*tensor.Tensor, _ map[string]string) {
			x["moe_layer_index"] = tensor.FromI32([]int32{0, 1, 2, 3, 4, 5, 6}[1:], 6)
		}},
		"dtype": {"token_ids: want I32 of 1 dimensions, found F32", func(x map[string]*tensor.Tensor, _ map[string]string) {
			x["token_ids"] = tensor.FromF32(make([]float32, 12), 12)
		}},
	} {
		_, err := m.CompileGate("replay=" + spoilt(name, c.change))
		require.Error(t, err, name)
		assert.ErrorContains(t, err, c.want, name)
		assert.NotContains(t, err.Error(), "\n", name)
	}
	cut := filepath.Join(dir, "cut")
	require.NoError(t, os.WriteFile(cut, data[:len(data)-10], 0o600))
	_, err = m.CompileGate("replay=" + cut)
	assert.ErrorIs(t, err, loader.ErrHeader)
	other := filepath.Join(dir, "model")
	_, err = m.CompileGate("replay=" + other + ",any")
	assert.NoError(t, err, "another model's on request")
	g, err := m.CompileGate("replay=" + f.Name())
	require.NoError(t, err)
	for want, text := range map[string][]int32{"token 9 at position 0": {9, 9}, "at position 12": append(ids(12, 3), 5)} {
		err := m.PrefillSpan(context.Background(), model.Span{Seq: m.NewSequence(), Tokens: text, Gate: g}, nil)
		assert.ErrorIs(t, err, moe.ErrReplay)
		assert.ErrorContains(t, err, want)
	}
}
