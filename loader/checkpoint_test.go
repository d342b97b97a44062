package loader_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const index = "model.safetensors.index.json"

// sharded is a folder of two shards with one tensor each, and the given weight_map.
func sharded(t testing.TB, weightMap string) fstest.MapFS {
	return files("config.json", `{"model_type":"x"}`, index, `{"metadata":{"total_size":8},"weight_map":`+weightMap+`}`,
		"m-1.safetensors", string(encode(t, named("a", tensor.F32, 1))),
		"m-2.safetensors", string(encode(t, named("b", tensor.F32, 1))))
}

func TestOpenSingle(t *testing.T) {
	x := named("w", tensor.BF16, 3)
	dir := folderOf(t, "config.json", `{"model_type":"x"}`, "generation_config.json", `{"eos_token_id":[1,2]}`,
		"model.safetensors", string(encode(t, x)), "golden.safetensors", "not looked at", "tokenizer.json", "{}")
	c, err := loader.Open(dir)
	require.NoError(t, err)
	assert.Equal(t, dir, c.Dir())
	assert.Equal(t, []string{"w"}, c.Names())
	w, ok := c.Tensor("w")
	require.True(t, ok)
	assert.Equal(t, x.Tensor.Data, w.Data)
	_, ok = c.Tensor("v")
	assert.False(t, ok)
	assert.Equal(t, "x", c.Config().String("model_type"))
	assert.Equal(t, []int{1, 2}, c.GenerationConfig().IntsOrInt("eos_token_id"))
	require.Len(t, c.Files(), 1)
	assert.Equal(t, filepath.Join(dir, "model.safetensors"), c.Files()[0].Name)
	data, err := c.ReadFile("tokenizer.json")
	require.NoError(t, err)
	assert.Equal(t, "{}", string(data))
	_, err = c.ReadFile("none.json")
	assert.ErrorIs(t, err, fs.ErrNotExist)
	bad := c.Config()
	bad.Int("none", 1, 2)
	assert.Error(t, bad.Err())
	assert.NoError(t, c.Config().Err(), "each reader has its own faults")
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	_, ok = c.Tensor("w")
	assert.False(t, ok)
}

func TestOpenSharded(t *testing.T) {
	c, err := loader.OpenFS(sharded(t, `{"a":"m-1.safetensors","b":"m-2.safetensors"}`))
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, c.Names())
	assert.Len(t, c.Files(), 2)
	assert.Empty(t, c.GenerationConfig().Keys())
	assert.False(t, c.GenerationConfig().Has("eos_token_id"))
	assert.Empty(t, c.Dir())
}

func TestHostileIndex(t *testing.T) {
	for name, k := range map[string]struct{ weightMap, words string }{
		"up":             {`{"a":"../m-1.safetensors"}`, `"a": want a file name inside the folder, found "../m-1.safetensors"`},
		"absolute":       {`{"a":"/etc/passwd"}`, "inside the folder"},
		"drive":          {`{"a":"C:m"}`, "inside the folder"},
		"backslash":      {`{"a":"..\\m"}`, "inside the folder"},
		"inner folder":   {`{"a":"x/../../m"}`, "inside the folder"},
		"dots":           {`{"a":".."}`, "inside the folder"},
		"dot":            {`{"a":"."}`, "inside the folder"},
		"no name":        {`{"a":""}`, "inside the folder"},
		"zero byte":      {`{"a":"m\u0000"}`, "inside the folder"},
		"missing shard":  {`{"a":"m-3.safetensors"}`, "want shard m-3.safetensors, found file does not exist"},
		"missing tensor": {`{"a":"m-1.safetensors","b":"m-2.safetensors","c":"m-1.safetensors"}`, "c: want a tensor in m-1.safetensors"},
		"wrong shard":    {`{"a":"m-2.safetensors","b":"m-2.safetensors"}`, "a: want a tensor in m-2.safetensors"},
		"not listed":     {`{"a":"m-1.safetensors","a2":"m-2.safetensors"}`, "b: want an entry for the tensor in m-2.safetensors"},
		"number":         {`{"a":1}`, "want a string"},
		"list":           {`[]`, "want '{'"},
		"duplicate":      {`{"a":"m-1.safetensors","a":"m-1.safetensors"}`, "duplicate key"},
		"newline":        {`{"a":"m\n1"}`, `m\n1`},
	} {
		_, err := loader.OpenFS(sharded(t, k.weightMap))
		require.ErrorIs(t, err, loader.ErrIndex, name)
		oneLine(t, err)
		assert.ErrorContains(t, err, k.words, name)
		assert.ErrorContains(t, err, index, name)
	}
}

