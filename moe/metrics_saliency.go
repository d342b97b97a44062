package moe

import "math"

// Saliency sums, expert by expert over the tokens routed to it, what expert pruning ranks by: how often it worked (c), with
// what weight (g, as the combination used it), and how large its unweighted output was (‖f‖₂). REAP: arXiv 2510.13999,
// reference implementation pruning_metrics.py. All sums are f64 in order of tokens. The zero value works.
type Saliency struct {
	Count              []int64   // c_i
	Weight             []float64 // Σ g
	Norm               []float64 // Σ ‖f‖
	WeightedNorm       []float64 // Σ g·‖f‖
	MaxNorm            []float64 // max ‖f‖
	withNorms, without bool
}

// Add counts a call; norms [N] are those of the pairs of r, in their order, or nil where they are not known. It panics on
// another number of norms.
func (s *Saliency) Add(r *Routing, norms []float32) {
	if norms != nil && len(norms) != len(r.Expert) {
		panic("moe.Saliency: norms of other pairs")
	}
	for len(s.Count) < r.E {
		s.Count = append(s.Count, 0)
		s.Weight, s.Norm = append(s.Weight, 0), append(s.Norm, 0)
		s.WeightedNorm, s.MaxNorm = append(s.WeightedNorm, 0), append(s.MaxNorm, 0)
	}
	for i, e := range r.Expert {
		g := float64(r.Weight[i])
		s.Count[e]++
		s.Weight[e] += g
		if norms != nil {
			f := float64(norms[i])
			s.Norm[e] += f
			s.WeightedNorm[e] += g * f
			s.MaxNorm[e] = math.Max(s.MaxNorm[e], f)
		}
	}
	s.withNorms, s.without = s.withNorms || norms != nil, s.without || norms == nil
}

// HasNorms says that every call had norms, so that EAN and REAP mean something.
func (s *Saliency) HasNorms() bool { return s.withNorms && !s.without }

// REAP is mean_t g·‖f‖ over the tokens of expert i; 0 where it had none.
func (s *Saliency) REAP(i int) float64 { return ratio(s.WeightedNorm[i], float64(s.Count[i])) }

// EAN is the expert activation norm Σ_t ‖f‖ (arXiv 2510.13999 §2).
func (s *Saliency) EAN(i int) float64 { return s.Norm[i] }

// MeanEAN is mean_t ‖f‖.
func (s *Saliency) MeanEAN(i int) float64 { return ratio(s.Norm[i], float64(s.Count[i])) }
