package moe

import (
	"math"
	"slices"
)

// row edits the logits of token t. Logits that are not numbers stay, for the selector to refuse.
func (e *Edit) row(l []float32, c Call, t int) {
	if e.Temp != 0 {
		for i := range l {
			l[i] /= e.Temp
		}
	}
	if e.Noise != 0 {
		for i := range l {
			l[i] += e.Noise * float32(noiseAt(e.Seed, c.Layer, c.Pos[t], i))
		}
	}
	if len(e.Promote)+len(e.Demote) > 0 && firstNaN(l) < 0 {
		e.steer(l)
	}
}

// steer is SteerMoE's: log-softmax, then the promoted above all and the demoted below all.
func (e *Edit) steer(l []float32) {
	high, low := slices.Max(l), slices.Min(l)
	z := 0.0
	for _, v := range l {
		z += math.Exp(float64(v) - float64(high))
	}
	by := float64(high) + math.Log(z)
	for i, v := range l {
		l[i] = float32(float64(v) - by)
	}
	high, low = float32(float64(high)-by), float32(float64(low)-by)
	for _, x := range e.Promote {
		l[x] = high + 0.01
	}
	for _, x := range e.Demote {
		l[x] = low - 0.01
	}
}

// mix is one step of splitmix64 over a key.
func mix(h, v uint64) uint64 {
	h += v + 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// gauss is a standard normal value made of a key (Box-Muller).
func gauss(key uint64) float64 {
	u := (float64(mix(key, 1)>>11) + 0.5) / (1 << 53)
	v := float64(mix(key, 2)>>11) / (1 << 53)
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// choose implements rowRule: TopK's with the edit's bias and dropped experts.
func (s *edited) choose(w *scratch) {
	s.top.Spec.choose(w, s.top.ChoiceBias, s.edit.Bias)
	if len(s.edit.Drop) == 0 {
		return
	}
	if !w.skipping {
		clear(w.skip)
		w.skipping = true
	}
	for e, out := range s.drop {
		w.skip[e] = w.skip[e] || out
	}
}

// pick implements rowRule.
func (s *edited) pick(ids []int32, _ int32, w *scratch) int {
	n := s.count(ids[:choose(ids, w.choice, w.skips(s.top.Spec.Slots()))], w)
	n = s.guarantee(ids, n, w.choice)
	if s.edit.Skip == 0 {
		return n
	}
	w.weights = sized(w.weights, n)
	s.top.Spec.weigh(ids[:n], w.weights, nil, w.score, w.logits, s.top.PerExpert)
	return s.thin(ids[:n], w.weights)
}

// weigh implements rowRule.
func (s *edited) weigh(ids []int32, weights, shared []float32, w *scratch) {
	s.top.weigh(ids, weights, shared, w)
}

// count is how many of the chosen stay under TopP and Threshold.
func (s *edited) count(ids []int32, w *scratch) int {
	n := len(ids)
	least := min(max(s.edit.Min, 1), n)
	if s.edit.TopP != 0 {
		n = max(nucleus(ids, w.logits[:s.top.Spec.Slots()], s.edit.TopP), least)
	}
	if s.edit.Threshold != nil {
		n = max(above(ids[:n], w.score, *s.edit.Threshold), least)
	}
	return n
}

// guarantee puts the forced experts that are missing into the slots of the weakest that are not forced, or into free
// ones where all are; the order of choice is kept.
func (s *edited) guarantee(ids []int32, n int, choice []float32) int {
	for _, e := range s.edit.Force {
		if slices.Contains(ids[:n], e) {
			continue
		}
		at := n - 1
		for at >= 0 && s.force[ids[at]] {
			at--
		}
		if at < 0 {
			at = n
			n++
		}
		copy(ids[at:n-1], ids[at+1:n])
		at = n - 1
		for at > 0 && (choice[e] > choice[ids[at-1]] || choice[e] == choice[ids[at-1]] && e < ids[at-1]) {
			ids[at] = ids[at-1]
			at--
		}
		ids[at] = e
	}
	return n
}

// thin removes slots by NAEE's rule, forced ones excepted, and gives how many stay.
func (s *edited) thin(ids []int32, weights []float32) int {
	if len(ids) == 0 {
		return 0
	}
	least, n := s.edit.Skip*slices.Max(weights[:len(ids)]), 0
	for j, e := range ids {
		if weights[j] >= least || s.force[e] {
			ids[n] = e
			n++
		}
	}
	return n
}
