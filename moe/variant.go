package moe

import (
	"fmt"
	"math"
)

// Variant is how a mixture layer decides under an override: the spec and the gate in place of the block's own.
type Variant struct {
	Spec      GateSpec
	Gate      Gate
	SharedOff bool   // shared experts are left out
	MaxK      int    // a token has at most so many experts
	Edits     string // the clauses that change decisions here, as in Interventions.At
}

// Part gives tokens From to To (not included) of a call a variant of their own.
type Part struct {
	From, To int
	Use      *Variant
}

// parts is how the tokens of one call are divided; empty where all of them follow the block's own gate.
type parts struct {
	list    []Part
	of      []int32 // [T] index into list
	routing Routing // of the part in work
	shared  bool    // some part uses the shared experts
	soft    *SoftMoE
}

// set takes the parts of a call of n tokens, which they must cover in order.
func (p *parts) set(list []Part, n int) error {
	p.list, p.of, p.shared = list, sized(p.of, n), len(list) == 0
	at := 0
	for i := range list {
		if list[i].From != at || list[i].To <= at || list[i].To > n {
			return fmt.Errorf("%w: parts: want tokens %d to %d covered in order, found %d-%d", ErrGate, at, n, list[i].From, list[i].To)
		}
		for ; at < list[i].To; at++ {
			p.of[at] = int32(i)
		}
		p.shared = p.shared || !list[i].Use.SharedOff
	}
	if len(list) > 0 && at != n {
		return fmt.Errorf("%w: parts: want %d tokens, found %d", ErrGate, n, at)
	}
	return nil
}

// route fills s.Routing: by the block's gate, or part by part. Rows of logits of a part whose gate has none are NaN.
func (b *Block) route(c Call, s *State) error {
	list := s.parts.list
	switch len(list) {
	case 0:
		s.parts.soft = softOf(b.Gate)
		return ask(b.Gate, &s.Routing, c)
	case 1:
		s.parts.soft = softOf(list[0].Use.Gate)
		return ask(list[0].Use.Gate, &s.Routing, c)
	}
	s.parts.soft = nil
	dst, r := &s.Routing, &s.parts.routing
	dst.Reset(b.Spec.Slots(), c.X.Rows, 0)
	dst.room(c.X.Rows, b.Spec.Logits())
	for _, p := range list {
		if softOf(p.Use.Gate) != nil {
			return fmt.Errorf("%w: layer %d: softmoe mixes a whole text: want it alone in a batch, found %d parts", ErrGate, c.Layer, len(list))
		}
		if c.stage != nil {
			c.stage.view.From = p.From
		}
		if err := ask(p.Use.Gate, r, c.part(p.From, p.To)); err != nil {
			return err
		}
		if err := r.check(p.To-p.From, b.Spec.Slots(), c.Layer); err != nil {
			return err
		}
		dst.take(r, p.From)
	}
	if c.stage != nil {
		c.stage.view.From = 0
	}
	return nil
}

// ask lets one gate decide, with a hook looking on where there is one.
func ask(g Gate, r *Routing, c Call) error {
	if c.stage == nil {
		return g.Route(r, c)
	}
	if err := c.stage.input(&c); err != nil {
		return err
	}
	if err := g.Route(r, c); err != nil {
		return err
	}
	return c.stage.routed(c, g, r)
}

// part is tokens [a,b) of a call.
func (c Call) part(a, b int) Call {
	c.X = c.X.Slice(a, b)
	if len(c.IDs) > 0 {
		c.IDs = c.IDs[a:b]
	}
	if len(c.Pos) > 0 {
		c.Pos = c.Pos[a:b]
	}
	if len(c.Past) > 0 {
		c.Past = c.Past[a:b]
	}
	return c
}

// take appends the tokens of p, whose first is token at of r.
func (r *Routing) take(p *Routing, at int) {
	base := int32(len(r.Expert))
	for _, s := range p.Start[1:] {
		r.Start = append(r.Start, base+s)
	}
	r.Expert, r.Weight = append(r.Expert, p.Expert...), append(r.Weight, p.Weight...)
	r.Shared = append(r.Shared, p.Shared...)
	rows := r.Logits.Slice(at, at+p.Tokens())
	if p.Logits.Rows == rows.Rows && p.Logits.Cols == rows.Cols {
		copy(rows.Data, p.Logits.Data)
		return
	}
	for i := range rows.Data {
		rows.Data[i] = float32(math.NaN())
	}
}

// around is what stands around the gate for token t: the factor of the routed sum, and the shared expert or nil.
func (b *Block) around(s *State, t int) (scale float32, shared *Shared) {
	if len(s.parts.list) == 0 {
		return b.Spec.SumScale, b.Shared
	}
	use := s.parts.list[s.parts.of[t]].Use
	if use.SharedOff {
		return use.Spec.SumScale, nil
	}
	return use.Spec.SumScale, b.Shared
}
