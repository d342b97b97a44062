package model_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// tinyPacked is a packed folder that is committed: files that were once written must stay readable.
const tinyPacked = "../testdata/packed"

// readTree is a folder's files in memory.
func readTree(t *testing.T, dir string) fstest.MapFS {
	fsys := fstest.MapFS{}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		fsys[e.Name()] = &fstest.MapFile{Data: data}
	}
	return fsys
}

// writeTree is the reverse.
func writeTree(t *testing.T, fsys fstest.MapFS) string {
	dir := t.TempDir()
	for name, f := range fsys {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), f.Data, 0o600))
	}
	return dir
}

var tinyIDs = []int32{1, 5, 9, 2, 33}

func tinyLogits(t *testing.T, open func() (*model.Model, error)) ([]float32, error) {
	m, err := open()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	out, err := m.Logits(context.Background(), tinyIDs)
	require.NoError(t, err)
	return out.Data, nil
}

// Kernels read what an independent reader reads: every weight, bit for bit, and their products.
func TestPackedAgainstNumpy(t *testing.T) {
	golden := readFile(t, "../testdata/packed-numpy.safetensors")
	file := readFile(t, tinyPacked+"/model.safetensors")
	eng, err := kernels.New(kernels.Options{})
	require.NoError(t, err)
	defer eng.Close()
	forms := map[string]int{}
	for name, note := range file.Metadata() {
		want, ok := golden.Tensor(name)
		if name == "format" {
			continue
		}
		require.True(t, ok, name)
		form, _, _ := strings.Cut(note, " ")
		forms[form]++
		d := map[string]tensor.DType{"Q8P16": tensor.Q8P, "Q4P16": tensor.Q4P}[form]
		x, _ := file.Tensor(name)
		m, err := kernels.PackedMatrix(d, want.Shape[0], want.Shape[1], x.Data)
		require.NoError(t, err, name)
		row := make([]float32, m.Cols)
		for i := range m.Rows {
			m.Row(row, i)
			require.Equal(t, want.F32s()[i*m.Cols:(i+1)*m.Cols], row, "%s row %d", name, i)
		}
		products(t, eng, name, m, want.F32s())
	}
	assert.Positive(t, forms["Q8P16"])
	assert.Positive(t, forms["Q4P16"])
}

// products multiplies unit vectors, which quantisation leaves as they are, so that each picks a column of the weight.
func products(t *testing.T, eng *kernels.Engine, name string, m kernels.Matrix, want []float32) {
	x, y := tensor.NewMat(m.Cols, m.Cols), tensor.NewMat(m.Cols, m.Rows)
	for k := range m.Cols {
		x.Row(k)[k] = 127
	}
	eng.MatMul(kernels.Product{Dst: y, X: x, W: m})
	for k := range m.Cols {
		for n := range m.Rows {
			require.InDelta(t, 127*want[n*m.Cols+k], y.Row(k)[n], 1e-4, "%s [%d %d]", name, n, k)
		}
	}
}

// Any byte of the header of a packed file that is not as it was makes the folder unreadable, or means the same.
func TestDamagedPackedHeader(t *testing.T) {
	fsys := readTree(t, tinyPacked)
	open := func() (*model.Model, error) { return model.OpenFS(fsys, model.Options{Threads: 1}) }
	want, err := tinyLogits(t, open)
	require.NoError(t, err)
	data := fsys["model.safetensors"].Data
	head := 8 + int(binary.LittleEndian.Uint64(data))
	masks := []byte{1, 2, 4, 8, 16, 32, 64, 128, 255}
	if testing.Short() {
		masks = masks[:2]
	}
	opened := 0
	for i := range head {
		for _, mask := range masks {
			data[i] ^= mask
			got, err := tinyLogits(t, open)
			if err == nil {
				opened++
				require.Equal(t, want, got, "byte %d ^ %d", i, mask)
			}
			data[i] ^= mask
		}
	}
	assert.Less(t, opened, 200, "only white space may change")
}

