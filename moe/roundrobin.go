package moe

import "fmt"

// RoundRobin gives the token at position p the experts (p·K + j) mod E, j = 0 … K-1, with weights 1/K: routing without
// skew, for timing. Its tokens are independent of each other because positions, not rows, are counted; a call without
// positions is an [ErrGate]. K must not be above E.
type RoundRobin struct{ E, K int }

// Route implements Gate.
func (g RoundRobin) Route(dst *Routing, c Call) error {
	if len(c.Pos) != c.X.Rows {
		return fmt.Errorf("%w: layer %d: round robin needs %d positions, found %d", ErrGate, c.Layer, c.X.Rows, len(c.Pos))
	}
	dst.NoLogits()
	dst.Uniform(g.E, c.X.Rows, g.K)
	for t, p := range c.Pos {
		ids, weights := dst.Of(t)
		for j := range ids {
			ids[j], weights[j] = int32((int(p)*g.K+j)%g.E), 1/float32(g.K)
		}
	}
	return nil
}
