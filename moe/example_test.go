package moe_test

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// nearest is a new kind of gate: the expert whose number is nearest to the first feature works alone.
type nearest struct{ experts int }

// Route implements moe.Gate.
func (g nearest) Route(dst *moe.Routing, c moe.Call) error {
	dst.NoLogits()
	dst.Reset(g.experts, c.X.Rows, 1)
	for t := range c.X.Rows {
		v := c.X.Row(t)[0]
		if v != v {
			return fmt.Errorf("layer %d token %d expert 0: %w", c.Layer, t, moe.ErrBadScore)
		}
		dst.Add(int32(min(max(v+0.5, 0), float32(g.experts-1))), 1)
		dst.EndToken()
	}
	return nil
}

// A gate is one method. moetest.TestGate holds it to the contract.
func ExampleGate() {
	var g moe.Gate = nearest{experts: 4}
	var r moe.Routing
	x := tensor.MatOf([]float32{0.2, 2.6, 9}, 3, 1)
	if err := g.Route(&r, moe.Call{X: x}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Expert)
	// Output: [0 3 3]
}

// Overrides are text or data; they are applied to the gates of all layers, nil standing for a dense one.
func ExampleParseOverride() {
	gates := []*moe.GateSpec{nil, {
		Experts: 64, TopK: 8, Score: moe.ScoreSoftmax, Select: moe.SelectTopK, WeightFrom: moe.FromScore, Norm: moe.NormSum,
	}}
	list, err := moe.ParseOverride("layers=1;topk=4;norm=off")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(moe.ApplyOverrides(list, gates), gates[1])
	_, err = moe.ParseOverride("norm=maybe")
	fmt.Println(err)
	// Output:
	// <nil> experts=64;topk=4;score=softmax;norm=off
	// bad gate: override norm: want on or off, found "maybe"
}
