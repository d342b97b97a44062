package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
)

const encoderGoldens = "../../testdata/encoders"

// encoderWithWords is a golden encoder beside a tokenizer whose ids fit its vocabulary.
func encoderWithWords(t *testing.T, name string) string {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(encoderGoldens, name))))
	words := `{"[UNK]":0,"train":1,"noon":2,"the":3}`
	tok := `{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,
"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":` + words + `}}`
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer.json"), []byte(tok), 0o644))
	return dir
}

func TestEmbedLines(t *testing.T) {
	dir := encoderWithWords(t, "bert")
	one := sw("", "embed", "-m", dir, "the", "train")
	require.Equal(t, 0, one.code, one.err)
	var v []float32
	require.NoError(t, json.Unmarshal([]byte(one.out), &v))
	require.Len(t, v, 48)
	many := sw(strings.Repeat("\"noon\"\n\"the train\"\n", 70), "embed", "-m", dir, "--jsonl")
	require.Equal(t, 0, many.code, many.err)
	lines := strings.SplitAfter(many.out, "\n")
	require.Len(t, lines, 141)
	require.Equal(t, one.out, lines[1])
	require.Equal(t, lines[0], lines[138])
	require.NotEqual(t, lines[0], lines[1])
}

func TestClassifyLine(t *testing.T) {
	o := sw("", "classify", "-m", encoderWithWords(t, "distilbert-classify"), "the train")
	require.Equal(t, 0, o.code, o.err)
	var c classified
	require.NoError(t, json.Unmarshal([]byte(o.out), &c))
	require.Len(t, c.Scores, 3)
	sum := float32(0)
	for label, score := range c.Scores {
		require.LessOrEqual(t, score, c.Scores[c.Label], label)
		sum += score
	}
	require.InDelta(t, 1, sum, 1e-5)
}

func TestEncoderLogits(t *testing.T) {
	out := filepath.Join(t.TempDir(), "o.safetensors")
	o := sw("", "logits", "-m", encoderGoldens+"/modernbert-classify", "--ids", "5,6,7", "-o", out)
	require.Equal(t, 0, o.code, o.err)
	f, err := loader.OpenFile(out)
	require.NoError(t, err)
	defer f.Close()
	h, ok := f.Tensor("last_hidden_state")
	require.True(t, ok)
	require.EqualValues(t, []int{3, 48}, h.Shape)
	c, ok := f.Tensor("class_logits")
	require.True(t, ok)
	require.EqualValues(t, []int{3}, c.Shape)
}

func TestEncoderRefusals(t *testing.T) {
	dir := encoderGoldens + "/bert"
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"embed", "text"}, 2, "-m is missing"},
		{[]string{"embed", "-m", dir, "text"}, 1, "no tokenizer"},
		{[]string{"embed", "-m", dir, "--gate", "topk=1", "text"}, 2, "an encoder has no gates"},
		{[]string{"classify", "-m", encoderWithWords(t, "bert"), "the"}, 1, "no classification head"},
		{[]string{"run", "-m", dir, "text"}, 1, "it is an encoder"},
		{[]string{"embed", "-m", golden, "text"}, 1, "want an encoder"},
		{[]string{"logits", "-m", dir, "--ids", "5", "--greedy", "2", "-o", filepath.Join(t.TempDir(), "x")}, 2, "does not continue"},
		{[]string{"logits", "-m", dir, "--ids", "999", "-o", filepath.Join(t.TempDir(), "x")}, 1, "bad token id"},
	} {
		o := sw("", c.args...)
		require.Equal(t, c.code, o.code, "%v: %s", c.args, o.err)
		require.Contains(t, o.err, c.says)
	}
	o := sw("\"the\"\n{}\n", "embed", "-m", encoderWithWords(t, "bert"), "--jsonl")
	require.Equal(t, 1, o.code)
	require.Contains(t, o.err, "line 2")
	require.Equal(t, 1, strings.Count(o.out, "\n"), "lines before the wrong one are answered")
	in := sw("", "inspect", "-m", encoderGoldens+"/xlm-roberta")
	require.Equal(t, 0, in.code, in.err)
	require.Contains(t, in.out, "an encoder of 3 layers")
}

func TestClassifyTrain(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "data.jsonl")
	var b strings.Builder
	for range 20 {
		b.WriteString(`{"text":"a train to rome","label":"travel"}` + "\n" + `{"text":"bread and soup","label":"food"}` + "\n")
	}
	require.NoError(t, os.WriteFile(data, []byte(b.String()), 0o644))
	for _, encoder := range []string{"", encoderWithWords(t, "bert")} {
		out := filepath.Join(dir, "c"+filepath.Base(encoder))
		args := []string{"classify", "train", data, "-o", out}
		if encoder != "" {
			args = append(args, "-m", encoder)
		}
		o := sw("", args...)
		require.Equal(t, 0, o.code, o.err)
		require.Contains(t, o.out, "40 examples of 2 classes")
		o = sw("\"soup\"\n\"the train to rome\"\n", "classify", "-m", out, "--jsonl")
		require.Equal(t, 0, o.code, o.err)
		var got []classified
		for line := range strings.Lines(o.out) {
			var c classified
			require.NoError(t, json.Unmarshal([]byte(line), &c))
			require.Len(t, c.Scores, 2)
			got = append(got, c)
		}
		require.Equal(t, "food", got[0].Label)
		require.Equal(t, "travel", got[1].Label)
	}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{data}, 2, "-o is missing"}, {[]string{"-o", dir}, 2, "DATA.jsonl"}, {[]string{filepath.Join(dir, "none"), "-o", dir}, 1, "no such file"},
		{[]string{data, "-o", dir, "--oos-cost", "2"}, 2, "--oos-cost"}, {[]string{data, "-m", golden, "-o", dir}, 1, "want an encoder"},
	} {
		o := sw("", append([]string{"classify", "train"}, c.args...)...)
		require.Equal(t, c.code, o.code, o.err)
		require.Contains(t, o.err, c.says)
	}
}
