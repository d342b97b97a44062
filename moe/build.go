package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
)

// RouterWeights are the tensors of a router; nil where the spec has none. What the spec does not ask for is ignored, so
// that an override such as bias=off needs no other weights.
type RouterWeights struct {
	W          kernels.Matrix // [E+Null+S, H]
	Bias       []float32      // [E+Null+S]
	Input      []float32      // [H], of InputNormed
	ChoiceBias []float32      // [E+Null]
	PerExpert  []float32      // [E+Null]
	Table      []int32        // [V,K] experts by token id, row by row
}

// NewGate builds the gate that a spec describes. Errors wrap [ErrGate] and name field, want and found.
func NewGate(spec GateSpec, w RouterWeights) (*Router, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if err := spec.checkWeights(&w); err != nil {
		return nil, err
	}
	l := &Linear{W: w.W, Round: spec.Compute, Eps: spec.InputEps}
	if spec.Bias {
		l.Bias = w.Bias
	}
	if spec.Input == InputNormed {
		l.Input = w.Input
	}
	return &Router{Scorer: l, Selector: newSelector(spec, &w), Slots: spec.Logits()}, nil
}

// newSelector takes a valid spec and weights that fit it.
func newSelector(spec GateSpec, w *RouterWeights) Selector {
	top := TopK{Spec: spec}
	if spec.ChoiceBias {
		top.ChoiceBias = w.ChoiceBias
	}
	if spec.PerExpert {
		top.PerExpert = w.PerExpert
	}
	switch spec.Select {
	case SelectSparseMixer:
		return &SparseMixer{Spec: spec, PerExpert: top.PerExpert}
	case SelectTable:
		return &Table{TopK: top, IDs: w.Table}
	}
	return &top
}

func (g *GateSpec) checkWeights(w *RouterWeights) error {
	var f faults
	f.want(g.Input != InputCarried, "input", "block or normed (a carried state needs a Gate of its own)", g.Input)
	f.want(w.W.Rows == g.Logits(), "router rows", fmt.Sprint(g.Logits()), w.W.Rows)
	for _, v := range []struct {
		field       string
		used        bool
		want, found int
	}{
		{"router bias", g.Bias, g.Logits(), len(w.Bias)},
		{"router input vector", g.Input == InputNormed, w.W.Cols, len(w.Input)},
		{"choice bias", g.ChoiceBias, g.Slots(), len(w.ChoiceBias)},
		{"per-expert scale", g.PerExpert, g.Slots(), len(w.PerExpert)},
	} {
		f.want(!v.used || v.want == v.found, v.field, fmt.Sprintf("%d values", v.want), v.found)
	}
	if g.Select == SelectTable {
		g.checkTable(&f, w.Table)
	}
	return f.err()
}

func (g *GateSpec) checkTable(f *faults, table []int32) {
	if len(table) == 0 || len(table)%g.TopK != 0 {
		f.want(false, "table", fmt.Sprintf("rows of %d experts", g.TopK), fmt.Sprintf("%d entries", len(table)))
		return
	}
	for i, e := range table {
		if e < 0 || int(e) >= g.Slots() {
			f.want(false, fmt.Sprintf("table of token id %d", i/g.TopK), fmt.Sprintf("an expert below %d", g.Slots()), e)
			return
		}
	}
}
