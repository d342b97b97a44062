package moe

import (
	"fmt"
	"maps"
	"slices"

	"github.com/seed2fbf7788/switchyard/kernels"
)

// Files are what clauses that name a file stand for, by the path as written. Reading them is the caller's business.
type Files struct {
	Recordings map[string]*Recording // replay=
	Overlays   map[string]*Overlay   // file=
}

// Overlay is router weights that take the place of a checkpoint's, by layer.
type Overlay struct{ Layers map[int]OverlayLayer }

// OverlayLayer is what an overlay has for one layer; nil for what it leaves.
type OverlayLayer struct {
	Router     *kernels.Matrix // [E+Null+S, H]
	ChoiceBias []float32       // [E+Null] added to the scores for the choice only
}

// Paths lists the files that clauses of a key name, each once.
func (list Interventions) Paths(key string) []string {
	var out []string
	for _, o := range list {
		if o.Key == key && !slices.Contains(out, o.Value) {
			out = append(out, o.Value)
		}
	}
	return out
}

// overlay puts the weights of file= clauses in place; specs get a choice bias where a file brings one.
func (list Interventions) overlay(specs []*GateSpec, weights []RouterWeights, files Files) error {
	for _, o := range list {
		if o.Key != "file" {
			continue
		}
		f := files.Overlays[o.Value]
		if f == nil {
			return fmt.Errorf("%w: file: %s was not read", ErrGate, o.Value)
		}
		for _, i := range slices.Sorted(maps.Keys(f.Layers)) {
			l := f.Layers[i]
			if i < 0 || i >= len(specs) || specs[i] == nil {
				return fmt.Errorf("%w: file: %s: layers.%d: want a mixture of experts from 0 to %d, found none there", ErrGate, o.Value, i, len(specs)-1)
			}
			if !o.covers(i) {
				continue
			}
			if err := l.onto(specs[i], &weights[i]); err != nil {
				return fmt.Errorf("%w: file: %s: layers.%d.%w", ErrGate, o.Value, i, err)
			}
		}
	}
	return nil
}

func (l OverlayLayer) onto(spec *GateSpec, w *RouterWeights) error {
	if m := l.Router; m != nil {
		if m.Rows != w.W.Rows || m.Cols != w.W.Cols {
			return fmt.Errorf("router.weight: want [%d %d], found [%d %d]", w.W.Rows, w.W.Cols, m.Rows, m.Cols)
		}
		w.W = *m
	}
	if l.ChoiceBias != nil {
		if len(l.ChoiceBias) != spec.Slots() {
			return fmt.Errorf("choice_bias: want [%d], found [%d]", spec.Slots(), len(l.ChoiceBias))
		}
		spec.ChoiceBias, w.ChoiceBias = true, l.ChoiceBias
	}
	return nil
}