// A tensor in two shards is refused whichever of them the index names.
func TestDuplicateAmongShards(t *testing.T) {
	fsys := sharded(t, `{"a":"m-1.safetensors","b":"m-2.safetensors"}`)
	fsys["m-2.safetensors"].Data = encode(t, named("a", tensor.F32, 1), named("b", tensor.F32, 1))
	_, err := loader.OpenFS(fsys)
	require.ErrorIs(t, err, loader.ErrIndex)
	assert.ErrorContains(t, err, "a: want the tensor in m-1.safetensors only, found it in m-2.safetensors too")
}

func TestIndexWithoutMap(t *testing.T) {
	for _, text := range []string{`{}`, `{"metadata":{}}`, `[]`, ``, `{"weight_map":{}`} {
		_, err := loader.OpenFS(files("config.json", "{}", index, text))
		require.ErrorIs(t, err, loader.ErrIndex, text)
		oneLine(t, err)
	}
}

func TestBrokenShardIsNamed(t *testing.T) {
	fsys := sharded(t, `{"a":"m-1.safetensors","b":"m-2.safetensors"}`)
	fsys["m-2.safetensors"].Data = fsys["m-2.safetensors"].Data[:20]
	_, err := loader.OpenFS(fsys)
	require.ErrorIs(t, err, loader.ErrHeader)
	assert.ErrorContains(t, err, "m-2.safetensors: header: ")
}

func TestNotAModel(t *testing.T) {
	for words, dir := range map[string]string{
		"config.json, found an empty folder": folderOf(t),
		"config.json, found no such file":    folderOf(t, "notes.txt", ""),
		"found model.gguf (a GGUF file":      folderOf(t, "model.gguf", ""),
		"model.safetensors or model.safetensors.index.json, found pytorch_model.bin (PyTorch weights": folderOf(t, "config.json", "{}", "pytorch_model.bin", ""),
		"found consolidated.00.pth (PyTorch":                    folderOf(t, "config.json", "{}", "consolidated.00.pth", ""),
		"found adapter_model.safetensors (safetensors under an": folderOf(t, "config.json", "{}", "adapter_model.safetensors", ""),
	} {
		_, err := loader.Open(dir)
		require.ErrorIs(t, err, loader.ErrNotModel)
		oneLine(t, err)
		assert.ErrorContains(t, err, words)
		assert.ErrorContains(t, err, dir)
	}
	dir := folderOf(t, "file", "")
	_, err := loader.Open(filepath.Join(dir, "file"))
	require.ErrorIs(t, err, loader.ErrNotModel)
	assert.ErrorContains(t, err, "want a model folder, found a file")
	_, err = loader.Open(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	oneLine(t, err)
}

func TestBadConfigs(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "list": "[]", "cut": `{"a":`, "twice": `{"a":1,"a":1}`, "BOM": "\ufeff{}"} {
		_, err := loader.OpenFS(files("config.json", text, "model.safetensors", string(encode(t))))
		require.ErrorIs(t, err, loader.ErrConfig, name)
		oneLine(t, err)
		assert.ErrorContains(t, err, "config.json: ", name)
		_, err = loader.OpenFS(files("config.json", "{}", "generation_config.json", text, "model.safetensors", string(encode(t))))
		require.ErrorIs(t, err, loader.ErrConfig, name)
		assert.ErrorContains(t, err, "generation_config.json: ", name)
	}
	dir := folderOf(t, "config.json", strings.Repeat(" ", 16<<20)+"{}", "model.safetensors", string(encode(t)))
	_, err := loader.Open(dir)
	require.ErrorIs(t, err, loader.ErrConfig)
	assert.ErrorContains(t, err, "want at most 16777216 bytes, found 16777218")
	oneLine(t, err)
}

// locked is a file system in which one file may not be read.
type locked struct {
	fs.FS
	name string
}

func (l locked) Open(name string) (fs.File, error) {
	if name == l.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return l.FS.Open(name)
}

func TestNoPermission(t *testing.T) {
	for _, name := range []string{"config.json", "generation_config.json", "m-2.safetensors", index} {
		fsys := sharded(t, `{"a":"m-1.safetensors","b":"m-2.safetensors"}`)
		fsys["generation_config.json"] = &fstest.MapFile{Data: []byte("{}")}
		_, err := loader.OpenFS(locked{fsys, name})
		require.ErrorIs(t, err, fs.ErrPermission, name)
		oneLine(t, err)
		assert.ErrorContains(t, err, name+": permission denied")
	}
}

// Downloaded folders hold links to a store of blobs: those must be followed.
func TestLinkedFiles(t *testing.T) {
	store := folderOf(t, "blob1", "{}", "blob2", string(encode(t, named("w", tensor.F32, 1))))
	dir := t.TempDir()
	if err := errors.Join(os.Symlink(filepath.Join(store, "blob1"), filepath.Join(dir, "config.json")),
		os.Symlink(filepath.Join(store, "blob2"), filepath.Join(dir, "model.safetensors"))); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	c, err := loader.Open(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"w"}, c.Names())
	require.NoError(t, c.Close())
}
