package bench

import (
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// spread is an observer that counts which experts worked, layer by layer. It allocates nothing.
type spread struct{ layers []moe.Load }

func newSpread(f *model.Footprint) *spread {
	s := &spread{layers: make([]moe.Load, len(f.Layers))}
	for i := range f.Layers {
		s.layers[i].Count = make([]int64, f.Layers[i].Experts)
	}
	return s
}

// ObserveRouting implements moe.Observer.
func (s *spread) ObserveRouting(layer int, r *moe.Routing) { s.layers[layer].Add(r) }

func (s *spread) reset() {
	for i := range s.layers {
		clear(s.layers[i].Count)
		s.layers[i].Tokens = 0
	}
}

// routing is what each layer did since the reset.
func (s *spread) routing() []routed {
	out := make([]routed, len(s.layers))
	for i := range s.layers {
		if l := &s.layers[i]; l.Tokens > 0 {
			out[i] = routed{float64(len(l.Count) - l.Dead()), float64(l.Total()) / float64(l.Tokens)}
		}
	}
	return out
}

// Touched sums routing up over the mixture layers of a run.
type Touched struct {
	Experts  int     // of a layer
	Distinct float64 // that worked, mean of the layers
	LoadCV   float64 // standard deviation of their loads by the mean, mean of the layers
}

func (s *spread) touched() Touched {
	var t Touched
	n := 0.0
	for i := range s.layers {
		l := &s.layers[i]
		if len(l.Count) == 0 {
			continue
		}
		n++
		t.Experts = max(t.Experts, len(l.Count))
		t.Distinct += float64(len(l.Count) - l.Dead())
		t.LoadCV += l.CV()
	}
	if n > 0 {
		t.Distinct, t.LoadCV = t.Distinct/n, t.LoadCV/n
	}
	return t
}
