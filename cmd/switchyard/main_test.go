package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const golden = "../../testdata/goldens/mixtral"

// outcome is what a command left behind.
type outcome struct {
	code     int
	out, err string
}

// sw runs the program as main does, with text on stdin.
func sw(stdin string, args ...string) outcome {
	var out, err bytes.Buffer
	code := dispatch(context.Background(), stdio{strings.NewReader(stdin), &out, &err}, args)
	return outcome{code, out.String(), err.String()}
}

func TestRunStreamsText(t *testing.T) {
	o := sw("", "run", "-n", "12", "And it came to pass")
	require.Equal(t, 0, o.code, o.err)
	assert.Greater(t, len(o.out), 20)
	assert.Contains(t, o.err, "generated 12 tokens")
	assert.Equal(t, o.out, sw("And it came to pass", "run", "-n", "12", "-").out, "stdin")
	assert.Equal(t, o.out, sw("", "run", "And it came to pass", "-n", "12", "--threads", "1").out, "flags may stand behind the prompt")
}

func TestRunJSON(t *testing.T) {
	o := sw("", "run", "-n", "5", "--json", "--experts", "--temp", "0.8", "--seed", "3", "3 * 9 =")
	require.Equal(t, 0, o.code, o.err)
	var r result
	require.NoError(t, json.Unmarshal([]byte(o.out), &r))
	assert.Len(t, r.IDs, 5)
	assert.Equal(t, uint64(3), r.Seed)
	assert.Equal(t, "length", string(r.Finish))
	require.Len(t, r.Experts, 6)
	total := 0
	for _, c := range r.Experts[0] {
		total += c
	}
	assert.Equal(t, 4*(r.Prompt+4), total, "4 experts for each token that was computed; the last one was not")
}

// Without a tokenizer ids stand for text.
func TestRunWithoutTokenizer(t *testing.T) {
	o := sw("", "run", "-m", golden, "--ids", "5,6,7", "-n", "4")
	require.Equal(t, 0, o.code, o.err)
	ids, err := idList(strings.TrimSpace(o.out))
	require.NoError(t, err)
	assert.Len(t, ids, 4)
	o = sw("", "run", "-m", golden, "text")
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.err, "no tokenizer")
}

func TestRunExperts(t *testing.T) {
	o := sw("", "run", "-n", "3", "--experts", "func main() {")
	require.Equal(t, 0, o.code, o.err)
	assert.Contains(t, o.out, "layer  5")
	assert.Contains(t, o.out, "█")
}

// The file holds what the contract says, under the names and dtypes that it says.
func TestLogitsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.safetensors")
	o := sw("", "logits", "-m", golden, "--ids", "5,6,7,8", "--greedy", "3", "--chunk", "3", "-o", path)
	require.Equal(t, 0, o.code, o.err)
	f, err := loader.OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	for name, want := range map[string]tensor.Tensor{
		"input_ids":       {DType: tensor.I32, Shape: tensor.Shape{4}},
		"logits":          {DType: tensor.F32, Shape: tensor.Shape{4, 320}},
		"router_logits.1": {DType: tensor.F32, Shape: tensor.Shape{4, 8}},
		"topk_ids.1":      {DType: tensor.I32, Shape: tensor.Shape{4, 2}},
		"topk_weights.0":  {DType: tensor.F32, Shape: tensor.Shape{4, 2}},
		"generated_ids":   {DType: tensor.I32, Shape: tensor.Shape{3}},
	} {
		got, ok := f.Tensor(name)
		require.True(t, ok, name)
		assert.Equal(t, want.DType, got.DType, name)
		assert.Equal(t, want.Shape, got.Shape, name)
	}
	w, _ := f.Tensor("topk_weights.0")
	assert.GreaterOrEqual(t, w.F32s()[0], w.F32s()[1], "by falling weight")
}

func TestInspect(t *testing.T) {
	o := sw("", "inspect")
	require.Equal(t, 0, o.code, o.err)
	assert.Contains(t, o.out, "layers 0-5")
	assert.Contains(t, o.out, "topk=4;score=softmax;norm=on")
	o = sw("", "inspect", "--gate", "layers=2;drop=1,5;temp=0.7")
	assert.Contains(t, o.out, "layer 2\n")
	assert.Contains(t, o.out, "edits      drop=1,5;temp=0.7\n")
	o = sw("", "inspect", "-m", golden, "--json", "--gate", "layers=1;topk=3;norm=off")
	require.Equal(t, 0, o.code, o.err)
	var in inspection
	require.NoError(t, json.Unmarshal([]byte(o.out), &in))
	require.Len(t, in.Gates, 2)
	assert.Equal(t, 2, in.Gates[0].Gate.TopK)
	assert.Equal(t, 3, in.Gates[1].Gate.TopK)
	assert.Equal(t, "none", string(in.Gates[1].Gate.Norm))
	assert.Equal(t, in.Bytes, in.Mapped)
	assert.NotEmpty(t, in.Tensors)
}

