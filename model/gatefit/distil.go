package gatefit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Distil says how a router is to be learned. Target is the routing that it shall reproduce:
//
//	trace=F      that of a trace of these texts
//	gate=TEXT    the model's own under a text of the language of gates ("gate=topk=2", "gate=file=balance.safetensors")
//	oracle       the K experts of each token that say most: every expert is evaluated on every token
//	oracle=2     the same with a K of its own
type Distil struct {
	Options
	Target     string
	Ridge      float64 // λ of λ/2·‖W−W₀‖²; 0: 1e-6
	Iterations int     // of L-BFGS a layer; 0: 100
}

// Fitted says how well one layer's router reproduces the target: mean of |chosen ∩ wanted| / |wanted|, before with the
// checkpoint's router and after, on the tokens that were learned from and on every fifth block of 64, which was not. A
// router that reproduces fewer choices than the checkpoint's on the former is dropped for it.
type Fitted struct {
	Layer                       int
	Tokens, HeldOut             int
	TrainBefore, Train          float64
	HeldOutBefore, HeldOutAfter float64
	Loss                        float64 // mean cross entropy at the end, in nats
}

// maxBytes bounds the gate inputs that are held at once; layers are fitted in groups.
const maxBytes = 512 << 20

// Fit learns routers. Their inputs are recorded while the model routes by the target (by its own gate for an oracle), and
// the experts' weights are not touched.
func (d Distil) Fit(ctx context.Context, m *model.Model, texts [][]int32) (*Overlay, []Fitted, error) {
	layers, err := layersOf(m, &d.Options)
	if err != nil {
		return nil, nil, err
	}
	if err := d.check(m, layers); err != nil {
		return nil, nil, err
	}
	gate, oracle, err := d.target(m)
	if err != nil {
		return nil, nil, err
	}
	out := &Overlay{Routers: map[int][]float32{}, Notes: map[string]string{"fit": "distil", "target": d.Target}}
	group := max(1, maxBytes/(8*d.tokens()*m.Spec().Hidden))
	var list []Fitted
	for some := range slices.Chunk(layers, group) {
		w := &watcher{points: moe.PointGateInput | moe.PointWeights, layers: map[int]*seen{}, oracle: oracle}
		w.spec = func(l int) *moe.GateSpec { return &m.Gates(nil)[l].Spec }
		for _, l := range some {
			w.layers[l] = &seen{}
		}
		if err := run(ctx, m, texts, d.tokens(), gate, w); err != nil {
			return nil, nil, err
		}
		for _, l := range some {
			d.say("layer", l)
			router, fitted, err := d.layer(ctx, m, l, w.layers[l])
			if err != nil {
				return nil, nil, fmt.Errorf("layer %d: %w", l, err)
			}
			out.Routers[l], list = router, append(list, fitted)
			delete(w.layers, l)
		}
	}
	return out, list, nil
}

func (d *Distil) check(m *model.Model, layers []int) error {
	for _, l := range layers {
		spec := m.Gates(nil)[l].Spec
		if spec.Input != moe.InputBlock || spec.SharedSlots > 0 || spec.Select == moe.SelectTable {
			return fmt.Errorf("%w: layer %d: want a linear router of the block's input that chooses by score, found %s", ErrFit, l, spec.String())
		}
	}
	if d.Ridge < 0 || d.Iterations < 0 {
		return fmt.Errorf("%w: ridge, iterations: want 0 or more, found %v and %d", ErrFit, d.Ridge, d.Iterations)
	}
	return nil
}

// target gives the gate under which the model is recorded, and the K of an oracle.
func (d *Distil) target(m *model.Model) (*model.GateOverride, int, error) {
	key, value, _ := strings.Cut(d.Target, "=")
	switch {
	case key == "trace" && value != "":
		g, err := m.CompileGate("replay=" + value)
		return g, 0, err
	case key == "gate" && value != "":
		g, err := m.CompileGate(value)
		return g, 0, err
	case key == "oracle":
		k := m.Gates(nil)[m.Spec().MoELayers()[0]].Spec.TopK
		if value != "" {
			if _, err := fmt.Sscan(value, &k); err != nil || fmt.Sprint(k) != value {
				k = 0
			}
		}
		for _, l := range m.Spec().MoELayers() {
			if n := m.Gates(nil)[l].Spec.Experts; k < 1 || k > n {
				return nil, 0, fmt.Errorf("%w: target: want oracle, or oracle= with 1 to %d experts, found %q", ErrFit, n, d.Target)
			}
		}
		return nil, k, nil
	}
	return nil, 0, fmt.Errorf("%w: target: want trace=FILE, gate=TEXT or oracle, found %q", ErrFit, d.Target)
}

// block is how many tokens are held out together, so that neighbours do not give a token away; every fifth is.
const block = 64

func heldOut(t int) bool { return t/block%5 == 4 }

// layer fits one router and measures it.
func (d *Distil) layer(ctx context.Context, m *model.Model, l int, s *seen) ([]float32, Fitted, error) {
	r := m.Router(l)
	w0 := make([]float32, r.Weights.W.Rows*r.Weights.W.Cols)
	for e := range r.Weights.W.Rows {
		r.Weights.W.Row(w0[e*r.Weights.W.Cols:(e+1)*r.Weights.W.Cols], e)
	}
	g := newRegression(s, w0, r.Weights.W.Rows, r.Weights.W.Cols, r.Spec.Bias, r.Weights.Bias, cmp.Or(d.Ridge, 1e-6))
	if len(g.train) == 0 || len(g.held) == 0 {
		return nil, Fitted{}, fmt.Errorf("%w: want at least %d tokens with a target, so that some can be held out, found %d", ErrFit, 5*block, len(s.target))
	}
	f := Fitted{Layer: l, Tokens: len(g.train), HeldOut: len(g.held)}
	f.TrainBefore, f.HeldOutBefore = g.recall(g.w0, g.train), g.recall(g.w0, g.held)
	w, loss, err := g.fit(ctx, cmp.Or(d.Iterations, 100))
	if err != nil {
		return nil, f, err
	}
	if f.Train = g.recall(w, g.train); f.Train < f.TrainBefore { // shares came nearer, choices did not
		w, loss = g.w0, g.loss(g.w0, nil)
	}
	f.Train, f.HeldOutAfter, f.Loss = g.recall(w, g.train), g.recall(w, g.held), loss
	out := make([]float32, len(w))
	for i, v := range w {
		out[i] = float32(v)
	}
	return out, f, nil
}

// layers lists the layers of the overlay, rising.
func (o *Overlay) layers() []int {
	all := slices.Concat(slices.Collect(maps.Keys(o.Routers)), slices.Collect(maps.Keys(o.Biases)))
	slices.Sort(all)
	return slices.Compact(all)
}
