package model

import (
	"context"
	"fmt"
	"slices"
)

// limit is how many positions the rotary embedding is made for.
func (s *Spec) limit() int {
	if s.Rope.Kind == RopeDynamic {
		return int(float64(s.Context) * max(s.Rope.Factor, 1))
	}
	return s.Context
}

// maxTables bounds how many variants of the rotary embedding are kept; they are cheap to make again.
const maxTables = 8

// ropeTable gives the table of a plan, covering positions below n.
func (m *Model) ropeTable(plan, n int) *ropeTable {
	t := m.tables[plan]
	if t == nil {
		if len(m.tables) >= maxTables {
			clear(m.tables)
		}
		t = newRopeTable(&m.spec.Rope, plan)
		m.tables[plan] = t
	}
	t.grow(n)
	return t
}

// replan settles which variant of the rotary embedding a sequence uses once n tokens have been added. Where it has
// outgrown its variant, everything that the cache holds is computed again under the new one, with the gate of the tokens
// that come.
func (m *Model) replan(ctx context.Context, s *Sequence, n int, gate *GateOverride) error {
	if s.from != 0 {
		return fmt.Errorf("%w: want a sequence that was never stepped from a layer on, found one of layer %d", ErrOption, s.from-1)
	}
	plan := m.spec.Rope.plan(s.plan, max(s.Len()+n, s.goal))
	if plan == s.plan && !s.stale {
		return nil
	}
	s.plan = plan
	if s.Len() == 0 {
		return nil
	}
	held := slices.Clone(s.tokens)
	s.tokens, s.stale = s.tokens[:0], true // every page is written again, so that shared ones are left to the others
	defer func() { s.tokens = append(s.tokens[:0], held...) }()
	size := 512
	if m.WholeText(gate) {
		size = len(held)
	}
	for chunk := range slices.Chunk(held, size) {
		if err := m.forward(ctx, Batch{{Seq: s, Tokens: chunk, Gate: gate}}, nil); err != nil {
			return err
		}
		s.tokens = append(s.tokens, chunk...)
	}
	s.stale = false
	return nil
}
