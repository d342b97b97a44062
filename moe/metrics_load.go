package moe

import (
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Routing is the record as a routing, sharing memory, so that metrics take either.
func (r *Record) Routing() *Routing {
	out := &Routing{E: r.E, Start: r.Start, Expert: r.Expert, Weight: r.Weight}
	if t := r.Tokens(); t > 0 && len(r.Logits) > 0 {
		out.Logits = tensor.MatOf(r.Logits, t, len(r.Logits)/t)
	}
	return out
}

// First is the expert of token t with the largest weight, ties to the lower id, or -1 where the token has none.
func (r *Routing) First(t int) int32 {
	ids, weights := r.Of(t)
	first, top := int32(-1), float32(0)
	for j, e := range ids {
		if w := weights[j]; first < 0 || w > top || w == top && e < first {
			first, top = e, w
		}
	}
	return first
}

// Load counts pairs: c_i = number of (token, slot) pairs of expert i, N = Σ c_i. One Load a layer; label by label it is
// the domain specialisation, by Share. The zero value works.
type Load struct {
	Count  []int64 // [E]
	Tokens int64
}

// Add counts a call.
func (l *Load) Add(r *Routing) {
	if len(l.Count) < r.E {
		l.Count = append(l.Count, make([]int64, r.E-len(l.Count))...)
	}
	l.Tokens += int64(r.Tokens())
	for _, e := range r.Expert {
		l.Count[e]++
	}
}

// Total is N.
func (l *Load) Total() int64 {
	var n int64
	for _, c := range l.Count {
		n += c
	}
	return n
}

// Share is c_i / N, to be held against 1/E; zeros where nothing was counted.
func (l *Load) Share() []float64 {
	out, n := make([]float64, len(l.Count)), l.Total()
	for i, c := range l.Count {
		out[i] = ratio(float64(c), float64(n))
	}
	return out
}

// MaxVio is (max c − mean c) / mean c (arXiv 2408.15664).
func (l *Load) MaxVio() float64 {
	if l.Total() == 0 {
		return 0
	}
	return float64(slices.Max(l.Count))/l.mean() - 1
}

// CV is the standard deviation of c (over E, not E−1) by its mean.
func (l *Load) CV() float64 {
	sum := 0.0
	for _, c := range l.Count {
		d := float64(c) - l.mean()
		sum += d * d
	}
	return ratio(math.Sqrt(ratio(sum, float64(len(l.Count)))), l.mean())
}

// Gini is Σ_i Σ_j |c_i − c_j| / (2·E·N): 0 where all are alike, 1 − 1/E where one has all.
func (l *Load) Gini() float64 {
	sorted := slices.Sorted(slices.Values(l.Count))
	sum, e := 0.0, len(sorted)
	for i, c := range sorted {
		sum += float64(2*i+1-e) * float64(c)
	}
	return ratio(sum, float64(e)*float64(l.Total()))
}

// Jain is (Σc)² / (E·Σc²): 1 where all are alike, 1/E where one has all.
func (l *Load) Jain() float64 {
	squares, n := 0.0, float64(l.Total())
	for _, c := range l.Count {
		squares += float64(c) * float64(c)
	}
	return ratio(n*n, float64(len(l.Count))*squares)
}

// Dead is how many experts have c_i = 0.
func (l *Load) Dead() int {
	n := 0
	for _, c := range l.Count {
		if c == 0 {
			n++
		}
	}
	return n
}

// Entropy is −Σ q ln q in nats, q = c/N.
func (l *Load) Entropy() float64 {
	h := 0.0
	for _, q := range l.Share() {
		if q > 0 {
			h -= q * math.Log(q)
		}
	}
	return h
}

func (l *Load) mean() float64 { return ratio(float64(l.Total()), float64(len(l.Count))) }

// ratio is a/b, and 0 where b is 0: nothing was seen.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
