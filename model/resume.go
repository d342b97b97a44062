package model

import (
	"context"
	"fmt"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// StepFrom is Step with the residual stream given in front of the feed-forward of a layer, as a hook sees it at
// moe.PointResidualIn: x [T,H] has a row for each token of the batch in order. The layers before are not run, so that
// trials that differ in late layers need not repeat the early ones; the bits are those of a whole step. A sequence that is
// stepped so must be stepped from the same layer always. x is not changed.
func (m *Model) StepFrom(ctx context.Context, b Batch, layer int, x tensor.Mat) error {
	if layer < 0 || layer >= len(m.spec.Layers) {
		return fmt.Errorf("%w: layer: want 0 to %d, found %d", ErrOption, len(m.spec.Layers)-1, layer)
	}
	if err := m.check(b); err != nil {
		return err
	}
	tokens := 0
	for i := range b {
		tokens += len(b[i].Tokens)
	}
	if x.Rows != tokens || x.Cols != m.spec.Hidden {
		return fmt.Errorf("%w: x: want %d rows of %d, found %d of %d", ErrOption, tokens, m.spec.Hidden, x.Rows, x.Cols)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for i := range b {
		if err := b[i].Seq.planFrom(m.spec, layer, len(b[i].Tokens)); err != nil {
			return err
		}
	}
	if err := m.forwardFrom(ctx, b, layer, x); err != nil {
		return err
	}
	m.extend(b)
	return nil
}

// planFrom settles the variant of the rotary embedding, which cannot change later: there is nothing to compute the cache
// again from.
func (s *Sequence) planFrom(spec *Spec, layer, n int) error {
	plan := spec.Rope.plan(s.plan, max(s.Len()+n, s.goal))
	if s.Len() > 0 && s.from != layer+1 {
		return fmt.Errorf("%w: want a sequence that was stepped from layer %d", ErrOption, layer)
	}
	if s.Len() > 0 && plan != s.plan {
		return fmt.Errorf("%w: the text outgrows its rotary embedding: want its length announced, found %d tokens more", ErrOption, n)
	}
	s.plan, s.from = plan, layer+1
	return nil
}

// forwardFrom runs the layer whole, because its halves are one piece of work, and puts x in place of what its mixer left.
func (m *Model) forwardFrom(ctx context.Context, b Batch, layer int, x tensor.Mat) error {
	st := &m.state
	st.ctx, st.watch, st.hook = ctx, nil, replaced{layer, x}
	st.begin(m, b)
	for t := range x.Rows {
		copy(st.x.Row(t), x.Row(t))
		clear(st.normed.Row(t))
	}
	for i := layer; i < len(m.weights.Layers); i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.layer(st, i); err != nil {
			return inLayer(i, err)
		}
	}
	return m.head(st, b)
}

// replaced is a hook that puts a known residual stream in front of a layer's feed-forward.
type replaced struct {
	layer int
	x     tensor.Mat
}

// Points implements moe.Hook.
func (replaced) Points() moe.Point { return moe.PointResidualIn }

// At implements moe.Hook.
func (r replaced) At(_ moe.Point, v *moe.View) error {
	if v.Layer == r.layer {
		for t := range r.x.Rows {
			copy(v.X.Row(t), r.x.Row(t))
		}
	}
	return nil
}
