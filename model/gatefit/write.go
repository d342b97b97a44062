package gatefit

import (
	"fmt"
	"maps"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Write writes the overlay to a file that "file=F" takes: layers.N.router.weight F32 [E,H], layers.N.choice_bias F32
// [E+Null], and notes of where it comes from in the metadata.
func (o *Overlay) Write(path string, m *model.Model) error {
	var list []loader.Named
	for _, l := range o.layers() {
		if w := o.Routers[l]; w != nil {
			rows := m.Router(l).Weights.W.Rows
			list = append(list, loader.Named{Name: fmt.Sprintf("layers.%d.router.weight", l), Tensor: tensor.FromF32(w, rows, len(w)/rows)})
		}
		if b := o.Biases[l]; b != nil {
			list = append(list, loader.Named{Name: fmt.Sprintf("layers.%d.choice_bias", l), Tensor: tensor.FromF32(b, len(b))})
		}
	}
	meta := maps.Clone(o.Notes)
	meta["format"], meta["version"], meta["model_hash"], meta["family"] = model.OverlayFormat, model.Version, m.Hash(), m.Spec().Family
	return loader.Write(path, list, meta)
}
