package loader_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Whatever is written reads back the same, and every tensor is a view of the file, not a copy.
func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "f.safetensors")
	names := []string{"a", "", "model.layers.0.w", "ü\n\"\\", "<&>", "\u2028", "😀"}
	for range 200 {
		var list []loader.Named
		for _, name := range names[:r.IntN(len(names)+1)] {
			shape := make([]int, r.IntN(4))
			for i := range shape {
				shape[i] = r.IntN(5)
			}
			list = append(list, named(name, tensor.F64+tensor.DType(r.IntN(15)), shape...))
		}
		meta := map[string]string{"<k>": "ü\u2028\n"}
		require.NoError(t, loader.Write(path, list, meta))
		f, err := loader.OpenFile(path)
		require.NoError(t, err)
		require.Equal(t, meta, f.Metadata())
		require.Len(t, f.Names(), len(list))
		for _, want := range list {
			got, ok := f.Tensor(want.Name)
			require.True(t, ok, "%q", want.Name)
			require.Equal(t, want.Tensor.DType, got.DType)
			require.True(t, want.Tensor.Shape.Equal(got.Shape))
			require.True(t, string(want.Tensor.Data) == string(got.Data))
		}
		require.NoError(t, f.Close())
	}
}

func TestWriteAligns(t *testing.T) {
	data := encode(t, named("a", tensor.U8, 3), named("b", tensor.BF16, 3), named("c", tensor.F32, 3), named("d", tensor.I64, 3))
	f, err := loader.ParseFile("f", data)
	require.NoError(t, err)
	for _, n := range f.Names() {
		x, _ := f.Tensor(n)
		y, _ := f.Tensor(n)
		assert.True(t, &x.Data[0] == &y.Data[0])
	}
	assert.Zero(t, (len(data)-(3+6+12+24))%64, "data begins on a cache line")
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.safetensors")
	x := named("x", tensor.F32, 2)
	cut := &tensor.Tensor{DType: tensor.F32, Shape: tensor.Shape{3}, Data: x.Tensor.Data}
	for name, list := range map[string][]loader.Named{
		"two of a name": {x, x},
		"reserved name": {{Name: "__metadata__", Tensor: x.Tensor}},
		"not UTF-8":     {{Name: "\xff", Tensor: x.Tensor}},
		"short data":    {{Name: "cut", Tensor: cut}},
		"no dtype":      {{Name: "none", Tensor: &tensor.Tensor{}}},
		"negative":      {{Name: "neg", Tensor: &tensor.Tensor{DType: tensor.U8, Shape: tensor.Shape{-1}}}},
	} {
		err := loader.Write(path, list, nil)
		require.ErrorIs(t, err, loader.ErrTensor, name)
		oneLine(t, err)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestWriteKeepsTheOldFileOnError(t *testing.T) {
	dir := folderOf(t, "old.safetensors", "old")
	bad := &tensor.Tensor{DType: tensor.F32, Shape: tensor.Shape{3}}
	require.Error(t, loader.Write(filepath.Join(dir, "old.safetensors"), []loader.Named{{Name: "x", Tensor: bad}}, nil))
	onlyOld(t, dir)
}

func onlyOld(t *testing.T, dir string) {
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing half written")
	data, err := os.ReadFile(filepath.Join(dir, "old.safetensors"))
	require.NoError(t, err)
	require.Equal(t, "old", string(data))
}

// Several files are all written or none.
func TestReplaceFiles(t *testing.T) {
	dir := folderOf(t, "old", "old")
	at := func(name string) string { return filepath.Join(dir, name) }
	require.Error(t, loader.ReplaceFiles(map[string][]byte{at("a"): []byte("a"), at("old"): []byte("new"), at("none/b"): nil}))
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, list, 1)
	require.NoError(t, loader.ReplaceFiles(map[string][]byte{at("a"): []byte("a"), at("old"): []byte("new")}))
	for name, want := range map[string]string{"a": "a", "old": "new"} {
		got, err := os.ReadFile(at(name))
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
	list, err = os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, list, 2)
}

func TestWriteTargets(t *testing.T) {
	list := []loader.Named{named("x", tensor.F32, 2)}
	dir := folderOf(t, "old.safetensors", "old")
	err := loader.Write(filepath.Join(dir, "none", "f"), list, nil)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	oneLine(t, err)
	err = loader.Write(dir, list, nil)
	assert.ErrorContains(t, err, "want a plain file")
	oneLine(t, err)
	if runtime.GOOS == "windows" {
		return
	}
	assert.ErrorContains(t, loader.Write(os.DevNull, list, nil), "want a plain file", "a rename would destroy the device")
	old, link := filepath.Join(dir, "old.safetensors"), filepath.Join(dir, "link")
	require.NoError(t, os.Chmod(old, 0o600))
	require.NoError(t, os.Symlink("old.safetensors", link))
	require.NoError(t, loader.Write(link, list, nil))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&fs.ModeSymlink, "the link is followed, not replaced")
	info, err = os.Stat(old)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), "the mode of the old file stays")
	_, err = loader.OpenFile(old)
	assert.NoError(t, err)
}