// A file rewritten by other software may hold panels askew: they are copied, and nothing else changes.
func TestPackedAskew(t *testing.T) {
	fsys := readTree(t, tinyPacked)
	want, err := tinyLogits(t, func() (*model.Model, error) { return model.Open(tinyPacked, model.Options{}) })
	require.NoError(t, err)
	data := fsys["model.safetensors"].Data
	n := binary.LittleEndian.Uint64(data)
	moved := binary.LittleEndian.AppendUint64(nil, n+8)
	moved = append(append(append(moved, data[8:8+n]...), "        "...), data[8+n:]...)
	fsys["model.safetensors"].Data = moved
	dir := writeTree(t, fsys)
	got, err := tinyLogits(t, func() (*model.Model, error) { return model.Open(dir, model.Options{}) })
	require.NoError(t, err)
	assert.Equal(t, want, got)
	m, err := model.Open(dir, model.Options{})
	require.NoError(t, err)
	defer m.Close()
	for _, c := range m.Claims() {
		packed := strings.HasPrefix(c.DType, "Q")
		assert.Equal(t, !packed, c.Mapped, c.Name)
	}
}

// What config.json says of the packing is held to, and so is what the files say.
func TestPackedThatDoNotFit(t *testing.T) {
	for _, c := range []struct {
		key   string
		value any
		want  string
	}{
		{"version", 2, "version"},
		{"version", nil, "version"},
		{"scheme", "int8", "Q8P16"},
		{"scheme", "int3", "scheme"},
		{"layout", "panel8", "layout"},
		{"block", 64, "block"},
		{"extra", 1, "extra"},
		{"quant_method", "gptq", "want shape"},
	} {
		fsys := readTree(t, tinyPacked)
		keys := map[string]any{}
		require.NoError(t, json.Unmarshal(fsys["config.json"].Data, &keys))
		quant := keys["quantization_config"].(map[string]any)
		quant[c.key] = c.value
		data, err := json.Marshal(keys)
		require.NoError(t, err)
		fsys["config.json"].Data = data
		_, err = model.OpenFS(fsys, model.Options{})
		require.Error(t, err, "%s=%v", c.key, c.value)
		assert.ErrorContains(t, err, c.want, "%s=%v", c.key, c.value)
		assert.Less(t, len(err.Error()), 4000)
	}
}

// A packed folder has its own scheme: asking for another one is refused, for the same one accepted.
func TestQuantOfPacked(t *testing.T) {
	dir := quantized(t, goldens+"/mixtral", "int8")
	for _, quant := range []string{"none", "int4", "mixed"} {
		_, err := model.Open(dir, model.Options{Quant: quant})
		require.ErrorIs(t, err, model.ErrOption)
		assert.ErrorContains(t, err, "want int8")
		assert.ErrorContains(t, err, "found "+quant)
	}
	m, err := model.Open(dir, model.Options{Quant: "int8"})
	require.NoError(t, err)
	require.NoError(t, m.Close())
	_, err = model.Open(dir, model.Options{Quant: "int3"})
	require.ErrorIs(t, err, model.ErrOption)
	err = model.Quantize(context.Background(), dir, filepath.Join(t.TempDir(), "x"), model.QuantizeOptions{Scheme: "int4"})
	require.ErrorIs(t, err, model.ErrOption)
	assert.ErrorContains(t, err, "packed as int8")
}

