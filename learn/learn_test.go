package learn_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func engine(t *testing.T, threads int) *kernels.Engine {
	e, err := kernels.New(kernels.Options{Threads: threads})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}

// blobs are points of three classes around three centres, as dense and as sparse features.
func blobs(n int) (learn.Data, []int) {
	r := rand.New(rand.NewPCG(1, 2))
	d := learn.Data{Dense: tensor.NewMat(n, 5), Buckets: 4}
	y := make([]int, n)
	for i := range n {
		y[i] = i % 3
		for j := range 5 {
			d.Dense.Row(i)[j] = float32(r.NormFloat64())
		}
		d.Dense.Row(i)[y[i]] += 2
		d.Sparse = append(d.Sparse, learn.Sparse{Index: []int32{int32(y[i]), 3}, Value: []float32{float32(r.Float64()), 1}})
	}
	return d, y
}

// At the minimum every partial derivative is zero: they are taken by differences of a loss written anew in f64.
func TestFitIsAMinimum(t *testing.T) {
	d, y := blobs(90)
	const l2 = 0.01
	h, err := learn.Fit(context.Background(), engine(t, 1), d, y, 3, learn.FitOptions{L2: l2, MaxIter: 500})
	require.NoError(t, err)
	loss := func() float64 {
		sum := 0.0
		for i := range y {
			l := make([]float64, 3)
			z := 0.0
			for c := range l {
				l[c] = float64(h.B[c])
				for j, x := range d.Dense.Row(i) {
					l[c] += float64(h.W.Row(c)[j]) * float64(x)
				}
				for j, k := range d.Sparse[i].Index {
					l[c] += float64(h.S.Row(c)[k]) * float64(d.Sparse[i].Value[j])
				}
				z += math.Exp(l[c])
			}
			sum += math.Log(z) - l[y[i]]
		}
		sum /= float64(len(y))
		for _, m := range []tensor.Mat{h.W, h.S} {
			for _, v := range m.Data {
				sum += l2 / 2 * float64(v) * float64(v)
			}
		}
		return sum
	}
	for _, p := range [][]float32{h.W.Data, h.S.Data, h.B} {
		for i := range p {
			const step = 1e-2
			v := p[i]
			p[i] = v + step
			up := loss()
			p[i] = v - step
			down := loss()
			p[i] = v
			require.InDelta(t, 0, (up-down)/(2*step), 3e-3)
		}
	}
}

func TestFitSameOnAnyThreads(t *testing.T) {
	d, y := blobs(200)
	one, err := learn.Fit(context.Background(), engine(t, 1), d, y, 3, learn.FitOptions{})
	require.NoError(t, err)
	three, err := learn.Fit(context.Background(), engine(t, 3), d, y, 3, learn.FitOptions{})
	require.NoError(t, err)
	require.Equal(t, one, three)
}

