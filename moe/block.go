package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// BlockSpec says what stands around the gate: the experts' activation and the shared experts.
type BlockSpec struct {
	Act    Act         `json:"act"`
	Shared *SharedSpec `json:"shared,omitempty"`
}

// Observer sees the routing of every mixture layer of a forward pass, after the gate has decided and before the experts
// work. It must not keep or change r. A nil Observer costs nothing.
type Observer interface {
	ObserveRouting(layer int, r *Routing)
}

// Block is one mixture layer: dst = Σ_slots w·expert(x) · SumScale + shared(x).
type Block struct {
	Spec    GateSpec // combination: what is applied outside the gate
	Gate    Gate
	Experts Experts
	Shared  *Shared // or nil
}

// Forward fills dst [T,H] from x [T,H]; they must not overlap. c.X, where the gate is to read something else than x,
// is the caller's business. Products accumulate in f32. Bits do not depend on the number of threads or on which other
// tokens are in the call, unless the gate is a [CrossToken]. No allocation after the first call of a size.
//
// A call of one token takes two parallel regions behind the gate, a larger one three or four.
func (b *Block) Forward(e *kernels.Engine, dst, x tensor.Mat, c Call, s *State, watch Observer) error {
	return b.ForwardParts(e, dst, x, c, s, watch, nil)
}

// ForwardParts is Forward where parts of the call have gates of their own; they cover the call in order, none is as
// Forward. The experts work on all parts at once, and a part's bits are those of a call of that part alone.
func (b *Block) ForwardParts(e *kernels.Engine, dst, x tensor.Mat, c Call, s *State, watch Observer, list []Part) error {
	if err := s.parts.set(list, x.Rows); err != nil {
		return err
	}
	c.stage = s.enter(b, e, c, watch)
	if err := b.route(c, s); err != nil {
		return err
	}
	if err := b.check(x, c, s); err != nil {
		return err
	}
	if watch != nil {
		watch.ObserveRouting(c.Layer, &s.Routing)
	}
	s.begin()
	if g := s.parts.soft; g != nil {
		b.soft(e, g, dst, x, s)
		if c.stage != nil {
			c.stage.view.Routed, c.stage.view.Shared, c.stage.view.Sum = tensor.Mat{}, tensor.Mat{}, dst
		}
		return c.stage.at(PointOutput, c)
	}
	b.Experts.units(e, x, b.Spec.ApplyInput, s)
	var gate *kernels.Product
	if b.Shared != nil && s.parts.shared {
		gate = b.Shared.unit(e, x, s)
	}
	s.up.run(e, s.units, gate)
	s.combine = combineJob{e: e, b: b, s: s, dst: dst, x: x}
	if x.Rows == 1 && !c.stage.wants(PointExpert|PointOutput) {
		s.last.run(e, s.units, &s.combine)
		return nil
	}
	s.down.run(e, s.units)
	if c.stage != nil {
		return b.shown(c, s)
	}
	s.combine.run()
	return nil
}

// shown is the combination with a hook looking on.
func (b *Block) shown(c Call, s *State) error {
	if err := c.stage.experts(b, c, s); err != nil {
		return err
	}
	if c.stage.wants(PointOutput) {
		v, dst := &c.stage.view, s.combine.dst
		s.combine.dst, s.combine.alone = c.stage.x.mat(dst.Rows, dst.Cols), true
		s.combine.run()
		v.Routed, v.Sum, v.Shared = s.combine.dst, dst, tensor.Mat{}
		if b.Shared != nil && s.parts.shared {
			v.Shared = s.shared.last
		}
		s.combine.dst, s.combine.alone = dst, false
	}
	s.combine.run()
	return c.stage.at(PointOutput, c)
}

func (b *Block) check(x tensor.Mat, c Call, s *State) error {
	r := &s.Routing
	if err := r.check(x.Rows, b.Spec.Slots(), c.Layer); err != nil {
		return err
	}
	if b.Shared != nil && b.Shared.Routed && s.parts.shared && len(r.Shared) != x.Rows {
		return fmt.Errorf("%w: layer %d: the shared expert wants %d weights from the gate, found %d", ErrGate, c.Layer, x.Rows, len(r.Shared))
	}
	return nil
}
