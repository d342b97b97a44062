package report_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model/report"
	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

const none = 0xFFFF

// written is a trace of two layers (3 and 5) of four experts, two a token, in two sequences: a of three tokens, b of two.
type written struct {
	ids     []uint16 // [5,2,2]
	weights []float32
	tokens  []int32
	labels  []string
	hash    string
	experts int
	more    []loader.Named
}

func example() written {
	w := written{
		ids: []uint16{
			0, 1, 2, 3,
			0, 2, 3, 2,
			1, 0, 0, 1,
			1, none, 2, 3,
			1, 2, 2, none,
		},
		tokens: []int32{0, 1, 0, 1, 0}, labels: []string{"a", "b"}, hash: "h", experts: 4,
	}
	for _, id := range w.ids {
		w.weights = append(w.weights, map[bool]float32{true: 0, false: 0.5}[id == none])
	}
	return w
}

func (w written) file(t testing.TB, name string) string {
	labels, err := json.Marshal(w.labels)
	require.NoError(t, err)
	gate := `{"experts":` + strconv.Itoa(w.experts) + `,"top_k":2,"score":"softmax","select":"topk","weight_from":"score","norm":"none"}`
	list := append([]loader.Named{
		{Name: "token_ids", Tensor: tensor.FromI32(w.tokens, 5)},
		{Name: "seq_offsets", Tensor: tensor.FromI32([]int32{0, 3, 5}, 3)},
		{Name: "moe_layer_index", Tensor: tensor.FromI32([]int32{3, 5}, 2)},
		{Name: "topk_ids", Tensor: tensor.FromU16(w.ids, 5, 2, 2)},
		{Name: "topk_weights", Tensor: tensor.FromF32(w.weights, 5, 2, 2)},
	}, w.more...)
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, loader.Write(path, list, map[string]string{"format": trace.Format, "labels": string(labels),
		"gate": `{"3":` + gate + `,"5":` + gate + `}`, "tokenizer_hash": w.hash, "gate_override": "topk=2"}))
	return path
}

func made(t *testing.T, tokens report.Tokens, paths ...string) *report.Report {
	r, err := report.Make(context.Background(), paths, tokens)
	require.NoError(t, err)
	return r
}

