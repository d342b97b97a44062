package route

import (
	"context"
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// work is what the experts of a mixture did on one prompt; it is a moe.Observer. The token that begins every text is not
// counted: its experts are always the same.
type work struct {
	at            map[int]int // layer → its place
	skip          []int       // tokens still to be passed over
	tokens        []float64
	counts        [][]float64 // [layer][expert]
	weights, last [][]float64 // weights of all tokens, and of the last one
}

func newWork(s *model.Spec, skip int) *work {
	w := &work{at: map[int]int{}}
	for _, i := range s.MoELayers() {
		n := s.Layers[i].MoE.Gate.Slots()
		w.at[i] = len(w.counts)
		w.skip, w.tokens = append(w.skip, skip), append(w.tokens, 0)
		w.counts, w.weights, w.last = append(w.counts, make([]float64, n)), append(w.weights, make([]float64, n)), append(w.last, make([]float64, n))
	}
	return w
}

// ObserveRouting implements moe.Observer.
func (w *work) ObserveRouting(layer int, r *moe.Routing) {
	l := w.at[layer]
	for t := range r.Tokens() {
		if w.skip[l] > 0 {
			w.skip[l]--
			continue
		}
		w.tokens[l]++
		clear(w.last[l])
		experts, weights := r.Of(t)
		for i, e := range experts {
			w.counts[l][e]++
			w.weights[l][e] += float64(weights[i])
			w.last[l][e] += float64(weights[i])
		}
	}
}

// shares are each expert's share of the calls of its layer, layer after layer.
func (w *work) shares() []float32 { return flat(w.counts, func(v float64) float64 { return v }) }

// measures of an expert: its share of the calls and of the weights on the prompt, and of the weights on the last token. Square
// roots make their spread even (Hellinger).
const measures = 3

// row is the root of each measure, [measures × layers × experts].
func (w *work) row() []float32 {
	return slices.Concat(flat(w.counts, math.Sqrt), flat(w.weights, math.Sqrt), flat(w.last, math.Sqrt))
}

func flat(values [][]float64, f func(float64) float64) (out []float32) {
	for _, c := range values {
		total := 0.0
		for _, n := range c {
			total += n
		}
		for _, n := range c {
			v := 0.0
			if n > 0 && total > 0 {
				v = f(n / total)
			}
			out = append(out, float32(v))
		}
	}
	return out
}

// watch reads a prompt, at most 256 tokens of it, with a mixture.
func watch(ctx context.Context, m *model.Model, prompt string) (*work, error) {
	ids, err := m.EncodePrompt(prompt)
	if err != nil {
		return nil, err
	}
	skip := 0
	if bos := m.Spec().BOS; len(ids) > 0 && slices.Contains(bos, ids[0]) {
		skip = 1
	}
	w := newWork(m.Spec(), skip)
	if len(ids) <= skip {
		return w, nil
	}
	seq := m.NewSequence()
	defer seq.Free()
	return w, m.Prefill(ctx, seq, ids[:min(len(ids), maxExpertTokens)], tensor.Mat{}, w)
}