func TestTokenize(t *testing.T) {
	o := sw("", "tokenize", "func main() {")
	require.Equal(t, 0, o.code, o.err)
	back := sw("", "tokenize", "--decode", strings.TrimSpace(o.out))
	assert.Equal(t, "func main() {\n", back.out)
	lines := sw("\"a b\"\n\n\"\"\n\"<é>\"\n", "tokenize", "--jsonl", "--offsets")
	require.Equal(t, 0, lines.code, lines.err)
	got := strings.Split(strings.TrimSpace(lines.out), "\n")
	require.Len(t, got, 3)
	assert.Equal(t, `{"ids":[],"offsets":[]}`, got[1])
	var e struct {
		IDs     []int32  `json:"ids"`
		Offsets [][2]int `json:"offsets"`
	}
	require.NoError(t, json.Unmarshal([]byte(got[2]), &e))
	assert.Equal(t, 3, e.Offsets[len(e.Offsets)-1][1], "offsets count characters")
	ids, _ := json.Marshal(e.IDs)
	assert.Equal(t, "\"<é>\"\n", sw(string(ids), "tokenize", "--jsonl", "--decode").out)
	bad := sw("\"a\"\n7\n", "tokenize", "--jsonl")
	assert.Equal(t, 1, bad.code)
	assert.Contains(t, bad.err, "line 2")
}

func TestVersionAndHelp(t *testing.T) {
	o := sw("", "version", "--json")
	require.Equal(t, 0, o.code)
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.out), &v))
	assert.Contains(t, v["levels"], "generic")
	assert.Contains(t, sw("", "help").out, "inspect")
	for _, c := range commands() {
		h := sw("", c.name, "-h")
		assert.Equal(t, 0, h.code, c.name)
		assert.Contains(t, h.out, "Usage: switchyard "+c.name)
	}
}

