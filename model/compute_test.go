package model_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// With Compute bf16 the logits move, by no more than the rounding of activations explains, and the bits depend on
// neither threads nor chunks.
func TestComputeBF16(t *testing.T) {
	logits := func(o model.Options) tensor.Mat { return builtinLogits(t, o) }
	for _, level := range levels() {
		exact := logits(model.Options{Level: level, Threads: 1})
		first := logits(model.Options{Level: level, Threads: 1, Compute: model.ComputeBF16})
		nmse := tensor.Compare(first.Data, exact.Data).NMSE
		require.Positive(t, nmse, "the option does something")
		require.Less(t, nmse, 1e-3)
		for _, chunk := range []int{1, 3} {
			got := logits(model.Options{Level: level, Threads: chunk + 1, Chunk: chunk, Compute: model.ComputeBF16})
			require.Equal(t, first.Data, got.Data, "%s, chunk %d", level, chunk)
		}
	}
	_, err := model.OpenFS(builtin.FS(), model.Options{Compute: "fp8"})
	require.ErrorIs(t, err, model.ErrOption)
	require.ErrorContains(t, err, `want f32, bf16 or bf16x3, found "fp8"`)
}

func builtinLogits(t *testing.T, o model.Options) tensor.Mat {
	ids := []int32{11, 300, 27, 5, 901, 44, 8, 8, 120, 77, 3, 512, 64, 9, 31, 402, 7, 7, 18, 250, 61}
	m, err := model.OpenFS(builtin.FS(), o)
	require.NoError(t, err)
	defer m.Close()
	out := tensor.NewMat(len(ids), m.Spec().Vocab)
	require.NoError(t, m.Prefill(context.Background(), m.NewSequence(), ids, out, nil))
	return out
}

// Compute bf16x3 has the accuracy of f32 wherever it runs, and bits that depend on neither threads nor chunks.
func TestComputeBF16x3(t *testing.T) {
	for _, level := range levels() {
		exact := builtinLogits(t, model.Options{Level: level, Threads: 1})
		first := builtinLogits(t, model.Options{Level: level, Threads: 1, Compute: model.ComputeBF16x3})
		require.Less(t, tensor.Compare(first.Data, exact.Data).NMSE, 1e-10, level)
		for _, chunk := range []int{1, 3, 17} {
			got := builtinLogits(t, model.Options{Level: level, Threads: chunk%3 + 1, Chunk: chunk, Compute: model.ComputeBF16x3})
			require.Equal(t, first.Data, got.Data, "%s, chunk %d", level, chunk)
		}
	}
}
