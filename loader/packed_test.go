package loader_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// packedFolder is a checkpoint with packed tensor "p" between two others, and metadata.
func packedFolder(t *testing.T, d tensor.DType, meta map[string]string) *loader.Checkpoint {
	dir := folderOf(t, "config.json", "{}")
	plan := []loader.Planned{
		{Name: "a", DType: tensor.F32, Shape: tensor.Shape{3}},
		{Name: "p", DType: d, Shape: tensor.Shape{2, 64}, Align: 64},
		{Name: "b", DType: tensor.BF16, Shape: tensor.Shape{5}},
		{Name: "q", DType: tensor.U8, Shape: tensor.Shape{1, 128}, Align: 64},
	}
	s, err := loader.Create(filepath.Join(dir, "model.safetensors"), plan, meta)
	require.NoError(t, err)
	row := bytes.Repeat([]byte{7}, 64)
	require.NoError(t, s.Put("p", 1, row))
	require.NoError(t, s.Commit())
	c, err := loader.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestPackedClaims(t *testing.T) {
	want := loader.Packed{Name: "p", DType: tensor.Q8P, Rows: 20, Cols: 4, Panels: 2, Bytes: 64, Note: "Q8P16 20x4"}
	good := map[string]string{"format": loader.PackedFormat, "p": "Q8P16 20x4"}
	c := packedFolder(t, tensor.U8, good)
	b := loader.NewBinder(c)
	b.Skip("a", "b", "q")
	data := b.Packed(want)
	require.NoError(t, b.Done())
	require.Len(t, data, 128)
	assert.Zero(t, uintptr(unsafe.Pointer(&data[0]))%64)
	assert.Equal(t, byte(7), data[64])
	claim := b.Claims()[0]
	assert.Equal(t, tensor.Shape{20, 4}, claim.Shape)
	assert.Equal(t, "Q8P16", claim.DType)
	assert.True(t, claim.Mapped)

	for name, bad := range map[string]struct {
		dtype tensor.DType
		meta  map[string]string
		kind  error
		want  func(*loader.Packed)
	}{
		"dtype":      {tensor.I8, good, loader.ErrDType, nil},
		"no format":  {tensor.U8, map[string]string{"p": "Q8P16 20x4"}, loader.ErrHeader, nil},
		"no entry":   {tensor.U8, map[string]string{"format": loader.PackedFormat}, loader.ErrHeader, nil},
		"other form": {tensor.U8, map[string]string{"format": loader.PackedFormat, "p": "Q4P16 20x4"}, loader.ErrHeader, nil},
		"panels":     {tensor.U8, good, loader.ErrShape, func(p *loader.Packed) { p.Panels = 3 }},
		"bytes":      {tensor.U8, good, loader.ErrShape, func(p *loader.Packed) { p.Bytes = 128 }},
		"missing":    {tensor.U8, good, loader.ErrMissing, func(p *loader.Packed) { p.Name = "nowhere" }},
	} {
		b := loader.NewBinder(packedFolder(t, bad.dtype, bad.meta))
		b.Skip("a", "b", "q", "p")
		p := want
		if bad.want != nil {
			bad.want(&p)
		}
		assert.Nil(t, b.Packed(p), name)
		err := b.Done()
		require.ErrorIs(t, err, bad.kind, name)
		oneLine(t, err)
	}
}

// Tensors that ask for a place at a multiple of 64 stand before all others, whatever the order of the plan.
func TestStreamAligns(t *testing.T) {
	c := packedFolder(t, tensor.U8, nil)
	data, err := os.ReadFile(c.Files()[0].Name)
	require.NoError(t, err)
	at := bytes.Index(data, bytes.Repeat([]byte{7}, 64))
	assert.Zero(t, at%64)
	_, err = loader.Create(filepath.Join(t.TempDir(), "x"), []loader.Planned{
		{Name: "p", DType: tensor.U8, Shape: tensor.Shape{1, 63}, Align: 64}, {Name: "q", DType: tensor.U8, Shape: tensor.Shape{1, 64}, Align: 64},
	}, nil)
	require.ErrorIs(t, err, loader.ErrTensor)
}

// Released pages come back from the file with the same bytes.
func TestRelease(t *testing.T) {
	dir := folderOf(t, "config.json", "{}")
	x := named("x", tensor.F32, 1<<16)
	require.NoError(t, loader.Write(filepath.Join(dir, "model.safetensors"), []loader.Named{x}, nil))
	c, err := loader.Open(dir)
	require.NoError(t, err)
	defer c.Close()
	v, _ := c.Tensor("x")
	require.Equal(t, x.Tensor.Data, v.Data)
	c.Release(v.Data[100:])
	c.Release(nil)
	c.Release(make([]byte, 1<<14))
	assert.Equal(t, x.Tensor.Data, v.Data)
	inMemory := model(t, x)
	v, _ = inMemory.Tensor("x")
	inMemory.Release(v.Data)
	assert.Equal(t, x.Tensor.Data, v.Data)
}

// Transposed experts that are left as they lie give the rows that the copies have.
func TestLeaveTurned(t *testing.T) {
	for _, d := range dims {
		list := transposed("mlp.experts.gate_up_proj", "mlp.experts.down_proj", d.e, d.i, d.h)
		copies := loader.NewBinder(model(t, list...))
		want := copies.Experts(at, d.e, d.i, d.h)
		require.NoError(t, copies.Done())
		left := loader.NewBinder(model(t, list...))
		left.LeaveTurned()
		got := left.Experts(at, d.e, d.i, d.h)
		require.NoError(t, left.Done())
		if want.Layout != "E" {
			require.Nil(t, got.Turned, "%+v", d)
			continue
		}
		require.Len(t, got.Turned, d.e)
		assert.True(t, left.Claims()[0].Mapped)
		for e := range d.e {
			for j, w := range []*tensor.Tensor{want.Gate[e], want.Up[e], want.Down[e]} {
				turned, rows := got.Turned[e][j], w.Shape[0]
				require.Equal(t, rows, turned.Rows)
				for a := 0; a < rows; a += 2 {
					b := min(a+2, rows)
					part := tensor.New(w.DType, b-a, w.Shape[1])
					turned.Fill(part.Data, a, b)
					require.Equal(t, w.Rows(a, b).Data, part.Data, "%+v expert %d matrix %d rows %d", d, e, j, a)
				}
				require.Panics(t, func() { turned.Fill(nil, 0, rows+1) })
			}
		}
	}
}

func TestAlloc(t *testing.T) {
	for _, n := range []int{0, 1, 4097, 3 << 20} {
		data, free, err := loader.Alloc(n)
		require.NoError(t, err)
		require.Len(t, data, n)
		if n > 0 {
			assert.Zero(t, uintptr(unsafe.Pointer(&data[0]))%loader.PackedAlign)
			assert.Equal(t, n, bytes.Count(data, []byte{0}))
			data[n-1] = 1
		}
		require.NoError(t, free())
	}
}
