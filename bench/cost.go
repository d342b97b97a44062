package bench

import "github.com/seed2fbf7788/switchyard/model"

// Cost is what some tokens take at least: bytes read once, and operations by kind (a multiply-add is 2).
type Cost struct {
	Bytes float64
	Ops   [model.NumAriths]float64

	Router float64 // bytes of the gates' own matrices, a part of Bytes
}

// pass is one call of the model for one sequence.
type pass struct {
	tokens, start int // so many tokens behind start others
	logits        int // rows of logits
}

// routed is what the gate of a layer did: distinct experts that a pass reads, and experts per token.
type routed struct{ distinct, perToken float64 }

// add counts a pass. Weights count once, those of experts that the pass touches; the cache once for each position that a
// token of the pass sees.
func (c *Cost) add(f *model.Footprint, p pass, routing []routed) {
	t := float64(p.tokens)
	c.Bytes += t*float64(f.EmbedRow) + float64(f.Norm)
	if p.logits > 0 {
		c.part(f.Head, 1, float64(p.logits))
	}
	for i := range f.Layers {
		l, r := &f.Layers[i], routing[i]
		c.Bytes += float64(l.Norms)
		for _, part := range []model.Part{l.Mixer, l.Dense, l.Router, l.Shared} {
			c.part(part, 1, t)
		}
		c.Router += float64(l.Router.Bytes)
		c.part(l.Expert, r.distinct, t*r.perToken)
		seen, pairs := p.attended(l.Window)
		c.Bytes += float64(l.KVBytes) * float64(seen)
		c.Ops[model.F32] += 2 * float64(l.PairMACs) * float64(pairs)
	}
}

// part counts a part that is read so many times and multiplied with so many rows.
func (c *Cost) part(p model.Part, times, rows float64) {
	c.Bytes += times * float64(p.Bytes)
	for a, n := range p.MACs {
		c.Ops[a] += 2 * rows * float64(n)
	}
}

// attended is how many positions the pass reads from the cache, and how many (query, position) pairs it computes.
func (p pass) attended(window int) (seen, pairs int64) {
	first := 0
	for t := p.start; t < p.start+p.tokens; t++ {
		from := 0
		if window > 0 {
			from = max(0, t-window+1)
		}
		if t == p.start {
			first = from
		}
		pairs += int64(t + 1 - from)
	}
	return int64(p.start + p.tokens - first), pairs
}

// plus is the sum of two costs.
func (c Cost) plus(o Cost) Cost {
	c.Bytes += o.Bytes
	c.Router += o.Router
	for a := range c.Ops {
		c.Ops[a] += o.Ops[a]
	}
	return c
}

// over divides by a number of tokens.
func (c Cost) over(tokens int) Cost {
	c.Bytes /= float64(tokens)
	c.Router /= float64(tokens)
	for a := range c.Ops {
		c.Ops[a] /= float64(tokens)
	}
	return c
}

// Total is all operations.
func (c Cost) Total() float64 {
	sum := 0.0
	for _, n := range c.Ops {
		sum += n
	}
	return sum
}

// Seconds is the least time that the limits allow: reading and computing overlap, so the slower of the two counts; the kinds
// of arithmetic follow each other, so their times add up.
func (c Cost) Seconds(l Limits) float64 {
	compute := 0.0
	for a, n := range c.Ops {
		if n > 0 {
			compute += n / l.peak(model.Arith(a))
		}
	}
	if l.Read == 0 {
		return compute
	}
	return max(c.Bytes/(l.Read*1e9), compute)
}
