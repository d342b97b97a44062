package moe

import "fmt"

// Lookahead measures how well the next mixture layer's gate already chooses from this layer's input (arXiv 2603.19289,
// Fate arXiv 2502.12224): it routes each call as the layer's gate does, and lets the next one decide on the same rows.
// One Lookahead serves one model's gates, in order of layers; it is not safe for concurrent use.
type Lookahead struct {
	Seen func(layer int, guess *Routing) // sees what the gate of a layer chose early; may be nil

	recall map[int]*Overlap
	guess  map[int]*Routing
}

// Wrap is gate g of a layer, followed by gate next of layer after; next is nil for the last. The next gate must be one of
// its own, that nothing else routes by.
func (l *Lookahead) Wrap(g Gate, next Gate, after int) Gate {
	if l.recall == nil {
		l.recall, l.guess = map[int]*Overlap{}, map[int]*Routing{}
	}
	return &lookahead{of: l, gate: g, next: next, after: after}
}

// Of is the overlap of what the layer's gate chose one layer early with what it chose; zero where nothing was seen.
func (l *Lookahead) Of(layer int) Overlap {
	if o := l.recall[layer]; o != nil {
		return *o
	}
	return Overlap{}
}

type lookahead struct {
	of         *Lookahead
	gate, next Gate
	after      int
}

// Route implements Gate.
func (g *lookahead) Route(dst *Routing, c Call) error {
	if err := g.gate.Route(dst, c); err != nil {
		return err
	}
	if r := g.of.guess[c.Layer]; r != nil && r.Tokens() == dst.Tokens() {
		o := g.of.recall[c.Layer]
		if o == nil {
			o = &Overlap{}
			g.of.recall[c.Layer] = o
		}
		o.Add(r, dst)
	}
	if g.next == nil {
		return nil
	}
	r := g.of.guess[g.after]
	if r == nil {
		r = &Routing{}
		g.of.guess[g.after] = r
	}
	early := c
	early.Layer = g.after
	if err := g.next.Route(r, early); err != nil {
		return fmt.Errorf("lookahead of layer %d: %w", g.after, err)
	}
	if g.of.Seen != nil {
		g.of.Seen(g.after, r)
	}
	return nil
}

// CrossToken implements CrossToken as the wrapped gate does.
func (g *lookahead) CrossToken() bool {
	x, ok := g.gate.(CrossToken)
	return ok && x.CrossToken()
}
