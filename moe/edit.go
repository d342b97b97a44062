package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Edit is what an experiment changes in a gate of one layer. Its zero value changes nothing. In this order: logits (Temp,
// Noise, Promote, Demote), choice (Bias, Drop), number of experts (TopP, Threshold, Min, Max), Force, weights, Skip.
type Edit struct {
	Temp            float32   // l → l/Temp; 0: as it is
	Noise           float32   // l → l + Noise·N(0,1), the same for a layer, position, expert and Seed
	Seed            uint64    //
	Promote, Demote []int32   // l → log softmax(l); then max+0.01 for the promoted, min−0.01 for the demoted (SteerMoE)
	Bias            []float32 // [E+Null] or nil: added to the choice, not to weights
	Drop            []int32   // not there, by a flag; others move up, and fewer stay where none are left
	Force           []int32   // have a slot, the weakest's; their weight is their own score, weighed as the gate weighs
	TopP            float32   // as many of the best as have Σ softmax(l) ≥ TopP; 0: not so (ACL 2024.acl-long.696)
	Threshold       *float32  // as many of the best as have a score of at least this
	Min, Max        int       // bounds for the two above; 0: 1 and all
	Skip            float32   // β: slot j goes where w_j < β·max w (NAEE, arXiv 2402.14800); the rest is weighed again
}

func (e *Edit) editsLogits() bool {
	return e.Temp != 0 || e.Noise != 0 || len(e.Promote)+len(e.Demote) > 0
}

func (e *Edit) varies() bool { return e.TopP != 0 || e.Threshold != nil }

func (e *Edit) editsChoice() bool {
	return e.varies() || e.Bias != nil || e.Skip != 0 || len(e.Drop)+len(e.Force) > 0
}

// Apply is a router that decides as r does with the edit; r must not be used beside it. Edits of the choice need a
// [TopK] selector. Routing.Logits stay raw. An edit that contradicts itself or the gate is an [ErrGate].
func (e Edit) Apply(r *Router, spec *GateSpec) (*Router, error) {
	if err := e.Check(spec); err != nil {
		return nil, err
	}
	s := &edited{edit: e, inner: r.Selector}
	if e.editsChoice() {
		top, ok := r.Selector.(*TopK)
		if !ok {
			return nil, fmt.Errorf("%w: edit of the choice: want a gate that selects by topk, found %T", ErrGate, r.Selector)
		}
		s.inner = nil
		s.top = TopK{Spec: top.Spec, ChoiceBias: top.ChoiceBias, PerExpert: top.PerExpert}
		if e.varies() {
			s.top.Spec.TopK = min(max(e.Max, e.Min), spec.Slots())
			if e.Max == 0 {
				s.top.Spec.TopK = spec.Slots()
			}
		}
		s.drop, s.force = flags(e.Drop, spec.Slots()), flags(e.Force, spec.Slots())
	}
	return &Router{Scorer: r.Scorer, Selector: s, Slots: r.Slots}, nil
}

func flags(ids []int32, n int) []bool {
	out := make([]bool, n)
	for _, e := range ids {
		out[e] = true
	}
	return out
}

// edited is the selector of an Edit: inner on edited logits, or a TopK with an edited choice.
type edited struct {
	edit        Edit
	inner       Selector // nil where the choice is edited
	top         TopK
	drop, force []bool
	logits      buffer
}

// Select implements Selector.
func (s *edited) Select(dst *Routing, logits tensor.Mat, c Call) error {
	if s.edit.editsLogits() {
		if s.edit.Noise != 0 && len(c.Pos) != logits.Rows {
			return fmt.Errorf("%w: layer %d: noise needs %d positions, found %d", ErrGate, c.Layer, logits.Rows, len(c.Pos))
		}
		raw := logits
		logits = s.logits.mat(raw.Rows, raw.Cols)
		for t := range raw.Rows {
			copy(logits.Row(t), raw.Row(t))
			s.edit.row(logits.Row(t), c, t)
		}
	}
	if s.inner != nil {
		return s.inner.Select(dst, logits, c)
	}
	return s.top.rows.run(&s.top.Spec, s, dst, logits, c)
}

func (s *edited) maxK() int {
	if s.inner == nil {
		return s.top.Spec.TopK
	}
	return maxK(s.inner)
}

// CrossToken implements CrossToken as the inner selector does.
func (s *edited) CrossToken() bool { return crosses(s.inner) }
