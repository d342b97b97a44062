package gatefit

import (
	"context"
	"fmt"
	"slices"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// run computes the texts, at most n tokens of them, under a gate, with a hook looking on. A text longer than the model's
// context is cut.
func run(ctx context.Context, m *model.Model, texts [][]int32, n int, g *model.GateOverride, h moe.Observer) error {
	for _, ids := range texts {
		for piece := range slices.Chunk(ids, min(m.Context(), 2048)) {
			if piece = piece[:min(len(piece), n)]; len(piece) == 0 {
				return nil
			}
			n -= len(piece)
			seq := m.NewSequence()
			err := m.PrefillSpan(ctx, model.Span{Seq: seq, Tokens: piece, Gate: g}, h)
			seq.Free()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// layersOf are the mixtures that are to be fitted.
func layersOf(m *model.Model, o *Options) ([]int, error) {
	var out []int
	for _, l := range m.Spec().MoELayers() {
		if o.covers(l) {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: want mixtures of experts among %v, found none in the layers that were named", ErrFit, m.Spec().MoELayers())
	}
	return out, nil
}

// seen is what one layer's gate read and decided, token after token.
type seen struct {
	x      []float32 // [T,H] what the router read
	scores []float32 // [T,E+Null] what the choice is made by
	target [][]int32 // [T] experts that shall be chosen
	share  [][]float32
	load   moe.Load
}

// watcher fills seen of the layers that it is for.
type watcher struct {
	points moe.Point
	layers map[int]*seen
	oracle int // of how many experts the oracle's choice is; 0: the gate's own choice
	input  tensor.Mat
	out    tensor.Mat
	spec   func(layer int) *moe.GateSpec
}

// Points implements moe.Hook.
func (w *watcher) Points() moe.Point { return w.points }

// ObserveRouting implements moe.Observer.
func (w *watcher) ObserveRouting(layer int, r *moe.Routing) {
	if s := w.layers[layer]; s != nil {
		s.load.Add(r)
	}
}

// At implements moe.Hook.
func (w *watcher) At(p moe.Point, v *moe.View) error {
	s := w.layers[v.Layer]
	if s == nil {
		return nil
	}
	switch p {
	case moe.PointGateInput:
		s.x = append(s.x, v.X.Data...)
		w.input = v.X
	case moe.PointScores:
		s.scores = append(s.scores, v.Choice.Data...)
	case moe.PointWeights:
		if w.oracle > 0 {
			w.best(s, v)
			return nil
		}
		for t := range v.Routing.Tokens() {
			ids, weights := v.Routing.Of(t)
			s.want(ids, weights)
		}
	}
	return nil
}

// want notes one token's target, with shares of 1.
func (s *seen) want(ids []int32, weights []float32) {
	share, sum := slices.Clone(weights), float32(0)
	for j, w := range share {
		share[j] = max(w, 0)
		sum += share[j]
	}
	for j := range share {
		if sum > 0 {
			share[j] /= sum
		} else {
			share[j] = 1 / float32(len(share))
		}
	}
	s.target, s.share = append(s.target, slices.Clone(ids)), append(s.share, share)
}
