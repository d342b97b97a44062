package moe

import "fmt"

// Random gives every token K distinct experts drawn at random, weights 1/K: the floor that a learned gate is held
// against. The draw depends on Seed, layer and position only. A call without positions is an [ErrGate].
type Random struct {
	E, K int
	Seed uint64
	draw draw
}

// Route implements Gate.
func (g *Random) Route(dst *Routing, c Call) error {
	return g.draw.route(dst, c, c.Pos, g.E, g.K, g.Seed, "random: positions")
}

// Hash gives every token K distinct experts by its id, weights 1/K: hash routing with random tables (Hash Layers for
// Large Sparse Models, arXiv 2106.04426). Fixed tables of a checkpoint are [Table]. A call without ids is an [ErrGate].
type Hash struct {
	E, K int
	Seed uint64
	draw draw
}

// Route implements Gate.
func (g *Hash) Route(dst *Routing, c Call) error {
	return g.draw.route(dst, c, c.IDs, g.E, g.K, g.Seed, "hash: token ids")
}

// draw gives the K experts with the largest hash of (seed, layer, key, expert).
type draw struct{ score []float32 }

func (d *draw) route(dst *Routing, c Call, keys []int32, e, k int, seed uint64, what string) error {
	if len(keys) != c.X.Rows || k < 1 || k > e {
		return fmt.Errorf("%w: layer %d: %s: want %d, and 1 to %d experts a token, found %d and %d",
			ErrGate, c.Layer, what, c.X.Rows, e, len(keys), k)
	}
	d.score = sized(d.score, e)
	dst.NoLogits()
	dst.Uniform(e, c.X.Rows, k)
	for t, key := range keys {
		for x := range d.score {
			d.score[x] = float32(mix(mix(mix(seed, uint64(c.Layer)), uint64(uint32(key))), uint64(x)) >> 40)
		}
		ids, weights := dst.Of(t)
		choose(ids, d.score, nil)
		for j := range weights {
			weights[j] = 1 / float32(k)
		}
	}
	return nil
}
