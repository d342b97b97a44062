package model

import (
	"context"
	"fmt"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// show lets a hook see and change the residual stream of layer i, dense layers too.
func (st *state) show(p moe.Point, i int) error {
	if st.hook == nil || st.hook.Points()&p == 0 {
		return nil
	}
	st.view = moe.View{Layer: i, IDs: st.ids, Pos: st.pos, X: st.x}
	return st.hook.At(p, &st.view)
}

// EvalExpert evaluates one expert of a mixture layer on gate inputs x [T,H], chosen or not, whatever its quantisation:
// dst [T,H] gets its output, not weighted. Inside a step use the hook's View.Eval, as a step holds the model's lock.
func (m *Model) EvalExpert(ctx context.Context, layer, expert int, dst, x tensor.Mat) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		return ErrClosed
	case layer < 0 || layer >= len(m.weights.Layers) || m.weights.Layers[layer].MoE == nil:
		return fmt.Errorf("%w: layer: want one of the mixtures %v, found %d", ErrOption, m.spec.MoELayers(), layer)
	case expert < 0 || expert >= m.weights.Layers[layer].MoE.Spec.Slots():
		return fmt.Errorf("%w: expert: want 0 to %d, found %d", ErrOption, m.weights.Layers[layer].MoE.Spec.Slots()-1, expert)
	case x.Cols != m.spec.Hidden || dst.Cols != x.Cols || dst.Rows != x.Rows:
		return fmt.Errorf("%w: want rows of %d, found %d of %d and %d of %d", ErrOption, m.spec.Hidden, x.Rows, x.Cols, dst.Rows, dst.Cols)
	}
	m.weights.Layers[layer].MoE.Eval(m.eng, dst, x, expert, &m.state.moe)
	return nil
}
