package moe

import (
	"fmt"
	"slices"
	"strings"
)

// Program is a text of the language of gates, read. Whatever the order in which it was written, it works in this one:
//
//  1. file=      the weights and biases of an overlay take the place of the checkpoint's
//  2. specs      topk, score, norm, weight, bias=off …, as written, later ones over earlier ones
//  3. the gate   random, hash, roundrobin, replay, expertchoice, relu, softmoe: at most one a layer
//  4. decisions  in the order of [Edit]: temp, noise, promote and demote; bias, drop; topp, threshold; force; skip
//  5. shared=off
type Program struct {
	Specs []Override    // 2
	Edits Interventions // 1, 3, 4, 5
}

// ParseProgram is [ParseGate] with one result.
func ParseProgram(text string) (Program, error) {
	specs, edits, err := ParseGate(text)
	return Program{specs, edits}, err
}

// Then is p with q behind it: what q says of a layer holds over what p says.
func (p Program) Then(q Program) Program {
	return Program{slices.Concat(p.Specs, q.Specs), slices.Concat(p.Edits, q.Edits)}
}

// Empty says that nothing is changed.
func (p Program) Empty() bool { return len(p.Specs)+len(p.Edits) == 0 }

// RouterOf is what a program builds gates from: the spec and the weights of one layer's router.
type RouterOf struct {
	Spec    GateSpec
	Weights RouterWeights
}

// Compile makes the gates of all layers under a program; routers has an entry for each layer, nil for a dense one, and
// files holds what the program names. The result has nil where a layer is dense; specs are copies. Gates of two results
// share no scratch.
func (p Program) Compile(routers []*RouterOf, files Files) ([]*Variant, error) {
	specs := make([]*GateSpec, len(routers))
	weights := make([]RouterWeights, len(routers))
	for i, r := range routers {
		if r != nil {
			spec := r.Spec
			specs[i], weights[i] = &spec, r.Weights
		}
	}
	if err := p.Edits.overlay(specs, weights, files); err != nil {
		return nil, err
	}
	if err := ApplyOverrides(p.Specs, specs); err != nil {
		return nil, err
	}
	if err := p.Edits.Check(specs); err != nil {
		return nil, err
	}
	out := make([]*Variant, len(routers))
	for i, r := range routers {
		if r == nil {
			continue
		}
		v, err := p.Edits.variant(i, specs[i], weights[i], files)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", i, err)
		}
		out[i] = v
	}
	return out, nil
}

// variant builds the gate of one layer.
func (list Interventions) variant(layer int, spec *GateSpec, w RouterWeights, files Files) (*Variant, error) {
	gate, err := NewGate(*spec, w)
	if err != nil {
		return nil, err
	}
	v := &Variant{Spec: *spec, SharedOff: list.SharedOff(layer), MaxK: spec.TopK, Edits: list.At(layer)}
	if v.Gate, err = list.Wrap(layer, gate, spec, files); err != nil {
		return nil, err
	}
	if k := maxK(v.Gate); k > 0 {
		v.MaxK = k
	}
	return v, nil
}

// At is the text of the clauses that hold for one layer.
func (list Interventions) At(layer int) string {
	var out []string
	for _, o := range list {
		switch {
		case !o.covers(layer):
		case o.Value == "":
			out = append(out, o.Key)
		default:
			out = append(out, o.Key+"="+o.Value)
		}
	}
	return strings.Join(out, ";")
}
