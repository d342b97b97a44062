package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Table is hash routing (arXiv 2106.04426; transformers models/deepseek_v4, DeepseekV4HashRouter): the experts of a
// token are looked up by its id, the weights are made of the scores as in [TopK]. A call without ids, or with one
// outside the table, is an [ErrGate].
type Table struct {
	TopK
	IDs []int32 // [V,K]
}

// Select implements Selector. It needs the call's token ids.
func (s *Table) Select(dst *Routing, logits tensor.Mat, c Call) error {
	if len(c.IDs) != logits.Rows {
		return fmt.Errorf("%w: layer %d: select table needs %d token ids, found %d", ErrGate, c.Layer, logits.Rows, len(c.IDs))
	}
	known := len(s.IDs) / s.Spec.TopK
	for t, id := range c.IDs {
		if id < 0 || int(id) >= known {
			return fmt.Errorf("%w: layer %d token %d: want an id in the table of %d, found %d", ErrGate, c.Layer, t, known, id)
		}
	}
	return s.rows.run(&s.Spec, s, dst, logits, c)
}

func (s *Table) choose(w *scratch) {
	s.Spec.score(w.score, w.logits)
	w.choice = w.choice[:0]
}

func (s *Table) pick(ids []int32, id int32, _ *scratch) int {
	return copy(ids, s.IDs[int(id)*s.Spec.TopK:(int(id)+1)*s.Spec.TopK])
}
