package moe

import (
	"errors"
	"fmt"
)

// ErrReplay is returned where a recording has nothing for a token.
var ErrReplay = errors.New("nothing recorded")

// Replay gives every token the experts and weights that a [Recorder] saw at the token's position of the same layer: the
// routing is held fixed while something else changes, and a gate's error is told from the experts' error. The recording
// is of one sequence from position 0; it must not grow while it is replayed. A call without positions is an [ErrGate].
type Replay struct{ From *Recorder }

// Route implements Gate.
func (g Replay) Route(dst *Routing, c Call) error {
	if len(c.Pos) != c.X.Rows {
		return fmt.Errorf("%w: layer %d: a replay needs %d positions, found %d", ErrGate, c.Layer, c.X.Rows, len(c.Pos))
	}
	rec := g.From.Layer(c.Layer)
	dst.NoLogits()
	dst.Reset(rec.E, c.X.Rows, 0)
	for t, p := range c.Pos {
		if p < 0 || int(p) >= rec.Tokens() {
			return fmt.Errorf("layer %d token %d: %w: want a position below %d, found %d", c.Layer, t, ErrReplay, rec.Tokens(), p)
		}
		for i := rec.Start[p]; i < rec.Start[p+1]; i++ {
			dst.Add(rec.Expert[i], rec.Weight[i])
		}
		dst.EndToken()
	}
	return nil
}
