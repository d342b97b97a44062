package model

import (
	"fmt"
	"slices"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// router claims the router's weight [E,H] under the first of several names that the checkpoint has, and builds the gate.
func (b *binder) router(s *Spec, i int, l *LayerWeights, names ...string) {
	mix := s.Layers[i].MoE
	var t *tensor.Tensor
	b.First(&t, names, mix.Gate.Slots(), s.Hidden)
	for _, name := range slices.Backward(names) {
		if b.Has(name) {
			l.RouterName = name
		}
	}
	l.Router = moe.RouterWeights{W: b.asMatrix(names[0], t)}
	gate, err := moe.NewGate(mix.Gate, l.Router)
	if err != nil {
		b.faults = append(b.faults, fmt.Errorf("layer %d: %w", i, err))
		return
	}
	l.MoE = &moe.Block{Spec: mix.Gate, Gate: gate}
}

// experts claims the routed experts, whatever layout they have on disk.
func (b *binder) experts(at string, s *Spec, i int, l *LayerWeights) {
	mix := s.Layers[i].MoE
	var list moe.Experts
	if b.packed != "" {
		list = b.packedExperts(at, mix.Gate.Experts, mix.Width, s.Hidden)
	} else {
		list = b.mlps(at, b.Experts(at, mix.Gate.Experts, mix.Width, s.Hidden), mix.Width, s.Hidden)
	}
	for e := range list {
		list[e].Act = mix.Block.Act
	}
	if l.MoE != nil {
		l.MoE.Experts = list
	}
}

// mlps notes where each expert's matrices come from.
func (b *binder) mlps(at string, t loader.ExpertTensors, width, hidden int) moe.Experts {
	list := make(moe.Experts, len(t.UpName))
	for e := range list {
		for j, dst := range []*kernels.Matrix{&list[e].Gate, &list[e].Up, &list[e].Down} {
			w := expertWeight(dst, at, e, j, width, hidden)
			w.source = [][]string{t.GateName, t.UpName, t.DownName}[j][e]
			if t.Turned != nil {
				w.turned = &t.Turned[e][j]
			} else {
				*dst = b.asMatrix(w.source, [][]*tensor.Tensor{t.Gate, t.Up, t.Down}[j][e])
			}
			b.weights = append(b.weights, w)
		}
	}
	return list
}

// expertWeight is matrix j (gate, up, down) of expert e under the name that packed folders give it, whatever the layout
// of the checkpoint that they were made from.
func expertWeight(dst *kernels.Matrix, at string, e, j, width, hidden int) weight {
	name := fmt.Sprintf("%smlp.experts.%d.%s_proj.weight", at, e, []string{"gate", "up", "down"}[j])
	w := weight{name: name, source: name, part: partFeedForward, rows: width, cols: hidden, dst: dst}
	if j == 2 {
		w.rows, w.cols = hidden, width
	}
	return w
}

// packedExperts claims the experts of a packed folder. Their number comes from a config: it sizes nothing that the files
// do not back.
func (b *binder) packedExperts(at string, n, width, hidden int) moe.Experts {
	const fewMissing = 8
	have := 0
	for have < n && b.Has(expertWeight(nil, at, have, 1, width, hidden).name) {
		have++
	}
	list := make(moe.Experts, min(n, have+fewMissing))
	for e := range list {
		for j, dst := range []*kernels.Matrix{&list[e].Gate, &list[e].Up, &list[e].Down} {
			w := expertWeight(dst, at, e, j, width, hidden)
			b.fromPacked(&w)
		}
	}
	return list
}

// shared claims a shared expert of gate_proj, up_proj and down_proj, with its gate [1,H], where the spec has one.
func (b *binder) shared(at, gate string, s *Spec, i int, l *LayerWeights) {
	spec := s.Layers[i].MoE.Block.Shared
	if spec == nil {
		return
	}
	h := &moe.Shared{}
	b.mlp(&h.MLP, at, s.Hidden, spec.Width, false)
	if spec.Gate == moe.SharedSigmoid {
		h.Gate = b.matrix(gate, 1, s.Hidden)
	}
	b.addShared(s, i, l, h)
}

// sharedFused claims a shared expert whose gate and up stand in one tensor [2S,H], gate first.
func (b *binder) sharedFused(at string, s *Spec, i int, l *LayerWeights) {
	spec := s.Layers[i].MoE.Block.Shared
	if spec == nil {
		return
	}
	h := &moe.Shared{}
	b.addShared(s, i, l, h)
	if b.packed != "" { // there the three stand apart
		b.mlp(&h.MLP, at, s.Hidden, spec.Width, false)
		return
	}
	w := weight{source: at + "input_linear.weight", part: partFeedForward, rows: spec.Width, cols: s.Hidden}
	if both := b.matrix(w.source, 2*spec.Width, s.Hidden); both.Rows > 0 { // else a fault has been noted
		h.MLP.Gate, h.MLP.Up = both.RowRange(0, spec.Width), both.RowRange(spec.Width, 2*spec.Width)
	}
	w.name, w.dst = at+"gate_proj.weight", &h.MLP.Gate
	b.weights = append(b.weights, w)
	w.name, w.dst = at+"up_proj.weight", &h.MLP.Up
	b.weights = append(b.weights, w)
	w = weight{source: at + "output_linear.weight", part: partFeedForward, rows: s.Hidden, cols: spec.Width}
	h.MLP.Down = b.matrix(w.source, s.Hidden, spec.Width)
	w.name, w.dst = at+"down_proj.weight", &h.MLP.Down
	b.weights = append(b.weights, w)
}

func (b *binder) addShared(s *Spec, i int, l *LayerWeights, h *moe.Shared) {
	h.MLP.Act = s.Layers[i].MoE.Block.Act
	if l.MoE != nil {
		l.MoE.Shared = h
	}
}
