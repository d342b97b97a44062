package model_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const encoders = "../testdata/encoders"

func openEncoder(t *testing.T, dir string, o model.Options) *model.Encoder {
	e, err := model.OpenEncoder(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func i32(t *testing.T, f *loader.File, name string) []int32 {
	x, ok := f.Tensor(name)
	require.True(t, ok, name)
	return x.I32s()
}

func near(t *testing.T, f *loader.File, name string, got []float32) {
	x, ok := f.Tensor(name)
	require.True(t, ok, name)
	want := x.F32s()
	require.Len(t, got, len(want), name)
	worst, top := 0.0, 0.0
	for i, v := range want {
		worst, top = max(worst, math.Abs(float64(v-got[i]))), max(top, math.Abs(float64(v)))
	}
	require.LessOrEqual(t, worst, tolerance*top, name)
}

// The reference's hidden states and class logits hold at every level; within a level the bits are the same on any number
// of threads and in any company.
func TestEncoderGoldens(t *testing.T) {
	paths, err := filepath.Glob(encoders + "/*/golden.safetensors")
	require.NoError(t, err)
	require.Len(t, paths, 7)
	for _, path := range paths {
		dir := filepath.Dir(path)
		golden := readFile(t, path)
		ids := i32(t, golden, "input_ids")
		for _, level := range levels() {
			t.Run(filepath.Base(dir)+"/"+level, func(t *testing.T) {
				first := encodeOne(t, openEncoder(t, dir, model.Options{Level: level, Threads: 1}), ids)
				near(t, golden, "last_hidden_state", first.Hidden.Data)
				if _, ok := golden.Tensor("class_logits"); ok {
					near(t, golden, "class_logits", first.Logits)
				} else {
					require.Nil(t, first.Logits)
				}
				crowd := [][]int32{ids[:1], ids[3:20], ids, ids[:40]}
				for threads := 2; threads <= 3; threads++ {
					all, err := openEncoder(t, dir, model.Options{Level: level, Threads: threads}).Encode(context.Background(), crowd)
					require.NoError(t, err)
					require.Equal(t, first, all[2])
				}
			})
		}
	}
}

// Quantised while opening, an encoder stays near its f32 form; the bits are the same on all levels, on any number of threads
// and in any company.
func TestEncoderQuantised(t *testing.T) {
	paths, err := filepath.Glob(encoders + "/*/golden.safetensors")
	require.NoError(t, err)
	for _, path := range paths {
		dir := filepath.Dir(path)
		ids := i32(t, readFile(t, path), "input_ids")
		exact := encodeOne(t, openEncoder(t, dir, model.Options{}), ids)
		for scheme, least := range map[string]float64{"int8": 0.9995, "int4": 0.96, "mixed": 0.96} {
			want := encodeOne(t, openEncoder(t, dir, model.Options{Level: "generic", Threads: 1, Quant: scheme}), ids)
			assert.GreaterOrEqual(t, cosine(want.Hidden.Data, exact.Hidden.Data), least, "%s %s", dir, scheme)
			assert.NotEqual(t, exact.Hidden.Data, want.Hidden.Data)
			assert.Equal(t, openEncoder(t, dir, model.Options{}).Hash(), openEncoder(t, dir, model.Options{Quant: scheme}).Hash())
			for _, level := range levels() {
				for threads := 1; threads <= 3; threads++ {
					e := openEncoder(t, dir, model.Options{Level: level, Threads: threads, Quant: scheme})
					all, err := e.Encode(context.Background(), [][]int32{ids[:1], ids[3:20], ids, ids[:40]})
					require.NoError(t, err)
					require.Equal(t, encodeOne(t, e, ids), all[2], "%s %s %s", dir, scheme, level)
				}
			}
		}
	}
	_, err = model.OpenEncoder(encoders+"/bert", model.Options{Quant: "int3"})
	require.ErrorIs(t, err, model.ErrOption)
}

// What is in use is listed in the form that it has.
func TestClaimsOfQuantisedEncoder(t *testing.T) {
	e := openEncoder(t, encoders+"/modernbert-classify", model.Options{Quant: "int8"})
	forms := map[string]int{}
	for _, c := range e.Claims() {
		forms[c.DType]++
		assert.NotContains(t, c.Name, "Wqkv")
	}
	assert.Equal(t, 7*len(e.Spec().Layers), forms[tensor.Q8P.String()])
}

func encodeOne(t *testing.T, e *model.Encoder, ids []int32) model.Encoded {
	list, err := e.Encode(context.Background(), [][]int32{ids})
	require.NoError(t, err)
	return list[0]
}

// Many texts are cut into several batches; each comes out as it does alone.
func TestEncoderManyTexts(t *testing.T) {
	e := openEncoder(t, encoders+"/modernbert-classify", model.Options{})
	var texts [][]int32
	for i := range 40 {
		ids := make([]int32, 1+i)
		for j := range ids {
			ids[j] = int32((i*31 + j*17) % 300)
		}
		texts = append(texts, ids)
	}
	all, err := e.Encode(context.Background(), texts)
	require.NoError(t, err)
	for i, ids := range texts {
		require.Equal(t, encodeOne(t, e, ids), all[i], "text %d", i)
	}
}

// RoBERTa's positions count the tokens that are no padding; padding stays at the padding's position.
func TestEncoderRefusals(t *testing.T) {
	e := openEncoder(t, encoders+"/roberta-classify", model.Options{})
	ctx := context.Background()
	require.Equal(t, 62, e.Context()) // 64 positions, of which 0 and 1 are padding's
	for _, c := range []struct {
		ids  []int32
		want error
	}{{nil, model.ErrPrompt}, {[]int32{300}, model.ErrToken}, {[]int32{-1}, model.ErrToken}, {make([]int32, 63), model.ErrContext}} {
		_, err := e.Encode(ctx, [][]int32{{5}, c.ids})
		require.ErrorIs(t, err, c.want)
	}
	_, err := e.Embed(ctx, []string{"text"})
	require.ErrorIs(t, err, model.ErrNoTokenizer)
	_, err = openEncoder(t, encoders+"/bert", model.Options{}).Classify(ctx, []string{"x"})
	require.ErrorIs(t, err, model.ErrOption)
	_, err = model.OpenEncoder(goldens+"/llama", model.Options{})
	require.ErrorIs(t, err, model.ErrFamily)
	_, err = model.Open(encoders+"/bert", model.Options{})
	require.ErrorIs(t, err, model.ErrFamily)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = e.Encode(gone, [][]int32{{5}})
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, e.Close())
	_, err = e.Encode(ctx, [][]int32{{5}})
	require.ErrorIs(t, err, model.ErrClosed)
}

// sentenceFolder is the golden BERT as a sentence-transformers folder with some pooling.
func sentenceFolder(t *testing.T, modules, pooling string) fstest.MapFS {
	fsys := fstest.MapFS{
		"modules.json":              {Data: []byte(modules)},
		"1_Pooling/config.json":     {Data: []byte(pooling)},
		"sentence_bert_config.json": {Data: []byte(`{"max_seq_length": 9, "do_lower_case": false}`)},
	}
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(encoders + "/bert/" + name)
		require.NoError(t, err)
		fsys[name] = &fstest.MapFile{Data: data}
	}
	data, err := os.ReadFile("../testdata/tokenizer/small-wordpiece-cased.json")
	if err == nil {
		fsys["tokenizer.json"] = &fstest.MapFile{Data: data}
	}
	return fsys
}

