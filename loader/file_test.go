package loader_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestFileViews(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.safetensors")
	list := []loader.Named{named("b", tensor.BF16, 2, 3), named("a", tensor.F32, 4), named("e", tensor.F64, 0, 7)}
	require.NoError(t, loader.Write(path, list, map[string]string{"k": "v"}))
	f, err := loader.OpenFile(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b", "e"}, f.Names())
	assert.Equal(t, map[string]string{"k": "v"}, f.Metadata())
	for _, want := range list {
		got, ok := f.Tensor(want.Name)
		require.True(t, ok)
		assert.Equal(t, want.Tensor.DType, got.DType)
		assert.Equal(t, want.Tensor.Shape, got.Shape)
		assert.True(t, string(want.Tensor.Data) == string(got.Data))
	}
	_, ok := f.Tensor("c")
	assert.False(t, ok)
	x, _ := f.Tensor("a")
	y, _ := f.Tensor("a")
	assert.Same(t, unsafe.SliceData(x.Data), unsafe.SliceData(y.Data), "views of one mapping")
	assert.Len(t, x.F32s(), 4)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close(), "a second Close does nothing")
	_, ok = f.Tensor("a")
	assert.False(t, ok, "dead after Close")
}

// Headers of any length and tensors of mixed sizes put data askew; every view must still be usable as its type.
func TestAskewTensors(t *testing.T) {
	for pad := range 9 {
		header := "{" + one("a", "U8", "[1]", 0, 1) + "," + one("b", "F32", "[2]", 1, 9) + "," + one("c", "BF16", "[3]", 9, 15) + "," +
			one("d", "I64", "[1]", 15, 23) + "}"
		for range pad {
			header += " "
		}
		f, err := loader.ParseFile("f", raw(header, 23))
		require.NoError(t, err)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				b, _ := f.Tensor("b")
				c, _ := f.Tensor("c")
				d, _ := f.Tensor("d")
				assert.Len(t, b.F32s(), 2)
				assert.Equal(t, []uint16{0x0a09, 0x0c0b, 0x0e0d}, c.U16s())
				assert.Equal(t, []int64{0x161514131211100f}, d.I64s())
				again, _ := f.Tensor("b")
				assert.Same(t, unsafe.SliceData(b.Data), unsafe.SliceData(again.Data), "copied once")
			})
		}
		wg.Wait()
	}
}

func TestOpenFileRefuses(t *testing.T) {
	dir := t.TempDir()
	_, err := loader.OpenFile(dir)
	oneLine(t, err)
	assert.ErrorContains(t, err, dir+": want a file, found a folder")
	_, err = loader.OpenFile(filepath.Join(dir, "none"))
	oneLine(t, err)
	assert.ErrorIs(t, err, fs.ErrNotExist)
	path := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	_, err = loader.OpenFile(path)
	assert.ErrorIs(t, err, loader.ErrHeader)
	assert.ErrorContains(t, err, "a file of 0 bytes")
	if os.Geteuid() != 0 {
		require.NoError(t, os.Chmod(path, 0))
		_, err = loader.OpenFile(path)
		assert.ErrorIs(t, err, fs.ErrPermission)
		oneLine(t, err)
	}
}
