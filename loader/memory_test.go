package loader_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func TestFromMemory(t *testing.T) {
	w := tensor.FromF32([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
	c, err := loader.FromMemory([]byte(`{"model_type":"llama"}`), []loader.Named{{Name: "w", Tensor: w}, {Name: "v", Tensor: tensor.FromF32([]float32{7}, 1)}})
	require.NoError(t, err)
	require.Equal(t, []string{"v", "w"}, c.Names())
	require.Equal(t, "llama", c.Config().String("model_type"))
	require.NoError(t, c.GenerationConfig().Err())
	_, err = c.ReadFile("tokenizer.json")
	require.Error(t, err)

	b := loader.NewBinder(c)
	var got *tensor.Tensor
	b.Need(&got, "w", 2, 3)
	require.Equal(t, w.F32s(), got.F32s())
	require.Same(t, &w.Data[0], &got.Data[0], "no copy")
	require.False(t, b.Claims()[0].Mapped)
	require.ErrorIs(t, b.Done(), loader.ErrUnclaimed, "v was not claimed")
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
}

func TestFromMemoryRefuses(t *testing.T) {
	ok := tensor.FromF32([]float32{1}, 1)
	short := &tensor.Tensor{DType: tensor.F32, Shape: tensor.Shape{2}, Data: make([]byte, 4)}
	for name, list := range map[string][]loader.Named{
		"twice": {{Name: "a", Tensor: ok}, {Name: "a", Tensor: ok}},
		"short": {{Name: "a", Tensor: short}},
	} {
		_, err := loader.FromMemory([]byte("{}"), list)
		require.ErrorIs(t, err, loader.ErrTensor, name)
	}
	_, err := loader.FromMemory([]byte("{"), nil)
	require.ErrorIs(t, err, loader.ErrConfig)
}
