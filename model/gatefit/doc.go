// Package gatefit learns gates while the experts stay frozen: biases that balance the load of experts, and routers that
// reproduce a wanted routing. What it learns is a small overlay of router weights, which any checkpoint of the same shapes
// takes (model.Options.Gate "file=F"), and which Merge bakes into one.
//
// A gate sees the tokens of some texts; what it reads and decides is recorded in memory, at most Options.Tokens of them.
// Fits of one text with the same options have the same bits.
package gatefit

import (
	"errors"

	"github.com/seed2fbf7788/switchyard/moe"
)

// ErrFit is returned where there is nothing to fit, or where it cannot work.
var ErrFit = errors.New("cannot fit gates")

// Options say what gates are learned from.
type Options struct {
	Tokens   int                       // most tokens in use, of all texts; 0: 8192
	Layers   []moe.LayerRange          // of the model; empty: all mixtures
	Progress func(what string, at int) // may be nil
}

func (o *Options) tokens() int {
	if o.Tokens > 0 {
		return o.Tokens
	}
	return 8192
}

func (o *Options) say(what string, at int) {
	if o.Progress != nil {
		o.Progress(what, at)
	}
}

func (o *Options) covers(layer int) bool {
	for _, r := range o.Layers {
		if r.From <= layer && layer <= r.To {
			return true
		}
	}
	return len(o.Layers) == 0
}

// Overlay is what was learned.
type Overlay struct {
	Routers map[int][]float32 // layer → [E,H]
	Biases  map[int][]float32 // layer → [E+Null]
	Notes   map[string]string // for the file's metadata
}
