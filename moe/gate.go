package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Gate decides which experts work on each token of a call. It is the one interface that an experiment implements.
//
// Contract: dst is filled completely (Reset first); logits and weights are f32; ties of the score that decides go to
// the lower expert id; the experts of a token are distinct; a NaN gives an error that wraps [ErrBadScore] and names
// layer, token and expert; c is not kept; nothing is allocated after the first call of a size. A gate treats tokens
// independently of each other, or else implements [CrossToken]. Gates are not safe for concurrent use. The package
// moetest holds a gate to all of this.
type Gate interface {
	Route(dst *Routing, c Call) error
}

// CrossToken is implemented by gates whose decision for one token depends on the others of the call (expert choice):
// with them, prefill and decode differ.
type CrossToken interface{ CrossToken() bool }

// Call is what a gate may look at.
type Call struct {
	Layer  int
	X      tensor.Mat // [T,H] the block's input, read-only
	IDs    []int32    // [T] token ids; may be nil
	Pos    []int32    // [T] positions; may be nil
	Past   [][]int32  // [T] ids that the token's sequence held before this call; may be nil
	Engine *kernels.Engine

	stage *stage // a hook, or nil
}

// Scorer fills dst [T, outputs of the router] with raw router logits.
type Scorer interface {
	Score(dst tensor.Mat, c Call) error
}

// Selector turns logits into experts and weights. It reads no activations.
type Selector interface {
	Select(dst *Routing, logits tensor.Mat, c Call) error
}

// Router is the usual Gate: a Scorer, then a Selector. It leaves the raw logits in Routing.Logits.
type Router struct {
	Scorer   Scorer
	Selector Selector
	Slots    int // outputs of the scorer
}

// Route implements Gate.
func (g *Router) Route(dst *Routing, c Call) error {
	dst.room(c.X.Rows, g.Slots)
	if err := g.Scorer.Score(dst.Logits, c); err != nil {
		return err
	}
	if c.stage != nil {
		c.stage.view.Logits = dst.Logits
		if err := c.stage.at(PointLogits, c); err != nil {
			return err
		}
	}
	return g.Selector.Select(dst, dst.Logits, c)
}

func (g *Router) maxK() int { return maxK(g.Selector) }

// CrossToken implements CrossToken as the selector does.
func (g *Router) CrossToken() bool { return crosses(g.Selector) }

// crosses says that a gate or selector decides about tokens together.
func crosses(x any) bool {
	c, ok := x.(CrossToken)
	return ok && c.CrossToken()
}

// maxK is the most experts that a token gets of a gate or selector, 0 where it is the spec's K.
func maxK(x any) int {
	if m, ok := x.(interface{ maxK() int }); ok {
		return m.maxK()
	}
	return 0
}