const (
	transformerModule = `{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"}`
	poolingModule     = `{"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"}`
	normalizeModule   = `{"idx":2,"name":"2","path":"2_Normalize","type":"sentence_transformers.models.Normalize"}`
)

func TestPoolingFiles(t *testing.T) {
	mean := `{"word_embedding_dimension":48,"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":false}`
	both := `{"word_embedding_dimension":48,"pooling_mode_mean_tokens":true,"pooling_mode_cls_token":true,"pooling_mode_max_tokens":true}`
	for _, c := range []struct {
		modules, pooling string
		dim              int
		refused          string
	}{
		{"[" + transformerModule + "," + poolingModule + "," + normalizeModule + "]", mean, 48, ""},
		{"[" + transformerModule + "," + poolingModule + "]", both, 3 * 48, ""},
		{"[" + transformerModule + "," + normalizeModule + "]", mean, 0, "module 1"},
		{"[" + transformerModule + "," + poolingModule + "]", `{"pooling_mode_weightedmean_tokens":true}`, 0, "pooling_mode_weightedmean_tokens"},
		{"[" + transformerModule + "," + poolingModule + "]", `{"word_embedding_dimension":32,"pooling_mode_mean_tokens":true}`, 0, "word_embedding_dimension"},
		{"[" + transformerModule + "," + poolingModule + "]", `{}`, 0, "pooling_mode_mean_tokens"},
		{`{}`, mean, 0, "modules"},
		{`[{"type":"Transformer","path":"../elsewhere"}]`, mean, 0, "path"},
	} {
		e, err := model.OpenEncoderFS(sentenceFolder(t, c.modules, c.pooling), model.Options{})
		if c.refused != "" {
			require.ErrorContains(t, err, c.refused)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.dim, e.Dim())
		require.Equal(t, 9, e.Context())
		require.NoError(t, e.Close())
	}
}

