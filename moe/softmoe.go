package moe

import (
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// SoftMoE mixes tokens and not only experts (arXiv 2308.00951), one slot an expert: with logits l [T,E],
//
//	D = softmax of l over the tokens,  C = softmax of l over the experts
//	slot e reads Σ_t D[t,e]·x_t;  token t gets Σ_e C[t,e]·expert_e(slot e)
//
// The routing that it reports is C: every token has every expert. Score, norm, biases and groups of a spec do not count.
// Slots mix the tokens of a whole text, later ones too: it is for texts in one call, and there is no decoding with it.
// Sums run over tokens, then over experts, both ascending, in f32.
type SoftMoE struct {
	E int

	dispatch, combine buffer // [T,E]
	slots, out        buffer // [E,H]
}

// CrossToken implements CrossToken.
func (s *SoftMoE) CrossToken() bool { return true }

func (s *SoftMoE) maxK() int { return s.E }

// Select implements Selector.
func (s *SoftMoE) Select(dst *Routing, logits tensor.Mat, c Call) error {
	if err := wholeText("softmoe", c); err != nil {
		return err
	}
	if logits.Cols != s.E {
		return fmt.Errorf("%w: layer %d: softmoe: want %d logits a token, found %d", ErrGate, c.Layer, s.E, logits.Cols)
	}
	d, w := s.dispatch.mat(logits.Rows, s.E), s.combine.mat(logits.Rows, s.E)
	dst.Uniform(s.E, logits.Rows, s.E)
	for t := range logits.Rows {
		row := logits.Row(t)
		if bad := firstNaN(row); bad >= 0 {
			return fmt.Errorf("layer %d token %d expert %d: %w: logit %v", c.Layer, t, bad, ErrBadScore, row[bad])
		}
		copy(d.Row(t), row)
		copy(w.Row(t), row)
		softmax(w.Row(t))
		ids, weights := dst.Of(t)
		choose(ids, w.Row(t), nil)
		for j, e := range ids {
			weights[j] = w.Row(t)[e]
		}
	}
	for e := range s.E {
		softmaxColumn(d, e)
	}
	return nil
}

// softmaxColumn is softmax of one column, in place; sums are f64.
func softmaxColumn(m tensor.Mat, e int) {
	top, sum := float32(math.Inf(-1)), 0.0
	for t := range m.Rows {
		top = max(top, m.Row(t)[e])
	}
	for t := range m.Rows {
		v := 1.0
		if l := m.Row(t)[e]; l != top {
			v = math.Exp(float64(l) - float64(top))
		}
		m.Row(t)[e] = float32(v)
		sum += v
	}
	for t := range m.Rows {
		m.Row(t)[e] = float32(float64(m.Row(t)[e]) / sum)
	}
}

// softOf is the soft mixture that a gate is, or nil.
func softOf(g Gate) *SoftMoE {
	r, ok := g.(*Router)
	if !ok {
		return nil
	}
	switch s := r.Selector.(type) {
	case *SoftMoE:
		return s
	case *edited:
		soft, _ := s.inner.(*SoftMoE)
		return soft
	}
	return nil
}

// mix fills dst [T,H] from x [T,H] after Select: slots, experts, tokens.
func (s *SoftMoE) mix(e *kernels.Engine, b *Block, dst, x tensor.Mat, st *State) {
	slots, out, ops := s.slots.mat(s.E, x.Cols), s.out.mat(s.E, x.Cols), e.Ops()
	for i := range s.E {
		clear(slots.Row(i))
		for t := range x.Rows {
			ops.Axpy(slots.Row(i), s.dispatch.last.Row(t)[i], x.Row(t))
		}
		b.Eval(e, out.Slice(i, i+1), slots.Slice(i, i+1), i, st)
	}
	for t := range x.Rows {
		clear(dst.Row(t))
		for i := range s.E {
			ops.Axpy(dst.Row(t), s.combine.last.Row(t)[i], out.Row(i))
		}
	}
}

// soft is the layer's output where its gate is a soft mixture; the routing has been decided.
func (b *Block) soft(e *kernels.Engine, g *SoftMoE, dst, x tensor.Mat, s *State) {
	g.mix(e, b, dst, x, s)
	scale, shared := b.around(s, 0)
	if shared != nil {
		s.begin()
		s.units = s.units[:0]
		gate := shared.unit(e, x, s)
		s.up.run(e, s.units, gate)
		s.down.run(e, s.units)
	}
	for t := range x.Rows {
		if scale != 0 && scale != 1 {
			e.Ops().Scale(dst.Row(t), scale)
		}
		if shared != nil {
			shared.add(e.Ops(), dst.Row(t), s, t, 0, dst.Cols)
		}
	}
}
