package trace_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func traced(t *testing.T, mo model.Options, o trace.Options, texts ...trace.Text) (*loader.File, *model.Model) {
	m, err := model.OpenFS(builtin.FS(), mo)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	path := filepath.Join(t.TempDir(), "t.safetensors")
	require.NoError(t, trace.Write(context.Background(), m, path, texts, o))
	f, err := loader.OpenFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, m
}

func ids(n, step int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(1 + i*step%4095)
	}
	return out
}

// A trace holds what a recorder sees and what the logits say, text by text, in the shapes of the format.
func TestTraceHoldsTheRouting(t *testing.T) {
	texts := []trace.Text{{"a", ids(300, 37)}, {"b", ids(7, 11)}}
	f, m := traced(t, model.Options{}, trace.Options{Logits: true, Entropy: true, LogProb: true}, texts...)
	get := func(name string, d tensor.DType, shape ...int) *tensor.Tensor {
		x, ok := f.Tensor(name)
		require.True(t, ok, name)
		require.Equal(t, d, x.DType, name)
		require.Equal(t, tensor.Shape(shape), x.Shape, name)
		return x
	}
	assert.Equal(t, []int32{0, 300, 307}, get("seq_offsets", tensor.I32, 3).I32s())
	assert.Equal(t, append(ids(300, 37), ids(7, 11)...), get("token_ids", tensor.I32, 307).I32s())
	assert.Equal(t, []int32{0, 1, 2, 3, 4, 5}, get("moe_layer_index", tensor.I32, 6).I32s())
	topk, weights := get("topk_ids", tensor.U16, 307, 6, 4).U16s(), get("topk_weights", tensor.F32, 307, 6, 4).F32s()
	logits, entropy := get("router_logits", tensor.F32, 307, 6, 16).F32s(), get("gate_entropy", tensor.F32, 307, 6).F32s()
	lp := get("next_token_logprob", tensor.F32, 307).F32s()

	rec := moe.NewRecorder(moe.RecordLogits)
	out := tensor.NewMat(7, m.Spec().Vocab)
	require.NoError(t, m.Prefill(context.Background(), m.NewSequence(), texts[1].IDs, out, rec))
	for layer := range 6 {
		r := rec.Layer(layer)
		want, ws := r.Sorted(4)
		for tok := range 7 {
			at := (300+tok)*6 + layer
			for j := range 4 {
				assert.Equal(t, uint16(want[tok*4+j]), topk[at*4+j])
				assert.Equal(t, ws[tok*4+j], weights[at*4+j])
			}
			row := r.Logits[tok*16 : (tok+1)*16]
			assert.Equal(t, row, logits[at*16:(at+1)*16])
			assert.InDelta(t, naiveEntropy(row), entropy[at], 1e-5)
		}
	}
	assert.InDelta(t, model.LogProb(out.Row(2), texts[1].IDs[3]), lp[302], 1e-6)
	for _, end := range []int{299, 306} {
		assert.True(t, math.IsNaN(float64(lp[end])), "no token follows the last one")
	}
	meta := f.Metadata()
	assert.Equal(t, trace.Format, meta["format"])
	assert.Equal(t, `["a","b"]`, meta["labels"])
	assert.Contains(t, meta["gate"], `"top_k":4`)
	assert.Len(t, meta["model_hash"], 64)
	assert.Len(t, meta["tokenizer_hash"], 64)
}

func naiveEntropy(l []float32) float64 {
	z, h := 0.0, 0.0
	for _, v := range l {
		z += math.Exp(float64(v))
	}
	for _, v := range l {
		p := math.Exp(float64(v)) / z
		h -= p * math.Log(p)
	}
	return h
}

// An override shows in the trace and in its header; a text longer than the context becomes several sequences.
func TestTraceUnderOverrides(t *testing.T) {
	f, _ := traced(t, model.Options{Gate: "layers=0;topk=2", Context: 8}, trace.Options{}, trace.Text{Label: "x", IDs: ids(20, 3)})
	x, _ := f.Tensor("seq_offsets")
	assert.Equal(t, []int32{0, 8, 16, 20}, x.I32s())
	k, _ := f.Tensor("topk_ids")
	assert.Equal(t, uint16(0xFFFF), k.U16s()[2], "layer 0 has two experts")
	assert.NotEqual(t, uint16(0xFFFF), k.U16s()[4+3])
	assert.Equal(t, "layers=0;topk=2", f.Metadata()["gate_override"])
}

