package moe

import (
	"fmt"
	"strings"
)

// Interventions are clauses of the override language that change how a gate decides and not what it is. They are data,
// as [Override] is, and apply after all overrides of specs, in the order of [Edit].
type Interventions []Override

// ParseGate reads the whole language: the keys of [ParseOverride], and
//
//	force=L:E,E  drop=L:E,E  promote=L:E,E  demote=L:E,E  bias=L:E:x  temp=0.7  noise=σ,seed  topp=0.6,min=1,max=8
//	threshold=0.1,min=1,max=8  skip=0.3  random=seed  hash=seed  roundrobin  replay=F  file=F  shared=off
//	expertchoice=2  relu=0.5  softmoe
//
// L: is one layer in place of those of layers=. Lists add up; of other keys the last holds; two gates in one layer
// (random, hash, roundrobin, replay, expertchoice, relu, softmoe) contradict each other. replay=F,any takes a trace of other weights too. A wrong
// clause is an [ErrGate] with what is allowed. [Program] says in which order all of it works.
func ParseGate(text string) ([]Override, Interventions, error) {
	var specs []Override
	var list Interventions
	var layers []LayerRange
	for _, clause := range strings.Split(text, ";") {
		clause = strings.TrimSpace(clause)
		key, value, _ := strings.Cut(clause, "=")
		o := Override{Layers: layers, Key: strings.TrimSpace(key), Value: strings.TrimSpace(value)}
		read, ours := interventionKeys()[o.Key]
		switch {
		case o.Key == "layers":
			var err error
			if layers, err = parseLayers(o.Value); err != nil {
				return nil, nil, err
			}
		case ours && !(o.Key == "bias" && o.Value == "off"):
			o.ownLayer()
			if !read.set(&change{}, o.Value) {
				return nil, nil, fmt.Errorf("%w: %s: want %s, found %q", ErrGate, o.Key, read.allowed, value)
			}
			list = append(list, o)
		default:
			more, err := ParseOverride(clause)
			if _, known := overrideKeys()[o.Key]; err != nil && !known {
				err = fmt.Errorf("%w (or %s)", err, interventionNames)
			}
			if err != nil {
				return nil, nil, err
			}
			for _, m := range more {
				m.Layers = layers
				specs = append(specs, m)
			}
		}
	}
	return specs, list, nil
}

// ownLayer moves the L: of a list of experts to Layers.
func (o *Override) ownLayer() {
	want := map[string]int{"force": 1, "drop": 1, "promote": 1, "demote": 1, "bias": 2}[o.Key]
	if want == 0 || strings.Count(o.Value, ":") != want {
		return
	}
	l, rest, _ := strings.Cut(o.Value, ":")
	if r, err := parseLayers(l); err == nil {
		o.Layers, o.Value = r, rest
	}
}

func (o *Override) covers(layer int) bool {
	for _, r := range o.Layers {
		if r.From <= layer && layer <= r.To {
			return true
		}
	}
	return len(o.Layers) == 0
}

// at collects what is to change in a layer.
func (list Interventions) at(layer int, spec *GateSpec) (change, error) {
	c := change{}
	for _, o := range list {
		if !o.covers(layer) {
			continue
		}
		if k, ok := interventionKeys()[o.Key]; !ok || !k.set(&c, o.Value) {
			return c, fmt.Errorf("%w: %s: want %s, found %q", ErrGate, o.Key, k.allowed, o.Value)
		}
	}
	for _, b := range c.bias {
		if b.expert < 0 || b.expert >= spec.Slots() {
			return c, fmt.Errorf("%w: bias: want an expert from 0 to %d, found %d", ErrGate, spec.Slots()-1, b.expert)
		}
		if c.edit.Bias == nil {
			c.edit.Bias = make([]float32, spec.Slots())
		}
		c.edit.Bias[b.expert] += b.add
	}
	if err := c.alone(); err != nil {
		return c, err
	}
	return c, c.edit.Check(spec)
}

// alone refuses a second gate, and edits of a gate that has no logits.
func (c *change) alone() error {
	if c.second != "" {
		return fmt.Errorf("%w: want one gate in place of the layer's own, found %s and %s", ErrGate, c.gate, c.second)
	}
	blind := c.gate == "random" || c.gate == "hash" || c.gate == "roundrobin" || c.gate == "replay"
	if blind && (c.edit.editsLogits() || c.edit.editsChoice()) {
		return fmt.Errorf("%w: %s: want no edits of logits or choice beside it, found some", ErrGate, c.gate)
	}
	return nil
}

