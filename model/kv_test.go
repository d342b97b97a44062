package model_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// toleranceF16 is how far logits may move, relative to the largest, when keys and values are rounded to halves: their
// rounding is 2⁻¹¹ of each. It is 1e-5 to 7e-4 on the goldens.
const toleranceF16 = 2e-3

// With keys and values in halves the reference's logits stay near, and bits are still the same however a text is cut,
// whoever shares the batch, and on any number of threads.
func TestGoldensKVF16(t *testing.T) {
	eachGolden(t, func(t *testing.T, open opener, golden *loader.File) {
		for _, level := range levels() {
			first := runGolden(t, open, golden, model.Options{Level: level, Threads: 1, KV: model.KVF16}, alone)
			want, ok := golden.Tensor("logits")
			require.True(t, ok)
			d := tensor.Compare(first.logits.Data, want.F32s())
			require.LessOrEqual(t, d.Rel(), toleranceF16, level)
			require.Greater(t, d.Rel(), 1e-6, "nothing was rounded")
			for _, v := range variants(true) {
				o := model.Options{Level: level, Threads: v.threads, Chunk: v.chunk, KV: model.KVF16}
				got := runGolden(t, open, golden, o, v.company)
				require.Equal(t, first.logits.Data, got.logits.Data, "logits, %+v", v)
				require.Equal(t, first.generated, got.generated, "greedy ids, %+v", v)
			}
		}
	})
}

func TestOptionKV(t *testing.T) {
	_, err := model.OpenFS(builtin.FS(), model.Options{KV: "f8"})
	require.ErrorIs(t, err, model.ErrOption)
	require.ErrorContains(t, err, `KV: want f32 or f16, found "f8"`)
}
