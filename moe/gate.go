package moe

import (
	"errors"
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// ErrBadScore is returned when a router's logit is NaN: the weights or the input are damaged.
var ErrBadScore = errors.New("router score is not a number")

// Gate decides which experts work on each token of a call. It is the one interface that an experiment implements.
//
// Contract: dst is filled completely (Reset first); logits and weights are f32; ties of the score that decides go to
// the lower expert id; the experts of a token are distinct; a NaN gives an error that wraps [ErrBadScore] and names
// layer, token and expert; c is not kept; nothing is allocated after the first call of a size. A gate treats tokens
// independently of each other, or else implements [CrossToken]. Gates are not safe for concurrent use.
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
	Engine *kernels.Engine
}

// Scorer fills Routing.Logits [T,E] with raw router logits.
type Scorer interface {
	Score(dst tensor.Mat, c Call) error
}

// Selector turns logits [T,E] into experts and weights. It reads no activations.
type Selector interface {
	Select(dst *Routing, logits tensor.Mat, c Call) error
}

// Routing is who works on what, in CSR form, so that the number of experts may differ per token: token t owns the pairs
// Start[t]:Start[t+1], in the order of choice (best first). Weights are final: combining multiplies and adds, no more.
// A Routing is filled again by the next call; copy what shall live longer.
type Routing struct {
	E      int        // experts that an id may name, null experts included
	Start  []int32    // [T+1]
	Expert []int32    // [N]
	Weight []float32  // [N]
	Logits tensor.Mat // [T,E] raw router logits, where the gate has a router
	logits []float32
}

// Tokens is T.
func (r *Routing) Tokens() int { return max(len(r.Start)-1, 0) }

// Of gives the experts and weights of token t; they share memory with r.
func (r *Routing) Of(t int) ([]int32, []float32) {
	a, b := r.Start[t], r.Start[t+1]
	return r.Expert[a:b], r.Weight[a:b]
}

// Reset empties r and makes room for tokens with up to k experts each.
func (r *Routing) Reset(e, tokens, k int) {
	r.E = e
	r.Start = append(grow(r.Start[:0], tokens+1), 0)
	r.Expert, r.Weight = grow(r.Expert[:0], tokens*k), grow(r.Weight[:0], tokens*k)
}

// Uniform makes every token own exactly k pairs, to be filled in place.
func (r *Routing) Uniform(e, tokens, k int) {
	r.Reset(e, tokens, k)
	for t := range tokens {
		r.Start = append(r.Start, int32((t+1)*k))
	}
	r.Expert, r.Weight = r.Expert[:tokens*k], r.Weight[:tokens*k]
}

// Add appends a pair to the token that is being filled; EndToken closes it.
func (r *Routing) Add(expert int32, weight float32) {
	r.Expert, r.Weight = append(r.Expert, expert), append(r.Weight, weight)
}

// EndToken closes the token that is being filled.
func (r *Routing) EndToken() { r.Start = append(r.Start, int32(len(r.Expert))) }

// room makes Logits a matrix [tokens, e] over memory that is kept.
func (r *Routing) room(tokens, e int) {
	if cap(r.logits) < tokens*e {
		r.logits = make([]float32, tokens*e)
	}
	r.Logits = tensor.MatOf(r.logits[:tokens*e], tokens, e)
}

func grow[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, len(s), n)
	}
	return s
}

// Router is the usual Gate: a Scorer, then a Selector.
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
	return g.Selector.Select(dst, dst.Logits, c)
}

// Linear is the usual Scorer: logits = x·Wᵀ (+ bias), accumulated in f32.
type Linear struct {
	W     kernels.Matrix // [E,H]
	Bias  []float32      // [E] or nil
	Round Compute
	prod  [1]kernels.Product
}

// Score implements Scorer.
func (l *Linear) Score(dst tensor.Mat, c Call) error {
	l.prod[0] = kernels.Product{Dst: dst, X: c.X, W: l.W, Bias: l.Bias}
	c.Engine.MatMul(l.prod[:]...)
	if l.Round == ComputeBF16 {
		for i, v := range dst.Data {
			dst.Data[i] = tensor.BF16ToF32(tensor.F32ToBF16(v))
		}
	}
	return nil
}

// RouterWeights are the tensors of a router; nil where the spec has none.
type RouterWeights struct {
	W          kernels.Matrix // [E+Null, H]
	Bias       []float32      // [E+Null]
	ChoiceBias []float32      // [E+Null]
	PerExpert  []float32      // [E]
	Table      []int32        // [V,K] experts by token id
}

// NewGate builds the gate that a spec describes.
func NewGate(spec GateSpec, w RouterWeights) (*Router, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	if spec.Input != InputBlock {
		return nil, fmt.Errorf("%w: input: want the block's input, found %q", ErrGate, spec.Input)
	}
	g := &Router{Scorer: &Linear{W: w.W, Bias: w.Bias, Round: spec.Compute}, Slots: spec.Slots()}
	switch spec.Select {
	case SelectSparseMixer:
		g.Selector = &SparseMixer{Spec: spec}
	case SelectTable:
		g.Selector = &Table{TopK: TopK{Spec: spec, PerExpert: w.PerExpert}, IDs: w.Table}
	default:
		g.Selector = &TopK{Spec: spec, ChoiceBias: w.ChoiceBias, PerExpert: w.PerExpert}
	}
	return g, nil
}