// The bytes written depend on nothing but the source and the scheme; several shards hold what one file holds.
func TestQuantizeWrites(t *testing.T) {
	ctx := context.Background()
	src := goldens + "/llama-sharded"
	var first fstest.MapFS
	for i, o := range []model.QuantizeOptions{{Threads: 1}, {Threads: 3, Level: "generic"}} {
		o.Scheme = "mixed"
		dst := t.TempDir() // an empty folder is taken
		require.NoError(t, model.Quantize(ctx, src, dst, o))
		got := readTree(t, dst)
		if i == 0 {
			first = got
			continue
		}
		for name := range first {
			assert.Equal(t, first[name].Data, got[name].Data, name)
		}
		assert.Len(t, got, len(first))
	}
	var last, total int64
	o := model.QuantizeOptions{Scheme: "mixed", Shard: 50_000, Progress: func(d, t int64) {
		last, total = d, t
	}}
	dst := filepath.Join(t.TempDir(), "dst")
	require.NoError(t, model.Quantize(ctx, src, dst, o))
	assert.Equal(t, total, last)
	shards, err := filepath.Glob(dst + "/model-*-of-*.safetensors")
	require.NoError(t, err)
	assert.Greater(t, len(shards), 2)
	whole, err := model.OpenFS(first, model.Options{})
	require.NoError(t, err)
	defer whole.Close()
	parts, err := model.Open(dst, model.Options{})
	require.NoError(t, err)
	defer parts.Close()
	a, err := whole.Logits(ctx, tinyIDs)
	require.NoError(t, err)
	b, err := parts.Logits(ctx, tinyIDs)
	require.NoError(t, err)
	assert.Equal(t, a.Data, b.Data)
	for _, c := range parts.Claims() {
		assert.True(t, c.Mapped, "%s lies askew", c.Name)
	}
}

// config.json goes along key by key, and with it the small files, but no weights of another form.
func TestQuantizeCopies(t *testing.T) {
	src := writeTree(t, readTree(t, goldens+"/mixtral"))
	for _, name := range []string{"chat_template.jinja", "LICENSE", "weights.bin", "notes.pdf"} {
		require.NoError(t, os.WriteFile(filepath.Join(src, name), []byte(name), 0o600))
	}
	got := readTree(t, quantized(t, src, "int8"))
	assert.Contains(t, got, "chat_template.jinja")
	assert.Contains(t, got, "LICENSE")
	assert.Contains(t, got, "generation_config.json")
	assert.NotContains(t, got, "weights.bin")
	assert.NotContains(t, got, "notes.pdf")
	var before, after map[string]any
	data, err := os.ReadFile(src + "/config.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &before))
	require.NoError(t, json.Unmarshal(got["config.json"].Data, &after))
	before["quantization_config"] = map[string]any{
		"quant_method": "switchyard", "version": 1.0, "scheme": "int8", "layout": "panel16", "block": 32.0,
	}
	assert.Equal(t, before, after)
}

// Whatever goes wrong leaves nothing behind and touches nothing that was there.
func TestQuantizeRefuses(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	full := writeTree(t, fstest.MapFS{"old": {Data: []byte("old")}})
	run := func(ctx context.Context, src, dst, scheme string, progress func(_, _ int64)) error {
		return model.Quantize(ctx, src, dst, model.QuantizeOptions{Scheme: scheme, Progress: progress})
	}
	err := run(ctx, goldens+"/mixtral", full, "int8", nil)
	require.ErrorIs(t, err, model.ErrOption)
	assert.ErrorContains(t, err, `found "old"`)
	require.Error(t, run(ctx, goldens+"/mixtral", full+"/old", "int8", nil), "a file")
	left := readTree(t, full)
	require.Len(t, left, 1)
	assert.Equal(t, "old", string(left["old"].Data))

	parent := t.TempDir()
	dst := filepath.Join(parent, "dst")
	require.ErrorIs(t, run(ctx, goldens+"/mixtral", dst, "int3", nil), model.ErrOption)
	require.ErrorIs(t, run(ctx, parent, dst, "int8", nil), loader.ErrNotModel)
	require.Error(t, run(ctx, goldens+"/mixtral", filepath.Join(dst, "below"), "int8", nil))
	err = run(ctx, goldens+"/mixtral", dst, "int8", func(_, _ int64) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	assertNothing(t, parent)
	_, err = model.OpenContext(ctx, goldens+"/mixtral", model.Options{Quant: "int8"})
	require.ErrorIs(t, err, context.Canceled)
}
