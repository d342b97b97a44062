package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Table is hash routing (arXiv 2106.04426; the first layers of deepseek_v4): the experts of a token are looked up by its
// id, the weights are made of the scores as in TopK.
type Table struct {
	TopK
	IDs []int32 // [V,K]
}

// Select implements Selector. It needs the call's token ids.
func (s *Table) Select(dst *Routing, logits tensor.Mat, c Call) error {
	k := s.Spec.TopK
	if len(c.IDs) != logits.Rows {
		return fmt.Errorf("%w: layer %d: select table needs the token ids", ErrGate, c.Layer)
	}
	dst.Uniform(logits.Cols, logits.Rows, k)
	s.reserve(1)
	w := &s.work[0]
	for t, id := range c.IDs {
		at := int(id) * k
		if id < 0 || at+k > len(s.IDs) {
			return fmt.Errorf("%w: layer %d: token id %d is not in the table", ErrGate, c.Layer, id)
		}
		if err := s.Spec.score(w.score, logits.Row(t)); err != nil {
			return fmt.Errorf("layer %d token %d %w", c.Layer, t, err)
		}
		ids, weights := dst.Of(t)
		copy(ids, s.IDs[at:at+k])
		s.Spec.weigh(ids, weights, w.score, logits.Row(t), s.PerExpert)
	}
	return nil
}