// Everything of metrics.json by hand, for the example above.
func TestMetricsByHand(t *testing.T) {
	w := example()
	logits := make([]float32, 5*2*4)
	for i := range logits {
		logits[i] = float32(math.Inf(-1))
		if (i/4)%2 == 0 && i%4 < 2 { // layer 3: two experts share everything; layer 5 has no router
			logits[i] = 1
		}
	}
	norms := make([]float32, 5*2*2)
	for i := range norms {
		norms[i] = float32(i)
	}
	nan := float32(math.NaN())
	w.more = []loader.Named{
		{Name: "router_logits", Tensor: tensor.FromF32(logits, 5, 2, 4)},
		{Name: "expert_out_norm", Tensor: tensor.FromF32(norms, 5, 2, 2)},
		{Name: "next_token_logprob", Tensor: tensor.FromF32([]float32{-1, -2, nan, -3, nan}, 5)},
		{Name: "lookahead_ids", Tensor: tensor.FromU16([]uint16{
			none, none, 2, 3, none, none, 3, 1, none, none, 2, 3, none, none, 2, none, none, none, 2, none}, 5, 2, 2)},
		{Name: "predicted_ids", Tensor: tensor.FromI32([]int32{1, 1, 1, 1, 1}, 5)},
	}
	var b bytes.Buffer
	require.NoError(t, made(t, nil, w.file(t, "t")).WriteJSON(&b))
	var m struct {
		Tokens int
		Mean   float64 `json:"mean_logprob"`
		Layers []struct {
			Layer, Experts, Dead int
			Load                 []int
			MaxVio               float64 `json:"max_vio"`
			CV, Gini, Jain       float64
			Entropy              *float64
			Balance              *float64 `json:"balance_loss"`
			Repeat               float64  `json:"repeat_previous"`
			CoActivation         [][]float64
			Transition           [][]float64
			Lookahead            *struct{ Recall, Exact float64 }
			Vocabulary           map[string]struct{ Mean float64 }
			Saliency             struct{ Weight, EAN, REAP []float64 }
		}
		Labels map[string]struct {
			Tokens int
			Layers []struct{ Share []float64 }
		}
		Cache struct {
			Accesses, Experts int
		}
	}
	require.NoError(t, json.Unmarshal(b.Bytes(), &m))
	const near = 1e-6
	assert.Equal(t, 5, m.Tokens)
	assert.InDelta(t, -2.0, m.Mean, near)
	a, c := m.Layers[0], m.Layers[1]
	assert.Equal(t, []int{3, 4, 0}, []int{a.Layer, a.Experts, c.Dead})
	assert.Equal(t, []int{3, 4, 2, 0}, a.Load) // mean 2.25
	assert.Equal(t, 1, a.Dead)
	assert.InDelta(t, 4/2.25-1, a.MaxVio, near)
	assert.InDelta(t, math.Sqrt((0.5625+3.0625+0.0625+5.0625)/4)/2.25, a.CV, near)
	assert.InDelta(t, 2*(1+1+3+2+4+2)/(2*4*9.0), a.Gini, near)
	assert.InDelta(t, 81/(4*29.0), a.Jain, near)
	assert.InDelta(t, math.Ln2, *a.Entropy, near)
	assert.Nil(t, c.Entropy, "no router, no entropy")
	assert.InDelta(t, 4*(3.0/5*0.5+4.0/5*0.5), *a.Balance, near)
	assert.InDelta(t, 2.0/3, a.Repeat, near, "0 0 1 | 1 1: not across the border")
	assert.InDelta(t, 1.0/3, c.Repeat, near, "2 3 0 | 2 2")
	assert.InDelta(t, 2.0/3, a.CoActivation[0][1], near, "of three tokens with 0, two have 1")
	assert.InDelta(t, 1.0/4, a.CoActivation[1][2], near)
	assert.InDelta(t, 0.0, a.CoActivation[3][3], near, "never chosen")
	assert.InDelta(t, 1.0, a.CoActivation[0][0], near)
	assert.InDelta(t, 3.0/4, a.Transition[1][2], near, "1 in layer 3, 2 in layer 5: tokens 0, 3, 4 of 0, 2, 3, 4")
	assert.Empty(t, c.Transition)
	assert.Nil(t, a.Lookahead)
	assert.InDelta(t, (1+0.5+0+0.5+1)/5, c.Lookahead.Recall, near)
	assert.InDelta(t, 2.0/5, c.Lookahead.Exact, near)
	// token 0 has first experts 0 1 1, token 1 has 0 1
	assert.InDelta(t, (2.0/3+1.0/2)/2, a.Vocabulary["input"].Mean, near)
	assert.InDelta(t, (1+1.0/2)/2, a.Vocabulary["next"].Mean, near, "before 1: expert 0; before 0: 0 and 1")
	assert.InDelta(t, 3.0/5, a.Vocabulary["predicted"].Mean, near)
	assert.InDeltaSlice(t, []float64{1.5, 2, 1, 0}, a.Saliency.Weight, near)
	assert.InDeltaSlice(t, []float64{0 + 4 + 9, 1 + 8 + 12 + 16, 5 + 17, 0}, a.Saliency.EAN, near)
	assert.InDeltaSlice(t, []float64{0.5 * 13 / 3, 0.5 * 37 / 4, 0.5 * 22 / 2, 0}, a.Saliency.REAP, near)
	assert.InDeltaSlice(t, []float64{3.0 / 6, 2.0 / 6, 1.0 / 6, 0}, m.Labels["a"].Layers[0].Share, near)
	assert.InDeltaSlice(t, []float64{0, 2.0 / 3, 1.0 / 3, 0}, m.Labels["b"].Layers[0].Share, near)
	assert.Equal(t, 3, m.Labels["a"].Tokens)
	assert.Equal(t, []int{18, 8}, []int{m.Cache.Accesses, m.Cache.Experts})
}

