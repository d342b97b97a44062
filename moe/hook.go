package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Point is a place in a mixture layer where a [Hook] may look and change; several of them are or-ed together.
type Point uint

// The points of a layer, in the order in which they come.
const (
	PointGateInput   Point = 1 << iota // X: what the gate reads; the experts read their own
	PointLogits                        // Logits: raw router logits
	PointScores                        // Scores behind the score function; Choice behind bias and groups
	PointSelection                     // Routing.Expert in places of K a token, -1 for none; weights come later
	PointWeights                       // Routing, final
	PointExpert                        // once for each expert at work: Expert, Tokens, Inner, Out
	PointOutput                        // Routed, Shared and Sum
	PointResidualIn                    // X: the residual stream before the feed-forward's norm
	PointResidualOut                   // X: the stream with the feed-forward's branch added
)

// Hook looks into mixture layers and may change what it sees, in place. It is an [Observer]'s further ability: an
// Observer that is a Hook too is called at the points that it wants; see [Observe]. Where it changes nothing, the bits
// of everything stay; where there is none, nothing is spent. A layer at work waits for it; v is valid during the call.
//
// A gate that is no [Router] has no logits and scores to show: there PointSelection and PointWeights come together.
type Hook interface {
	Points() Point
	At(p Point, v *View) error
}

// View is what a hook sees: the fields of its point, by the rows of the tokens that stand together there. Where parts
// of a batch follow gates of their own, points of gates are met once a part, with From its first token.
type View struct {
	Layer, From int
	IDs, Pos    []int32 // [T]

	X                      tensor.Mat // [T,H]
	Logits, Scores, Choice tensor.Mat // [T,E+Null+S], the same, [T,E+Null]
	Routing                *Routing

	Expert int        // whose rows follow
	Tokens []int32    // [M] tokens of this expert, rising
	Inner  tensor.Mat // [M,I] behind the activation; no rows where the kernels keep none in f32
	Out    tensor.Mat // [M,H] of the expert, not weighted

	Routed tensor.Mat // [T,H] weighted sum of the experts; a copy
	Shared tensor.Mat // [T,H] of the shared expert before its gate; no rows without one; too late to change
	Sum    tensor.Mat // [T,H] the layer's output

	block *Block
	e     *kernels.Engine
	state *State
}

// Eval evaluates any expert on rows x [M,H], chosen or not: what it would have said. dst [M,H] must not overlap x. It is
// for hooks, during the call.
func (v *View) Eval(dst, x tensor.Mat, expert int) {
	if v.state == nil {
		v.state = new(State)
	}
	v.block.Eval(v.e, dst, x, expert, v.state)
}

// Ask lets any gate decide on the rows X of [PointGateInput], as if they were the input of a layer. It is for hooks, during
// the call.
func (v *View) Ask(dst *Routing, g Gate, layer int) error {
	return g.Route(dst, Call{Layer: layer, X: v.X, IDs: v.IDs, Pos: v.Pos, Engine: v.e})
}

// Eval evaluates one expert on rows x [M,H], not weighted; a null expert gives x or zeros. It panics where there is no
// such expert. Bits are those that a layer at work has for the same rows.
func (b *Block) Eval(e *kernels.Engine, dst, x tensor.Mat, expert int, s *State) {
	if expert < len(b.Experts) {
		b.Experts[expert].Forward(e, dst, x, s)
		return
	}
	if expert >= b.Spec.Slots() {
		panic("moe.Block.Eval: no such expert")
	}
	for t := range x.Rows {
		clear(dst.Row(t))
		if b.Spec.NullKind == NullIdentity {
			copy(dst.Row(t), x.Row(t))
		}
	}
}

// Observe makes a hook an observer, to be handed to a step.
func Observe(h Hook) Observer { return hookOnly{h} }

type hookOnly struct{ Hook }

// ObserveRouting implements Observer.
func (hookOnly) ObserveRouting(int, *Routing) {}

// stage is a hook at work in one layer; nil where there is none.
type stage struct {
	hook Hook
	want Point
	view View
	x    buffer // copy of the gate's input, or of the routed sum
}

// enter gives the stage of a call, or nil.
func (s *State) enter(b *Block, e *kernels.Engine, c Call, watch Observer) *stage {
	h, ok := watch.(Hook)
	if !ok {
		return nil
	}
	want := h.Points()
	if want == 0 {
		return nil
	}
	s.stage.hook, s.stage.want = h, want
	s.stage.view = View{Layer: c.Layer, block: b, e: e, state: s.stage.view.state}
	return &s.stage
}

func (g *stage) wants(p Point) bool { return g != nil && g.want&p != 0 }

// at calls the hook; the fields of the point are set.
func (g *stage) at(p Point, c Call) error {
	if !g.wants(p) {
		return nil
	}
	g.view.IDs, g.view.Pos = c.IDs, c.Pos
	return g.hook.At(p, &g.view)
}

// input lets the hook see and change what the gate reads.
func (g *stage) input(c *Call) error {
	if !g.wants(PointGateInput) {
		return nil
	}
	x := g.x.mat(c.X.Rows, c.X.Cols)
	for t := range x.Rows {
		copy(x.Row(t), c.X.Row(t))
	}
	c.X, g.view.X = x, x
	return g.at(PointGateInput, *c)
}

// routed lets the hook see what the gate decided. A router has shown its selection already.
func (g *stage) routed(c Call, gate Gate, r *Routing) error {
	g.view.Routing, g.view.Logits = r, r.Logits
	if _, shown := gate.(*Router); !shown {
		if err := g.at(PointSelection, c); err != nil {
			return err
		}
	}
	return g.at(PointWeights, c)
}

// experts shows every expert's output.
func (g *stage) experts(b *Block, c Call, s *State) error {
	if !g.wants(PointExpert) || len(s.plan.Token) == 0 {
		return nil
	}
	u := 0 // units of experts at work, in order
	for i := range b.Experts {
		from, to := s.plan.Of(i)
		if from == to {
			continue
		}
		v := &g.view
		v.Expert, v.Tokens, v.Out, v.Inner = i, s.plan.Token[from:to], s.units[u].out, s.units[u].inner
		u++
		if err := g.at(PointExpert, c); err != nil {
			return err
		}
	}
	return nil
}
