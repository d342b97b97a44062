package moe

import "fmt"

// Lookahead measures how well the next mixture layer's gate already chooses from this layer's input (arXiv 2603.19289,
// Fate arXiv 2502.12224): at every gate input it lets the gate of the next mixture layer decide on the same rows, and
// holds that against what the layer chooses later. It is a [Hook] for batches that follow one gate; it is not safe for
// concurrent use. What it asks must not be at work elsewhere meanwhile; the gates of the model that it looks at are fine.
type Lookahead struct {
	Gates []Gate                          // by layer; nil where dense
	Seen  func(layer int, guess *Routing) // sees what the gate of a layer chose early; may be nil

	recall map[int]*Overlap
	guess  map[int]*Routing
}

// Points implements Hook.
func (l *Lookahead) Points() Point { return PointGateInput | PointWeights }

// At implements Hook.
func (l *Lookahead) At(p Point, v *View) error {
	if l.recall == nil {
		l.recall, l.guess = map[int]*Overlap{}, map[int]*Routing{}
	}
	switch p {
	case PointGateInput:
		return l.early(v)
	case PointWeights:
		l.compare(v)
	}
	return nil
}

func (l *Lookahead) early(v *View) error {
	next := v.Layer + 1
	for next < len(l.Gates) && l.Gates[next] == nil {
		next++
	}
	if next >= len(l.Gates) {
		return nil
	}
	r := l.guess[next]
	if r == nil {
		r = &Routing{}
		l.guess[next] = r
	}
	if err := v.Ask(r, l.Gates[next], next); err != nil {
		return fmt.Errorf("lookahead of layer %d: %w", next, err)
	}
	if l.Seen != nil {
		l.Seen(next, r)
	}
	return nil
}

func (l *Lookahead) compare(v *View) {
	r := l.guess[v.Layer]
	if r == nil || r.Tokens() != v.Routing.Tokens() {
		return
	}
	o := l.recall[v.Layer]
	if o == nil {
		o = &Overlap{}
		l.recall[v.Layer] = o
	}
	o.Add(r, v.Routing)
}

// Of is the overlap of what the layer's gate chose one layer early with what it chose; zero where nothing was seen.
func (l *Lookahead) Of(layer int) Overlap {
	if o := l.recall[layer]; o != nil {
		return *o
	}
	return Overlap{}
}
