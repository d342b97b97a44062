package route

import (
	"context"
	"math"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// maxExpertTokens bounds how much of a prompt the local mixture reads for its experts.
const maxExpertTokens = 256

// usage counts which experts worked, layer by layer; it is a moe.Observer.
type usage struct {
	at     map[int]int // layer → its place
	counts [][]float64
}

func newUsage(s *model.Spec) *usage {
	u := &usage{at: map[int]int{}}
	for _, i := range s.MoELayers() {
		u.at[i] = len(u.counts)
		u.counts = append(u.counts, make([]float64, s.Layers[i].MoE.Gate.Slots()))
	}
	return u
}

// ObserveRouting implements moe.Observer.
func (u *usage) ObserveRouting(layer int, r *moe.Routing) {
	c := u.counts[u.at[layer]]
	for _, e := range r.Expert {
		c[e]++
	}
}

// row is the share of each expert in its layer, and the entropy of these shares (over ln E) of each layer.
func (u *usage) row() []float32 {
	var out, entropies []float32
	for _, c := range u.counts {
		total, h := 0.0, 0.0
		for _, n := range c {
			total += n
		}
		for _, n := range c {
			p := n / max(total, 1)
			if p > 0 {
				h -= p * math.Log(p)
			}
			out = append(out, float32(p))
		}
		entropies = append(entropies, float32(h/math.Log(float64(max(len(c), 2)))))
	}
	return append(out, entropies...)
}

// Experts reads a prompt with a local mixture and gives which experts worked: for each layer the share of each expert,
// then for each layer the entropy of the shares. At most the first 256 tokens are read.
func Experts(ctx context.Context, m *model.Model, prompt string) ([]float32, error) {
	u := newUsage(m.Spec())
	ids, err := m.EncodePrompt(prompt)
	if err != nil || len(ids) == 0 {
		return u.row(), err
	}
	seq := m.NewSequence()
	defer seq.Free()
	if err := m.Prefill(ctx, seq, ids[:min(len(ids), maxExpertTokens)], tensor.Mat{}, u); err != nil {
		return nil, err
	}
	return u.row(), nil
}
