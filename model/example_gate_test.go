package model_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/moe"
)

// sure is a new kind of gate: where the layer's own gate gives its best expert more than half of the weight, that expert
// works alone.
type sure struct {
	own moe.Gate
	r   moe.Routing
}

// Route implements moe.Gate.
func (g *sure) Route(dst *moe.Routing, c moe.Call) error {
	if err := g.own.Route(&g.r, c); err != nil {
		return err
	}
	dst.NoLogits()
	dst.Reset(g.r.E, c.X.Rows, 0)
	for t := range c.X.Rows {
		ids, weights := g.r.Of(t)
		if weights[0] > 0.5 {
			ids, weights = ids[:1], []float32{1}
		}
		for j := range ids {
			dst.Add(ids[j], weights[j])
		}
		dst.EndToken()
	}
	return nil
}

// Run a gate of one's own on the built-in model. The package moetest holds it to the contract of gates.
func ExampleModel_OverrideGates() {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	gate, err := m.OverrideGates("sure", func(_ int, own moe.Gate, _ *moe.GateSpec) moe.Gate { return &sure{own: own} })
	if err != nil {
		log.Fatal(err)
	}
	s := m.NewSession()
	defer s.Close()
	s.UseGate(gate)
	rec := moe.NewRecorder(moe.RecordRouting)
	s.Observe(rec)
	for t, err := range s.Generate(context.Background(), "3 * 9 =", model.GenerateOptions{Stop: []string{"\n"}}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(t.Text)
	}
	r := rec.Layer(5)
	fmt.Printf("\nlayer 5: %d experts for %d tokens\n", len(r.Expert), r.Tokens())
	// Output:
	// 27
	// layer 5: 19 experts for 10 tokens
}
