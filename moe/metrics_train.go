package moe

import "math"

// RouterLosses are the two terms that training adds for routers, measured on raw logits in f64. The zero value works.
type RouterLosses struct {
	Tokens int64
	chosen []int64   // tokens whose routing has i, counted once a slot
	prob   []float64 // Σ_t p_i
	z      float64   // Σ_t logsumexp²
}

// Add counts a call; one without logits counts nothing.
func (l *RouterLosses) Add(r *Routing) {
	if r.Logits.Rows != r.Tokens() {
		return
	}
	for len(l.chosen) < r.E {
		l.chosen, l.prob = append(l.chosen, 0), append(l.prob, 0)
	}
	for _, e := range r.Expert {
		l.chosen[e]++
	}
	for t := range r.Tokens() {
		row := r.Logits.Row(t)
		row = row[:min(r.E, len(row))]
		z := logSumExp(row)
		for i, v := range row {
			l.prob[i] += math.Exp(float64(v) - z)
		}
		l.z += z * z
		l.Tokens++
	}
}

// Balance is E·Σ_i f_i·P_i (Switch, arXiv 2101.03961 eq. 4): f_i = pairs of i by tokens, P_i = mean p_i. Even routing to K
// experts a token gives K.
func (l *RouterLosses) Balance() float64 {
	sum, n := 0.0, float64(l.Tokens)
	for i, c := range l.chosen {
		sum += ratio(float64(c), n) * ratio(l.prob[i], n)
	}
	return float64(len(l.chosen)) * sum
}

// Z is mean_t (ln Σ exp l)² (ST-MoE, arXiv 2202.08906 eq. 5).
func (l *RouterLosses) Z() float64 { return ratio(l.z, float64(l.Tokens)) }

func logSumExp(l []float32) float64 {
	top := math.Inf(-1)
	for _, v := range l {
		top = max(top, float64(v))
	}
	if math.IsInf(top, 0) {
		return top
	}
	z := 0.0
	for _, v := range l {
		z += math.Exp(float64(v) - top)
	}
	return top + math.Log(z)
}

// Dropped is the share of pairs that find no place where an expert takes at most C = ceil(factor·N/E) of a call's, first
// come first served in order of tokens (GShard, arXiv 2006.16668).
func Dropped(r *Routing, factor float64) float64 {
	n := len(r.Expert)
	if n == 0 || r.E == 0 {
		return 0
	}
	room, over := int64(math.Ceil(factor*float64(n)/float64(r.E))), int64(0)
	var l Load
	l.Add(r)
	for _, c := range l.Count {
		over += max(c-room, 0)
	}
	return float64(over) / float64(n)
}