func TestExports(t *testing.T) {
	f, _ := traced(t, model.Options{}, trace.Options{}, trace.Text{Label: "x", IDs: ids(3, 5)})
	var b bytes.Buffer
	require.NoError(t, trace.JSONL(&b, f))
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	require.Len(t, lines, 3)
	var l struct {
		Label  string
		Pos    int
		Token  int32
		Layers []struct {
			Layer   int
			Experts []int
			Weights []float32
		}
	}
	require.NoError(t, json.Unmarshal([]byte(lines[2]), &l))
	assert.Equal(t, 2, l.Pos)
	assert.Equal(t, int32(11), l.Token)
	require.Len(t, l.Layers, 6)
	assert.Len(t, l.Layers[5].Experts, 4)

	b.Reset()
	require.NoError(t, trace.NPZ(&b, f))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	names := map[string]uint64{}
	for _, e := range z.File {
		names[e.Name] = e.UncompressedSize64
	}
	assert.Equal(t, uint64(128+3*6*4*2), names["topk_ids.npy"], "a header of 128 bytes and the numbers")
	assert.Contains(t, names, "metadata.json")
}

func TestRefusedTraces(t *testing.T) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	defer m.Close()
	dir := t.TempDir()
	path := filepath.Join(dir, "t")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx   context.Context
		texts []trace.Text
		kind  error
	}{
		{context.Background(), nil, trace.ErrTrace},
		{context.Background(), []trace.Text{{"x", nil}}, trace.ErrTrace},
		{context.Background(), []trace.Text{{"x", []int32{5000}}}, model.ErrToken},
		{ctx, []trace.Text{{"x", []int32{5}}}, context.Canceled},
	} {
		assert.ErrorIs(t, trace.Write(c.ctx, m, path, c.texts, trace.Options{}), c.kind)
	}
	dense, err := model.Open("../../testdata/goldens/llama", model.Options{})
	require.NoError(t, err)
	defer dense.Close()
	assert.ErrorIs(t, trace.Write(context.Background(), dense, path, []trace.Text{{"x", []int32{5}}}, trace.Options{}), trace.ErrTrace)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "nothing half written")
}

// What a gate chose a layer early is what it chooses where it is handed the input of the layer before; the likeliest token is
// the largest logit.
func TestLookaheadAndPredictions(t *testing.T) {
	f, m := traced(t, model.Options{}, trace.Options{Lookahead: true, Predicted: true}, trace.Text{Label: "x", IDs: ids(40, 37)})
	early, _ := f.Tensor("lookahead_ids")
	topk, _ := f.Tensor("topk_ids")
	words, _ := f.Tensor("predicted_ids")
	logits, err := m.Logits(context.Background(), ids(40, 37))
	require.NoError(t, err)
	in := &inputs{}
	require.NoError(t, m.Prefill(context.Background(), m.NewSequence(), ids(40, 37), tensor.Mat{}, moe.Observe(in)))
	common := 0
	for tok := range 40 {
		best := 0
		for i, v := range logits.Row(tok) {
			if v > logits.Row(tok)[best] {
				best = i
			}
		}
		require.Equal(t, int32(best), words.I32s()[tok])
		for l := range 6 {
			row := early.U16s()[(tok*6+l)*4 : (tok*6+l)*4+4]
			if l == 0 {
				require.Equal(t, []uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, row)
				continue
			}
			var r moe.Routing
			x := tensor.MatOf(in.x[l-1].Row(tok), 1, 192)
			require.NoError(t, m.Gates(nil)[l].Gate.Route(&r, moe.Call{Layer: l, X: x, Engine: engine(t)}))
			for j, e := range r.Expert {
				require.Equal(t, uint16(e), row[j])
				for k := range 4 {
					if topk.U16s()[(tok*6+l)*4+k] == row[j] {
						common++
					}
				}
			}
		}
	}
	require.Greater(t, common, 40*5*4/3, "a layer's input says much of the next one's choice")
}

type inputs struct{ x []tensor.Mat }

func (*inputs) Points() moe.Point { return moe.PointGateInput }

func (i *inputs) At(_ moe.Point, v *moe.View) error {
	x := tensor.NewMat(v.X.Rows, v.X.Cols)
	copy(x.Data, v.X.Data)
	i.x = append(i.x, x)
	return nil
}

func engine(t *testing.T) *kernels.Engine {
	e, err := kernels.New(kernels.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}