// Check says whether the interventions can work; gates has an entry for each layer, nil for a dense one.
func (list Interventions) Check(gates []*GateSpec) error {
	for _, o := range list {
		met := false
		for i, g := range gates {
			met = met || g != nil && o.covers(i)
		}
		for _, r := range o.Layers {
			met = met && r.From >= 0 && r.From <= r.To && r.To < len(gates)
		}
		if !met {
			return fmt.Errorf("%w: %s: layers: want mixtures of experts from 0 to %d, found %v", ErrGate, o.Key, len(gates)-1, o.Layers)
		}
	}
	for i, g := range gates {
		if g == nil {
			continue
		}
		if _, err := list.at(i, g); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return nil
}

// SharedOff says that the shared experts of a layer are left out.
func (list Interventions) SharedOff(layer int) bool {
	off := false
	for _, o := range list {
		off = off || o.Key == "shared" && o.covers(layer)
	}
	return off
}

// Wrap is the gate of a layer with the interventions; g itself where there are none. Edits need g to be a [Router].
// files holds the recordings that replay clauses name.
func (list Interventions) Wrap(layer int, g Gate, spec *GateSpec, files Files) (Gate, error) {
	c, err := list.at(layer, spec)
	if err != nil {
		return nil, fmt.Errorf("layer %d: %w", layer, err)
	}
	if c.gate != "" {
		if g, err = c.instead(g, spec, files); err != nil {
			return nil, fmt.Errorf("layer %d: %w", layer, err)
		}
	}
	if !c.edit.editsLogits() && !c.edit.editsChoice() {
		return g, nil
	}
	r, ok := g.(*Router)
	if !ok {
		return nil, fmt.Errorf("%w: layer %d: interventions want a router, found %T", ErrGate, layer, g)
	}
	return c.edit.Apply(r, spec)
}

// instead is the gate that takes the place of g.
func (c *change) instead(g Gate, spec *GateSpec, files Files) (Gate, error) {
	switch c.gate {
	case "random":
		return &Random{E: spec.Slots(), K: spec.TopK, Seed: c.seed}, nil
	case "hash":
		return &Hash{E: spec.Slots(), K: spec.TopK, Seed: c.seed}, nil
	case "roundrobin":
		return RoundRobin{E: spec.Slots(), K: spec.TopK}, nil
	case "replay":
		rec := files.Recordings[c.path]
		switch {
		case rec == nil:
			return nil, fmt.Errorf("%w: replay: %s was not read", ErrGate, c.path)
		case spec.SharedSlots > 0:
			return nil, fmt.Errorf("%w: replay: want a gate without shared slots, found %d", ErrGate, spec.SharedSlots)
		}
		return &Follow{From: rec, E: spec.Slots()}, nil
	}
	r, ok := g.(*Router)
	if !ok || spec.SharedSlots > 0 {
		return nil, fmt.Errorf("%w: %s: want a router without shared slots, found %T with %d", ErrGate, c.gate, g, spec.SharedSlots)
	}
	return c.selecting(r, spec)
}

// selecting is the router with another selector.
func (c *change) selecting(r *Router, spec *GateSpec) (Gate, error) {
	scale := perExpertOf(r.Selector)
	var s Selector
	switch c.gate {
	case "relu":
		s = &ReLU{Spec: *spec, Shift: c.number, PerExpert: scale}
	case "expertchoice":
		capacity := float64(c.number)
		if capacity == 0 {
			capacity = float64(spec.TopK)
		}
		s = &ExpertChoice{Spec: *spec, Capacity: capacity, PerExpert: scale}
	case "softmoe":
		if spec.Null > 0 || spec.ApplyInput {
			return nil, fmt.Errorf("%w: softmoe: want a layer without null experts and with weights on the output", ErrGate)
		}
		s = &SoftMoE{E: spec.Slots()}
	}
	return &Router{Scorer: r.Scorer, Selector: s, Slots: r.Slots}, nil
}

// perExpertOf is the vector that multiplies weights, or nil.
func perExpertOf(s Selector) []float32 {
	switch s := s.(type) {
	case *TopK:
		return s.PerExpert
	case *Table:
		return s.PerExpert
	case *SparseMixer:
		return s.PerExpert
	}
	return nil
}

// Seed is the seed of noise, random and hash clauses, the last one given; 0 where there is none.
func (list Interventions) Seed() uint64 {
	seed := uint64(0)
	for _, o := range list {
		var c change
		if k := interventionKeys()[o.Key]; (o.Key == "noise" || o.Key == "random" || o.Key == "hash") && k.set(&c, o.Value) {
			seed = max(c.seed, c.edit.Seed)
		}
	}
	return seed
}