// Whatever is wrong gives one line on stderr and the right status.
func TestWrongInput(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	unknown := filepath.Join(dir, "unknown")
	require.NoError(t, os.Mkdir(unknown, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(unknown, "config.json"), []byte(`{"model_type":"gpt9"}`), 0o600))
	model, err := os.ReadFile(golden + "/model.safetensors")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(unknown, "model.safetensors"), model, 0o600))
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{2, "unknown command", []string{"walk"}},
		{2, "-nope", []string{"run", "-nope", "x"}},
		{2, "found none", []string{"run"}},
		{2, "found both", []string{"run", "--ids", "1", "x"}},
		{2, "temperature", []string{"run", "--temp", "-1", "x"}},
		{2, "temperature", []string{"run", "--temp", "NaN", "x"}},
		{2, "top-p", []string{"run", "--top-p", "1.5", "x"}},
		{2, "invalid value", []string{"run", "-n", "many", "x"}},
		{2, "-n: want 0 or more", []string{"run", "-n", "-3", "x"}},
		{2, "--quant", []string{"run", "--quant", "int3", "x"}},
		{2, "--kv", []string{"run", "--kv", "f8", "x"}},
		{2, "--compute", []string{"run", "--compute", "f64", "x"}},
		{2, "--threads", []string{"run", "--threads", "-2", "x"}},
		{1, "level", []string{"run", "--level", "sse9", "x"}},
		{2, "want token ids", []string{"run", "--ids", "1,a"}},
		{1, "4096 at position 1, want 0 to 4095", []string{"run", "--ids", "1,4096"}},
		{1, "no such file", []string{"run", "-m", filepath.Join(dir, "none"), "x"}},
		{1, "found a file", []string{"run", "-m", file, "x"}},
		{1, "config.json", []string{"inspect", "-m", dir}},
		{1, `"gpt9"`, []string{"inspect", "-m", unknown}},
		{1, "want a key of layers", []string{"inspect", "--gate", "experts=3"}},
		{1, "topk: want 1 to 16, found 17", []string{"inspect", "--gate", "topk=17"}},
		{1, "want 0 to 5, found 6", []string{"inspect", "--gate", "layers=6;topk=1"}},
		{2, "--ids is missing", []string{"logits", "-m", golden, "-o", file}},
		{2, "-o is missing", []string{"logits", "-m", golden, "--ids", "1"}},
		{1, "want 0 to 319", []string{"logits", "-m", golden, "--ids", "320", "-o", file}},
		{1, "it has no tokens", []string{"logits", "-m", golden, "--ids", ",", "-o", file}},
		{1, "no such file", []string{"logits", "-m", golden, "--ids", "1", "-o", filepath.Join(dir, "no", "o")}},
		{1, "room for 256", []string{"logits", "-m", golden, "--ids", strings.Repeat("1,", 257), "-o", file}},
		{1, "room for 256", []string{"logits", "-m", golden, "--ids", "1", "--greedy", "300", "-o", file}},
		{1, "tokenizer.json", []string{"tokenize", "-m", golden, "x"}},
		{2, "reads stdin", []string{"tokenize", "--jsonl", "x"}},
		{2, "want -f or --ids", []string{"eval"}},
		{1, "at least 2 tokens", []string{"eval", "--ids", "1"}},
		{1, "window: want 1 to 512", []string{"eval", "--ids", "1,2", "--window", "600"}},
		{1, "no such file", []string{"eval", "-f", filepath.Join(dir, "none")}},
		{1, "no such file", []string{"eval", "--ids", "1,2", "--losses", filepath.Join(dir, "no", "o")}},
		{2, "want --drop-each", []string{"sweep", "--ids", "1,2"}},
		{1, "want a model with mixture layers, found llama", []string{"sweep", "-m", "../../testdata/goldens/llama", "--ids", "1,2", "--drop-each"}},
		{2, "topk: want 4, 1-8", []string{"sweep", "--ids", "1,2", "--topk", "x"}},
		{1, "found 17", []string{"sweep", "--ids", "1,2", "--topk", "17"}},
		{1, "trials of another sweep", []string{"sweep", "--ids", "1,2", "--topk", "1", "--state", golden + "/config.json"}},
		{2, "-o is missing", []string{"prune", "--keep", "3"}},
		{2, "want --keep from 1, or --drop", []string{"prune", "-o", file}},
		{2, "to measure on", []string{"prune", "-o", file, "--keep", "8"}},
		{1, "want a mixture layer below 6", []string{"prune", "-o", filepath.Join(dir, "out"), "--drop", "9:1"}},
		{1, "no readable trace", []string{"prune", "-o", filepath.Join(dir, "out"), "--keep", "8", "--trace", golden + "/model.safetensors"}},
		{2, "want traces, found none", []string{"report", "-o", file}},
		{2, "want one of -o", []string{"report", file}},
		{1, "no such file", []string{"report", filepath.Join(dir, "none"), "-o", file}},
		{1, "want at least 8 bytes", []string{"report", file, "-o", file}},
		{1, "no readable trace: format", []string{"report", golden + "/model.safetensors", "-o", file}},
	} {
		o := sw("", c.args...)
		name := strings.Join(c.args, " ")
		assert.Equal(t, c.code, o.code, "%s: %s", name[:min(80, len(name))], o.err)
		assert.Contains(t, o.err, c.want, name[:min(80, len(name))])
		lines := strings.Count(strings.TrimSpace(o.err), "\n")
		assert.LessOrEqual(t, lines, 1, o.err)
	}
	left, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "x", string(left), "a file that could not be written anew stays as it was")
}

func TestCancelledRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var out, errs bytes.Buffer
	w := writer(func(p []byte) (int, error) { cancel(); return out.Write(p) })
	code := dispatch(ctx, stdio{strings.NewReader(""), w, &errs}, []string{"run", "-n", "0", "And it came to pass"})
	assert.Equal(t, exitInterrupted, code)
	assert.Contains(t, errs.String(), "interrupted")
	assert.Contains(t, errs.String(), "tokens/s", "the speed so far")
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// A full disk or a closed pipe on stdout is an error, not a silence.
func TestFullOutput(t *testing.T) {
	full := writer(func([]byte) (int, error) { return 0, io.ErrShortWrite })
	code := dispatch(context.Background(), stdio{strings.NewReader(""), full, io.Discard}, []string{"run", "-n", "2", "x"})
	assert.Equal(t, exitError, code)
}

