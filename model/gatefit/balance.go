package gatefit

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Balanced says what balancing did: MaxVio of each layer before and after, as counted in runs of the model.
type Balanced struct {
	Before, After map[int]float64
	Rounds        int // runs of the model
	Reached       bool
}

// maxRounds bounds the runs of the model: a layer's load moves a little once the layers below it route in another way.
const maxRounds = 12

// Balance learns choice biases that spread the load (loss-free balancing, arXiv 2408.15664): b_i += u·sign(mean c − c_i),
// with a falling u, until MaxVio = (max c − mean c)/mean c of every layer is at most target on the texts. Weights are not
// touched by them. The steps work on recorded scores; the model then runs under the new biases, until it agrees.
//
// The best biases met are the result, with Reached false where the target was not. Gates must choose by top-k over scores
// without groups.
func Balance(ctx context.Context, m *model.Model, texts [][]int32, target float64, o Options) (*Overlay, *Balanced, error) {
	layers, err := layersOf(m, &o)
	if err != nil {
		return nil, nil, err
	}
	if !(target > 0) {
		return nil, nil, fmt.Errorf("%w: MaxVio: want a target above 0, found %v", ErrFit, target)
	}
	b := &balancer{m: m, o: &o, texts: texts, layers: layers, bias: map[int][]float32{}}
	for _, l := range layers {
		spec := m.Gates(nil)[l].Spec
		if spec.Select != moe.SelectTopK || spec.Groups != nil {
			return nil, nil, fmt.Errorf("%w: layer %d: want a gate that chooses by top-k without groups, found %s", ErrFit, l, spec.String())
		}
		b.bias[l] = make([]float32, spec.Slots())
		if spec.ChoiceBias {
			copy(b.bias[l], m.Router(l).Weights.ChoiceBias)
		}
	}
	out, err := b.fit(ctx, target)
	if err != nil {
		return nil, nil, err
	}
	worst := worstOf(out.After)
	return &Overlay{Biases: b.bias, Notes: map[string]string{
		"fit": "balance", "target_max_vio": fmt.Sprint(target), "max_vio": fmt.Sprint(worst),
	}}, out, nil
}

type balancer struct {
	m      *model.Model
	o      *Options
	texts  [][]int32
	layers []int
	bias   map[int][]float32
}

func (b *balancer) fit(ctx context.Context, target float64) (*Balanced, error) {
	out, best := &Balanced{}, map[int][]float32{}
	for ; out.Rounds < maxRounds; out.Rounds++ {
		seen, vio, err := b.measure(ctx)
		if err != nil {
			return nil, err
		}
		if out.Before == nil {
			out.Before = vio
		}
		b.o.say("MaxVio", int(100*worstOf(vio)))
		if out.After == nil || worstOf(vio) < worstOf(out.After) {
			out.After = vio
			for l, v := range b.bias {
				best[l] = slices.Clone(v)
			}
		}
		if worstOf(vio) <= target {
			out.Reached = true
			break
		}
		for _, l := range b.layers {
			k := b.m.Gates(nil)[l].Spec.TopK
			balance(b.bias[l], seen[l].scores, k, target/2)
		}
	}
	b.bias = best
	return out, nil
}

// measure runs the texts under the biases so far.
func (b *balancer) measure(ctx context.Context) (map[int]*seen, map[int]float64, error) {
	g, err := b.m.CompileGateFiles("file=fit", moe.Files{Overlays: map[string]*moe.Overlay{"fit": b.overlay()}})
	if err != nil {
		return nil, nil, err
	}
	w := &watcher{points: moe.PointScores, layers: map[int]*seen{}}
	for _, l := range b.layers {
		w.layers[l] = &seen{}
	}
	if err := run(ctx, b.m, b.texts, b.o.tokens(), g, w); err != nil {
		return nil, nil, err
	}
	vio := map[int]float64{}
	for l, s := range w.layers {
		vio[l] = s.load.MaxVio()
		for i := range s.scores { // scores without the bias
			s.scores[i] -= b.bias[l][i%len(b.bias[l])]
		}
	}
	return w.layers, vio, nil
}

func (b *balancer) overlay() *moe.Overlay {
	o := &moe.Overlay{Layers: map[int]moe.OverlayLayer{}}
	for l, v := range b.bias {
		o.Layers[l] = moe.OverlayLayer{ChoiceBias: slices.Clone(v)}
	}
	return o
}

func worstOf(vio map[int]float64) float64 { return slices.Max(slices.Collect(maps.Values(vio))) }

// balance takes steps on recorded scores [T,E] until their MaxVio is at most target, or the steps have become too small
// to matter. It keeps the best biases met.
func balance(bias, scores []float32, k int, target float64) {
	e := len(bias)
	t := len(scores) / e
	mean := float64(t) * float64(k) / float64(e)
	step, best, kept := spread(scores)/4, math.Inf(1), slices.Clone(bias)
	count, choice := make([]int, e), make([]float32, e)
	for range 400 {
		clear(count)
		for i := 0; i < len(scores); i += e {
			for x := range choice {
				choice[x] = scores[i+x] + bias[x]
			}
			for _, x := range largest(choice, k) {
				count[x]++
			}
		}
		if vio := float64(slices.Max(count))/mean - 1; vio < best {
			best = vio
			copy(kept, bias)
		}
		if best <= target {
			break
		}
		for x, c := range count {
			switch {
			case float64(c) < mean:
				bias[x] += float32(step)
			case float64(c) > mean:
				bias[x] -= float32(step)
			}
		}
		step *= 0.98
	}
	copy(bias, kept)
}

// spread is the standard deviation of scores.
func spread(scores []float32) float64 {
	n, sum, squares := float64(max(len(scores), 1)), 0.0, 0.0
	for _, s := range scores {
		sum += float64(s)
		squares += float64(s) * float64(s)
	}
	return math.Sqrt(max(squares/n-sum/n*sum/n, 0))
}
