package moe

import "math"

// CoActivation counts N_ij, tokens that have both experts i and j (N_ii: tokens that have i), over all pairs of a
// token's experts (OLMoE, arXiv 2409.02060; its published code counts adjacent ranks only). The zero value works.
type CoActivation struct {
	E int
	N []int64 // [E,E]
}

// Add counts a call; E must not change between calls.
func (c *CoActivation) Add(r *Routing) {
	if c.N == nil {
		c.E, c.N = r.E, make([]int64, r.E*r.E)
	}
	for t := range r.Tokens() {
		ids, _ := r.Of(t)
		for _, i := range ids {
			for _, j := range ids {
				c.N[int(i)*c.E+int(j)]++
			}
		}
	}
}

// P is P(j|i) = N_ij / N_i; 0 where i was never chosen.
func (c *CoActivation) P(j, i int) float64 {
	return ratio(float64(c.N[i*c.E+j]), float64(c.N[i*c.E+i]))
}

// Transition counts N_ij, tokens with expert i in one layer and j in another. The zero value works.
type Transition struct {
	From, To int     // experts of the layers
	N        []int64 // [From,To]
	Of       []int64 // [From] tokens with expert i in the first
}

// Add counts the same tokens in two layers. It panics where they differ in number.
func (c *Transition) Add(a, b *Routing) {
	if a.Tokens() != b.Tokens() {
		panic("moe.Transition: calls of different tokens")
	}
	if c.N == nil {
		c.From, c.To, c.N, c.Of = a.E, b.E, make([]int64, a.E*b.E), make([]int64, a.E)
	}
	for t := range a.Tokens() {
		from, _ := a.Of(t)
		to, _ := b.Of(t)
		for _, i := range from {
			c.Of[i]++
			for _, j := range to {
				c.N[int(i)*c.To+int(j)]++
			}
		}
	}
}

// Repeat measures P(first expert = that of the token before) (Mixtral, arXiv 2401.04088 §5). The zero value works.
type Repeat struct {
	Same, Of int64
	last     int32 // first expert of the token before, plus 1; 0: none
}

// Add counts a call, which goes on where the one before ended.
func (p *Repeat) Add(r *Routing) {
	for t := range r.Tokens() {
		p.AddToken(r.First(t))
	}
}

// AddToken counts one token whose first expert is known; -1: it has none.
func (p *Repeat) AddToken(first int32) {
	e := first + 1
	if p.last > 0 {
		p.Of++
		if e == p.last {
			p.Same++
		}
	}
	p.last = e
}

// EndSequence says that the next token has none before it.
func (p *Repeat) EndSequence() { p.last = 0 }

// P is P(j in the second layer | i in the first) = N_ij / Of_i; 0 where i was never chosen.
func (c *Transition) P(j, i int) float64 { return ratio(float64(c.N[i*c.To+j]), float64(c.Of[i])) }

// Share is Same/Of.
func (p *Repeat) Share() float64 { return ratio(float64(p.Same), float64(p.Of)) }

// GateEntropy is the mean over tokens of −Σ p ln p in nats, p = softmax of the E raw logits; f64 throughout. The zero
// value works.
type GateEntropy struct {
	Sum    float64
	Tokens int64
}

// Add counts a call; one without logits counts nothing.
func (g *GateEntropy) Add(r *Routing) {
	if r.Logits.Rows != r.Tokens() {
		return
	}
	for t := range r.Tokens() {
		row := r.Logits.Row(t)
		g.Sum += Entropy(row[:min(r.E, len(row))])
		g.Tokens++
	}
}

// Mean is the mean over tokens.
func (g *GateEntropy) Mean() float64 { return ratio(g.Sum, float64(g.Tokens)) }

// Entropy is that of softmax(l) in nats, summed in f64: ln Z − Σ e^d·d / Z with d = l − max, Z = Σ e^d.
func Entropy(l []float32) float64 {
	top := math.Inf(-1)
	for _, v := range l {
		top = max(top, float64(v))
	}
	z, s := 0.0, 0.0
	for _, v := range l {
		d := float64(v) - top
		if e := math.Exp(d); e > 0 {
			z, s = z+e, s+e*d
		}
	}
	return math.Log(z) - ratio(s, z)
}