func TestTraceAndReport(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("code.go"), []byte("func main() {\n\tfmt.Println(\"<b>\")\n}\n"), 0o600))
	require.NoError(t, os.WriteFile(at("verse.txt"), []byte("And it came to pass, that the king said unto him"), 0o600))
	o := sw("", "trace", "-f", "code="+at("code.go"), "-f", "verse="+at("verse.txt"), "--entropy", "-o", at("t"))
	require.Equal(t, 0, o.code, o.err)
	o = sw("", "report", at("t"), "-o", at("r.html"), "--json", "-", "--png", at("png"))
	require.Equal(t, 0, o.code, o.err)
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(o.out), &m))
	assert.Len(t, m["layers"], 6)
	assert.Len(t, m["labels"], 2)
	page, err := os.ReadFile(at("r.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), ">And</span>", "tokens as text, by the built-in model's tokenizer")
	assert.Contains(t, string(page), "&lt;")
	assert.FileExists(t, at("png/entropy.png"))

	data, err := os.ReadFile(at("t"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at("cut"), data[:len(data)-10], 0o600))
	o = sw("", "report", at("t"), at("cut"), "-o", at("none.html"))
	assert.Equal(t, 1, o.code)
	assert.Equal(t, 1, strings.Count(o.err, "\n"), o.err)
	assert.NoFileExists(t, at("none.html"), "nothing half written")
	o = sw("", "report", at("t"), "-o", at("none.html"), "--svg", at("svg"), "--json", at("none/m.json"))
	assert.Equal(t, 1, o.code)
	assert.NoFileExists(t, at("none.html"), "all files or none")
	assert.NoDirExists(t, at("svg"))
	o = sw("", "report", at("t"), "-m", golden, "-o", at("none.html"))
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.err, "tokenizer")
}

func TestEvalSweepAndPrune(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	text := "And it came to pass, that the king said unto him"
	require.NoError(t, os.WriteFile(at("t.txt"), []byte(text), 0o600))
	var whole evaluation
	o := sw("", "eval", "-f", at("t.txt"), "--losses", at("l.csv"), "--json")
	require.Equal(t, 0, o.code, o.err)
	require.NoError(t, json.Unmarshal([]byte(o.out), &whole))
	assert.Equal(t, whole.Read-1, whole.Tokens)
	assert.Equal(t, len(text), whole.Bytes)
	assert.InDelta(t, whole.NLL/math.Ln2/float64(len(text)), *whole.BitsPerByte, 1e-12)
	rows, err := os.ReadFile(at("l.csv"))
	require.NoError(t, err)
	assert.Equal(t, whole.Read, strings.Count(string(rows), "\n"), "a head, and a line for each scored token")

	o = sw("", "sweep", "-f", at("t.txt"), "--topk", "1-4", "--gate", "drop=0:3", "--state", at("s.jsonl"), "--json")
	require.Equal(t, 0, o.code, o.err)
	var table struct {
		Baseline evaluation
		Gates    []ranked
	}
	require.NoError(t, json.Unmarshal([]byte(o.out), &table))
	require.Len(t, table.Gates, 6)
	assert.Equal(t, whole.NLL, table.Baseline.NLL)
	for i, g := range table.Gates {
		assert.Equal(t, i+1, g.Rank)
		if i > 0 {
			assert.GreaterOrEqual(t, g.NLL, table.Gates[i-1].NLL)
		}
		if g.Name == "drop=0:3" {
			var one evaluation
			require.NoError(t, json.Unmarshal([]byte(sw("", "eval", "-f", at("t.txt"), "--gate", "drop=0:3", "--json").out), &one))
			assert.Equal(t, one.NLL, g.NLL)
		}
	}
	again := sw("", "sweep", "-f", at("t.txt"), "--topk", "1-4", "--gate", "drop=0:3", "--state", at("s.jsonl"), "--json")
	assert.Equal(t, o.out, again.out, "from the file of trials")

	o = sw("", "prune", "-f", at("t.txt"), "--keep", "10", "-o", at("small"))
	require.Equal(t, 0, o.code, o.err)
	o = sw("", "eval", "-m", at("small"), "-f", at("t.txt"), "--json")
	require.Equal(t, 0, o.code, o.err)
	o = sw("", "prune", "-f", at("t.txt"), "--keep", "10", "-o", at("small"))
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.err, "new or empty folder")
}
