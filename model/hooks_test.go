package model_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// tap is a hook that calls a function.
type tap struct {
	points moe.Point
	at     func(p moe.Point, v *moe.View)
}

func (h tap) Points() moe.Point { return h.points }
func (h tap) At(p moe.Point, v *moe.View) error {
	h.at(p, v)
	return nil
}

// The stream behind a layer is the stream before it plus the layer's output; a hook that looks changes no bit, and one
// that takes the output away leaves the stream as it was.
func TestHooksOfTheStream(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	ids, out := prompt(11, 5), tensor.NewMat(11, m.Spec().Vocab)
	want, err := m.Logits(context.Background(), ids)
	require.NoError(t, err)
	var in, sum []float32
	var x tensor.Mat
	var chosen map[int32]bool
	layers := 0
	look := tap{moe.PointResidualIn | moe.PointResidualOut | moe.PointOutput | moe.PointGateInput | moe.PointWeights, func(p moe.Point, v *moe.View) {
		switch p {
		case moe.PointResidualIn:
			in = append(in[:0], v.X.Data...)
		case moe.PointGateInput:
			x = tensor.NewMat(v.X.Rows, v.X.Cols)
			copy(x.Data, v.X.Data)
		case moe.PointWeights:
			chosen = map[int32]bool{}
			first, _ := v.Routing.Of(0)
			for _, e := range first {
				chosen[e] = true
			}
		case moe.PointOutput:
			sum = append(sum[:0], v.Sum.Data...)
		case moe.PointResidualOut:
			for i := range in {
				in[i] += sum[i]
			}
			assert.Equal(t, in, v.X.Data, "layer %d", v.Layer)
			layers++
		}
	}}
	require.NoError(t, m.Prefill(context.Background(), m.NewSequence(), ids, out, moe.Observe(look)))
	assert.Equal(t, want.Data, out.Data)
	assert.Equal(t, 6, layers)

	// Counterfactual outputs of the last layer: an expert that was not chosen says something too.
	y := tensor.NewMat(11, x.Cols)
	for e := range 16 {
		require.NoError(t, m.EvalExpert(context.Background(), 5, e, y, x))
		assert.NotEqual(t, make([]float32, x.Cols), y.Row(0), "expert %d, chosen %v", e, chosen[int32(e)])
	}
	assert.ErrorIs(t, m.EvalExpert(context.Background(), 5, 16, y, x), model.ErrOption)
	assert.ErrorIs(t, m.EvalExpert(context.Background(), 6, 0, y, x), model.ErrOption)
	assert.ErrorIs(t, m.EvalExpert(context.Background(), 0, 0, y, tensor.NewMat(11, 3)), model.ErrOption)

	mute := tap{moe.PointOutput, func(_ moe.Point, v *moe.View) { clear(v.Sum.Data) }}
	require.NoError(t, m.Prefill(context.Background(), m.NewSequence(), ids, out, moe.Observe(mute)))
	assert.NotEqual(t, want.Data, out.Data)
}
