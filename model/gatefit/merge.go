package gatefit

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Merge bakes an overlay into a copy of the model's checkpoint, in a folder that does not exist yet: router weights take
// the place of the old ones, in f32, and everything else stays as it is, so that what reads the checkpoint reads the copy.
// An overlay of other shapes is refused by tensor, want and found. So are choice biases: no supported family's checkpoint
// has a place for them; a router that reproduces the balanced routing (Distil with the target gate=file=F) has one.
func Merge(m *model.Model, overlay, dst string) error {
	o, err := model.ReadOverlay(overlay)
	if err != nil {
		return err
	}
	if _, err := m.CompileGate("file=" + overlay); err != nil { // shapes
		return err
	}
	replace := map[string]*tensor.Tensor{}
	for l, x := range o.Layers {
		if x.ChoiceBias != nil {
			return fmt.Errorf("%w: %s: layers.%d.choice_bias: want router weights, as %s has no place for choice biases; gate fit --target gate=file=%s makes a router of them",
				moe.ErrGate, overlay, l, m.Spec().Family, overlay)
		}
		w := tensor.FromF32(make([]float32, x.Router.Rows*x.Router.Cols), x.Router.Rows, x.Router.Cols)
		for e := range x.Router.Rows {
			x.Router.Row(w.F32s()[e*x.Router.Cols:(e+1)*x.Router.Cols], e)
		}
		replace[m.RouterName(l)] = w
	}
	return m.CopyCheckpoint(dst, replace)
}
