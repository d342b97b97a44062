package grammar

import (
	"sync"
)

// Grammar is a compiled schema. It is safe for concurrent use.
type Grammar struct {
	v     *Vocab
	root  *node
	least int

	mu sync.Mutex
	a  automaton
}

// Least is the fewest tokens of a text that fits.
func (g *Grammar) Least() int { return g.least }

// Constraint follows one text through a grammar. It belongs to one request.
type Constraint struct {
	g    *Grammar
	at   *state // nil: dead
	bits []uint64
}

// New starts a text.
func (g *Grammar) New() *Constraint {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &Constraint{g: g, at: g.a.first(g.root), bits: make([]uint64, (g.v.size+63)/64)}
}

// Mask gives the ids that may come next, as bits, where remaining tokens may be written including this one. Tokens behind
// which the text could not be ended in time are left out. ends are allowed where the text is complete. The result is
// valid until the next call; nil where the text has left the grammar.
func (c *Constraint) Mask(remaining int, ends []int32) []uint64 {
	if c.at == nil {
		return nil
	}
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	s := c.at
	if s.mask == nil {
		c.g.fill(s, len(c.bits))
	}
	if copy(c.bits, s.mask); s.worst > remaining-1 {
		clear(c.bits)
		c.g.walk(c.g.v.trie, s, c.bits, remaining-1)
		c.g.walk(c.g.v.long, s, c.bits, remaining-1)
	}
	if s.accept {
		for _, id := range ends {
			c.bits[id/64] |= 1 << (id % 64)
		}
	}
	if none(c.bits) { // too late: only for who began with fewer tokens than Least
		copy(c.bits, s.mask)
	}
	return c.bits
}

func none(bits []uint64) bool {
	for _, b := range bits {
		if b != 0 {
			return false
		}
	}
	return true
}

// walk sets the bits of the tokens of a trie that lead from s to a state which can be ended within limit more tokens. It returns the
// largest least among those states.
func (g *Grammar) walk(nodes []trieNode, s *state, bits []uint64, limit int) (worst int) {
	path := append(make([]*state, 0, 32), s) // states behind the bytes of the node at hand
	for i := 0; i < len(nodes); {
		n := &nodes[i]
		at := g.a.step(path[n.depth], n.b)
		if at == nil {
			i = int(n.end)
			continue
		}
		path = append(path[:n.depth+1], at)
		i++
		if n.ids == 0 || at.least > limit {
			continue
		}
		worst = max(worst, at.least)
		for _, e := range g.v.list[n.first : n.first+n.ids] {
			bits[e.id/64] |= 1 << (e.id % 64)
		}
	}
	return worst
}

// Accept takes the token that was drawn. One that the mask did not allow leaves the grammar.
func (c *Constraint) Accept(id int32) {
	if int(id) < len(c.g.v.bytes) {
		c.Write(c.g.v.bytes[id])
	}
}

// Write is Accept for text.
func (c *Constraint) Write(text string) {
	c.g.mu.Lock()
	defer c.g.mu.Unlock()
	if len(c.g.a.states) > maxStates {
		c.g.a.reset() // states at work stay with those that hold them
	}
	for i := range len(text) {
		if c.at == nil {
			return
		}
		c.at = c.g.a.step(c.at, text[i])
	}
}

// Fits says whether a whole text fits.
func (g *Grammar) Fits(text string) bool {
	c := g.New()
	c.Write(text)
	return c.at != nil && c.at.accept
}

// Done says that the text is complete and cannot go on.
func (c *Constraint) Done() bool { return c.at != nil && c.at.accept && len(c.at.frames) == 0 }