func TestComparisonByHand(t *testing.T) {
	a, b := example(), example()
	copy(b.ids, []uint16{1, 0, 2, 0, 0, 3})
	r := made(t, nil, a.file(t, "a"), b.file(t, "b"))
	require.Len(t, r.Comparisons, 1)
	x := r.Comparisons[0].Layers
	assert.InDelta(t, (1+0.5+1+1+1)/5, x[0].Saturation, 1e-9)
	assert.InDelta(t, 4.0/5, x[0].Exact, 1e-9)
	assert.InDelta(t, 1-8.0/9, x[0].Differ, 1e-9)
	assert.InDelta(t, 4.0/5, x[0].First, 1e-9)
	assert.InDelta(t, (0.5+1+1+1+1)/5, x[1].Saturation, 1e-9)

	other := example()
	other.tokens = []int32{0, 1, 1, 1, 0}
	_, err := report.Make(context.Background(), []string{a.file(t, "a"), other.file(t, "c")}, nil)
	require.ErrorIs(t, err, report.ErrCompare)
	assert.ErrorContains(t, err, "want token 2")
}

// hostile is a tokenizer whose tokens want to be markup.
func hostile(t *testing.T) report.Tokens {
	tok, err := tokenizer.Parse([]byte(`{"model":{"type":"BPE","vocab":{"</script><img src=x onerror=document.title='owned'>":0,` +
		`"<!--\u202e\u0007\n\"'&":1},"merges":[]}}`))
	require.NoError(t, err)
	return func(string) (*tokenizer.Tokenizer, error) { return tok, nil }
}

const markup = `<script>document.title="owned"</script>`

// Labels and tokens are text, whatever they hold.
func TestPageEscapes(t *testing.T) {
	w := example()
	w.labels = []string{markup, `"><svg onload=alert(1)>`}
	r := made(t, hostile(t), w.file(t, "t<b>.safetensors"))
	var b bytes.Buffer
	require.NoError(t, r.Write(&b))
	page := b.String()
	assert.NotContains(t, page, markup)
	assert.NotContains(t, page, "<img")
	assert.NotContains(t, page, "<svg onload")
	assert.NotContains(t, page, "t<b>")
	assert.NotContains(t, page, "ZgotmplZ", "nothing that the template engine refused")
	assert.NotContains(t, page, "\u202e")
	assert.Equal(t, 2, strings.Count(page, "</script>"), "data, program")
	for _, word := range []string{"http:", "https:", "src=\"", "@import", "url("} {
		assert.NotContains(t, strings.ReplaceAll(page, "http://www.w3.org/2000/svg", ""), word, "no network")
	}
	var again bytes.Buffer
	require.NoError(t, r.Write(&again))
	assert.Equal(t, page, again.String())
}

func TestPlots(t *testing.T) {
	w := example()
	w.labels[0] = markup
	r := made(t, nil, w.file(t, "a"), w.file(t, "b"))
	for _, format := range []string{"png", "svg"} {
		list, err := r.Plots(format)
		require.NoError(t, err)
		names := map[string]bool{}
		for _, p := range list {
			require.False(t, names[p.Name], p.Name)
			names[p.Name] = true
			require.Equal(t, filepath.Base(p.Name), p.Name)
			if format == "png" {
				img, err := png.Decode(bytes.NewReader(p.Data))
				require.NoError(t, err, p.Name)
				colours := map[string]bool{}
				for x := range img.Bounds().Dx() {
					colours[fmt.Sprint(img.At(x, img.Bounds().Dy()/2))] = true
				}
				assert.Greater(t, len(colours), 1, "%s is empty", p.Name)
				continue
			}
			assert.Contains(t, string(p.Data), "<svg", p.Name)
			assert.NotContains(t, string(p.Data), "<script", p.Name)
		}
		for _, name := range []string{"routing-all", "routing-2-b", "coactivation-layer-3", "coactivation-layer-5", "entropy",
			"vocabulary", "repeat", "cache", "specialisation", "comparison-1"} {
			assert.True(t, names[name+"."+format], name)
		}
	}
}

func TestRefusedReports(t *testing.T) {
	bad := example()
	bad.ids[17] = 4
	_, err := report.Make(context.Background(), []string{bad.file(t, "t")}, nil)
	require.ErrorIs(t, err, trace.ErrFormat)
	assert.ErrorContains(t, err, "token 4, layer 3")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = report.Make(ctx, []string{example().file(t, "t")}, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

// A header that claims more experts than anyone could count is refused before anything is made room for.
func TestClaimedExpertsAreBounded(t *testing.T) {
	w := example()
	w.experts = 60000
	_, err := report.Make(context.Background(), []string{w.file(t, "t")}, nil)
	require.ErrorIs(t, err, trace.ErrFormat)
	require.ErrorContains(t, err, "pairs of experts")
}
