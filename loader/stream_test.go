package loader_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestStreamWritesWhatWriteWrites(t *testing.T) {
	dir := t.TempDir()
	x := tensor.FromF32([]float32{1, 2, 3, 4, 5, 6}, 3, 2)
	u := tensor.FromU16([]uint16{7, 8, 9}, 3)
	meta := map[string]string{"k": "v"}
	require.NoError(t, loader.Write(filepath.Join(dir, "a"), []loader.Named{{Name: "u", Tensor: u}, {Name: "x", Tensor: x}}, meta))
	s, err := loader.Create(filepath.Join(dir, "b"), []loader.Planned{{Name: "u", DType: tensor.U16, Shape: u.Shape}, {Name: "x", DType: tensor.F32, Shape: x.Shape}}, meta)
	require.NoError(t, err)
	require.NoError(t, s.Put("x", 1, x.Rows(1, 3).Data))
	require.NoError(t, s.Put("u", 0, u.Data))
	require.NoError(t, s.Put("x", 0, x.Rows(0, 1).Data))
	_, err = os.Stat(filepath.Join(dir, "b"))
	require.ErrorIs(t, err, os.ErrNotExist, "nothing under its name before Commit")
	require.NoError(t, s.Commit())
	s.Abort()
	a, err := os.ReadFile(filepath.Join(dir, "a"))
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(dir, "b"))
	require.NoError(t, err)
	assert.Equal(t, a, b)
	assert.Panics(t, func() { _ = s.Put("x", 3, x.Data[:8]) })
}

func TestStreamAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := loader.Create(filepath.Join(dir, "c"), []loader.Planned{{Name: "x", DType: tensor.F32, Shape: tensor.Shape{2}}}, nil)
	require.NoError(t, err)
	s.Abort()
	s.Abort()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
	_, err = loader.Create(filepath.Join(dir, "d"), []loader.Planned{{Name: "x", DType: tensor.F32, Shape: tensor.Shape{-1}}}, nil)
	require.ErrorIs(t, err, loader.ErrTensor)
	_, err = loader.Create(dir, nil, nil)
	require.ErrorContains(t, err, "found a folder")
}
