package loader_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// raw is a safetensors file with any header and n bytes of data.
func raw(header string, n int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	b = append(b, header...)
	for i := range n {
		b = append(b, byte(i))
	}
	return b
}

// one is the header entry of a tensor.
func one(name, dtype, shape string, begin, end any) string {
	return fmt.Sprintf(`"%s":{"dtype":"%s","shape":%s,"data_offsets":[%v,%v]}`, name, dtype, shape, begin, end)
}

// encode is the file that Write makes of the tensors.
func encode(t testing.TB, list ...loader.Named) []byte {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, loader.Write(path, list, nil))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	return data
}

// model is a folder in memory: a single file of tensors and a config.
func model(t testing.TB, list ...loader.Named) *loader.Checkpoint {
	c, err := loader.OpenFS(files("config.json", "{}", "model.safetensors", string(encode(t, list...))))
	require.NoError(t, err)
	return c
}

// files is a file system of name, content pairs.
func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

// folderOf writes name, content pairs into a new folder.
func folderOf(t testing.TB, pairs ...string) string {
	dir := t.TempDir()
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, pairs[i]), []byte(pairs[i+1]), 0o644))
	}
	return dir
}

// named is a tensor of the given dtype and shape whose bytes are 0, 1, 2, …
func named(name string, d tensor.DType, shape ...int) loader.Named {
	x := tensor.New(d, shape...)
	for i := range x.Data {
		x.Data[i] = byte(i)
	}
	return loader.Named{Name: name, Tensor: x}
}

// oneLine checks what every error of this package promises.
func oneLine(t testing.TB, err error) {
	require.Error(t, err)
	require.NotContains(t, err.Error(), "\n")
	require.Less(t, len(err.Error()), 3000)
}