// SWITCHYARD_MINILM names the folder of all-MiniLM-L6-v2: the reference's embeddings hold.
func TestMiniLM(t *testing.T) {
	dir := os.Getenv("SWITCHYARD_MINILM")
	if dir == "" {
		t.Skip("SWITCHYARD_MINILM is not set: no folder of all-MiniLM-L6-v2")
	}
	data, err := os.ReadFile("../testdata/minilm.json")
	require.NoError(t, err)
	var rows []struct {
		Text      string
		Tokens    int
		Embedding []float32
	}
	require.NoError(t, json.Unmarshal(data, &rows))
	for _, level := range levels() {
		e, packed := openEncoder(t, dir, model.Options{Level: level}), openEncoder(t, dir, model.Options{Level: level, Quant: "int8"})
		for _, r := range rows {
			ids, err := e.EncodeText(r.Text)
			require.NoError(t, err)
			require.Len(t, ids, r.Tokens, r.Text)
			got, err := e.Embed(context.Background(), []string{r.Text})
			require.NoError(t, err)
			require.GreaterOrEqual(t, cosine(got[0], r.Embedding), 0.99999, r.Text)
			small, err := packed.Embed(context.Background(), []string{r.Text})
			require.NoError(t, err)
			least := 0.999
			if r.Text == "" {
				least = 0.998 // two special tokens alone
			}
			require.GreaterOrEqual(t, cosine(got[0], small[0]), least, r.Text)
		}
	}
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * float64(b[i])
		aa += float64(a[i]) * float64(a[i])
		bb += float64(b[i]) * float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}

// BenchmarkMiniLM embeds a text of 32 tokens alone, as a router does, and 64 such texts at once.
func BenchmarkMiniLM(b *testing.B) {
	dir := os.Getenv("SWITCHYARD_MINILM")
	if dir == "" {
		b.Skip("SWITCHYARD_MINILM is not set: no folder of all-MiniLM-L6-v2")
	}
	for _, quant := range []string{"none", "int8"} {
		e, err := model.OpenEncoder(dir, model.Options{Quant: quant})
		require.NoError(b, err)
		defer e.Close()
		one, err := e.EncodeText(strings.Repeat("Please cancel my booking ", 7) + "soon")
		require.NoError(b, err)
		for _, n := range []int{1, 64} {
			texts := make([][]int32, n)
			for i := range texts {
				texts[i] = one[:32]
			}
			b.Run(fmt.Sprintf("%s/texts=%d", quant, n), func(b *testing.B) { embedMany(b, e, texts) })
		}
	}
}

func embedMany(b *testing.B, e *model.Encoder, texts [][]int32) {
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		_, err := e.EmbedIDs(context.Background(), texts)
		require.NoError(b, err)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
	b.ReportMetric(float64(b.N*len(texts))/b.Elapsed().Seconds(), "texts/s")
}
