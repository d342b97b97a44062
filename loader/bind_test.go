package loader_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestBinderClaims(t *testing.T) {
	c := model(t, named("a", tensor.BF16, 2, 3), named("b", tensor.F32, 4), named("n.b", tensor.F16, 1), named("x.rotary_emb.inv_freq", tensor.F32, 8),
		named("mtp.1.w", tensor.F32, 1))
	b := loader.NewBinder(c)
	var x, y, z, none *tensor.Tensor
	b.Need(&x, "a", 2, 3)
	assert.True(t, b.Maybe(&y, "b", 4))
	assert.False(t, b.Maybe(&none, "c", 4))
	b.First(&z, []string{"n.a", "n.b"}, 1)
	b.Skip("mtp.*")
	assert.True(t, b.Has("a"))
	assert.False(t, b.Has("c"))
	require.NoError(t, b.Done())
	assert.Equal(t, tensor.BF16, x.DType)
	assert.Equal(t, tensor.F32, y.DType)
	assert.Equal(t, tensor.F16, z.DType)
	assert.Nil(t, none)
	claims := b.Claims()
	require.Len(t, claims, 3)
	assert.Equal(t, loader.Claim{Name: "a", DType: "BF16", Shape: tensor.Shape{2, 3}, Bytes: 12, File: "model.safetensors", Mapped: true}, claims[0])
}

// All faults come at once, sorted, each with its kind; the message stays one line.
func TestBinderReportsEverything(t *testing.T) {
	c := model(t, named("d", tensor.BF16, 2, 3), named("b", tensor.I32, 4), named("e", tensor.F32, 1), named("f\n", tensor.F32, 1))
	b := loader.NewBinder(c)
	var x *tensor.Tensor
	b.Need(&x, "d", 3, 2)
	b.Need(&x, "b", 4)
	b.Need(&x, "c", 7)
	b.First(&x, []string{"a", "a2"}, 1)
	assert.Nil(t, x)
	err := b.Done()
	assert.Equal(t, []string{
		"a: want a tensor [1], found none (nor a2)",
		"model.safetensors: b: want a floating-point dtype, found I32",
		"c: want a tensor [7], found none",
		"model.safetensors: d: want shape [3 2], found [2 3]",
		"model.safetensors: e: want only tensors that the model uses, found one that it does not: F32 [1]",
		`model.safetensors: f\n: want only tensors that the model uses, found one that it does not: F32 [1]`,
	}, faultsOf(err).Lines())
	for _, kind := range []error{loader.ErrMissing, loader.ErrShape, loader.ErrDType, loader.ErrUnclaimed} {
		assert.ErrorIs(t, err, kind)
	}
	oneLine(t, err)
	assert.ErrorContains(t, err, "; … and 2 more")
	assert.Equal(t, err, b.Done(), "asking twice changes nothing")
}
