package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// router claims the router's weight [E,H] under the first of several names that the checkpoint has, and builds the gate.
func (b *binder) router(s *Spec, i int, l *LayerWeights, names ...string) {
	mix := s.Layers[i].MoE
	var t *tensor.Tensor
	b.First(&t, names, mix.Gate.Slots(), s.Hidden)
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
	t := b.Experts(at, mix.Gate.Experts, mix.Width, s.Hidden)
	if l.MoE == nil {
		return
	}
	l.MoE.Experts = b.mlps(at, t, mix.Block.Act)
}

func (b *binder) mlps(at string, t loader.ExpertTensors, act moe.Act) moe.Experts {
	list := make(moe.Experts, len(t.Gate))
	for e := range list {
		name := fmt.Sprintf("%sexperts.%d", at, e)
		list[e] = moe.MLP{
			Gate: b.asMatrix(name, t.Gate[e]), Up: b.asMatrix(name, t.Up[e]), Down: b.asMatrix(name, t.Down[e]), Act: act,
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
	m := b.mlp(at, s.Hidden, spec.Width, false)
	h := &moe.Shared{MLP: *m}
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
	both := b.matrix(at+"input_linear.weight", 2*spec.Width, s.Hidden)
	down := b.matrix(at+"output_linear.weight", s.Hidden, spec.Width)
	if both.Rows == 0 { // a fault has been noted
		return
	}
	b.addShared(s, i, l, &moe.Shared{MLP: moe.MLP{
		Gate: both.RowRange(0, spec.Width), Up: both.RowRange(spec.Width, 2*spec.Width), Down: down,
	}})
}

func (b *binder) addShared(s *Spec, i int, l *LayerWeights, h *moe.Shared) {
	h.MLP.Act = s.Layers[i].MoE.Block.Act
	if l.MoE != nil {
		l.MoE.Shared = h
	}
}