func TestFitRefusals(t *testing.T) {
	d, y := blobs(30)
	e, ctx := engine(t, 1), context.Background()
	_, err := learn.Fit(ctx, e, d, y[:29], 3, learn.FitOptions{})
	require.ErrorIs(t, err, learn.ErrData)
	_, err = learn.Fit(ctx, e, d, y, 2, learn.FitOptions{})
	require.ErrorIs(t, err, learn.ErrData)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = learn.Fit(gone, e, d, y, 3, learn.FitOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestTemperature(t *testing.T) {
	// A coin that lands heads three times of four, announced as certain: log-odds 10 want a temperature of 10/ln 3.
	var logits [][]float32
	var y []int
	for i := range 400 {
		logits = append(logits, []float32{10, 0})
		y = append(y, map[bool]int{true: 1}[i%4 == 0])
	}
	require.InDelta(t, 10/math.Log(3), learn.Temperature(logits, y), 1e-3)
}

func TestNGrams(t *testing.T) {
	g := learn.NGrams{Buckets: 1 << 20}
	a, b := g.Row("The train, the TRAIN"), g.Row("the train , the train")
	require.Equal(t, a, b)
	require.Len(t, a.Index, 6) // the, train, comma; the train, train ",", ", the"
	sum := 0.0
	for i, v := range a.Value {
		sum += float64(v) * float64(v)
		require.True(t, i == 0 || a.Index[i] > a.Index[i-1])
	}
	require.InDelta(t, 1, sum, 1e-6)
	require.Empty(t, g.Row(" \t\n").Index)
	scaled := learn.NGrams{Buckets: 1 << 20, Scale: 0.5}.Row("The train, the TRAIN")
	require.InDelta(t, a.Value[0]/2, scaled.Value[0], 1e-7)
}

// examples are sentences of three kinds and some of none.
func examples() []learn.Example {
	var out []learn.Example
	kinds := map[string][]string{
		"ticket": {"a ticket to", "one seat to", "book me to"}, "refund": {"money back for", "refund my trip to", "cancel and repay"},
		"times": {"when does it leave for", "what time to", "departure for"}, "oos": {"poem on", "joke of", "recipe from"},
	}
	for i := range 120 {
		for _, label := range []string{"ticket", "refund", "times", "oos"} {
			out = append(out, learn.Example{Text: fmt.Sprintf("%s %s %d", kinds[label][i%3], []string{"rome", "oslo", "bern", "kiel"}[i%4], i), Label: label})
		}
	}
	return out
}

func TestClassifierRoundTrip(t *testing.T) {
	ctx := context.Background()
	for _, encoder := range []string{"", wordEncoder(t)} {
		var enc *model.Encoder
		if encoder != "" {
			var err error
			enc, err = model.OpenEncoder(encoder, model.Options{})
			require.NoError(t, err)
			defer enc.Close()
		}
		c, r, err := learn.TrainClassifier(ctx, engine(t, 2), enc, examples(), learn.TrainOptions{Buckets: 512})
		require.NoError(t, err)
		require.Equal(t, 480, r.Examples)
		require.Equal(t, 48, r.HeldOut)
		require.Greater(t, r.Accuracy, 0.95)
		require.Greater(t, r.Recall, 0.9)
		texts := []string{"refund my trip to paris", "a joke of oslo", "what time to rome"}
		want, err := c.Classify(ctx, texts)
		require.NoError(t, err)
		require.Equal(t, "refund", want[0].Label)
		require.Equal(t, "oos", want[1].Label)
		require.Equal(t, "times", want[2].Label)

		dir := filepath.Join(t.TempDir(), "c")
		require.NoError(t, c.Save(dir, encoder))
		require.True(t, learn.IsClassifier(dir))
		back, err := learn.OpenClassifier(dir, model.Options{})
		require.NoError(t, err)
		got, err := back.Classify(ctx, texts)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, back.Close())
	}
}

// wordEncoder is the golden BERT with a tokenizer of a few words.
func wordEncoder(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../testdata/encoders/bert")))
	tok := `{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,
"vocab":{"[UNK]":0,"ticket":1,"refund":2,"time":3,"joke":4,"to":5}}}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(tok), 0o644))
	return dir
}

func TestClassifierOfAnotherEncoder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "c")
	src := wordEncoder(t)
	enc, err := model.OpenEncoder(src, model.Options{})
	require.NoError(t, err)
	defer enc.Close()
	c, _, err := learn.TrainClassifier(context.Background(), engine(t, 1), enc, examples(), learn.TrainOptions{Buckets: 64, MaxIter: 5})
	require.NoError(t, err)
	require.NoError(t, c.Save(dir, src))
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile("../testdata/encoders/roberta-classify/" + name)
		require.NoError(t, err)
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
	_, err = learn.OpenClassifier(dir, model.Options{})
	require.ErrorIs(t, err, learn.ErrFolder)
	require.ErrorContains(t, err, "was learnt on the encoder")
}

func TestReadLines(t *testing.T) {
	list, err := learn.ReadLines[learn.Example](strings.NewReader("{\"text\":\"a\",\"label\":\"x\"}\n\n{\"text\":\"b\",\"label\":\"y\",\"more\":1}"))
	require.NoError(t, err)
	require.Equal(t, []learn.Example{{Text: "a", Label: "x"}, {Text: "b", Label: "y"}}, list)
	for _, c := range []struct{ in, says string }{
		{"", "no lines"}, {"{\"text\":\"a\",\"text\":\"b\"}", "line 1"}, {"{}\n[]", "line 2"}, {"{\"text\":3}", "line 1"}, {"{\"text\":\"\xff\"}", "UTF-8"},
		{strings.Repeat(" ", 5<<20), "at most"},
	} {
		_, err := learn.ReadLines[learn.Example](strings.NewReader(c.in))
		require.ErrorIs(t, err, learn.ErrData)
		require.ErrorContains(t, err, c.says)
	}
	for _, bad := range [][]learn.Example{
		{{Text: "a", Label: "x"}}, {{Text: " ", Label: "x"}, {Text: "b", Label: "y"}}, {{Text: "a", Label: ""}, {Text: "b", Label: "y"}},
	} {
		_, _, err := learn.TrainClassifier(context.Background(), engine(t, 1), nil, bad, learn.TrainOptions{})
		require.ErrorIs(t, err, learn.ErrData)
	}
}
