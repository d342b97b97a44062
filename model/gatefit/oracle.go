package gatefit

import (
	"math"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// best is the oracle's target: every expert is evaluated on every token, chosen or not, and the ones that say most are
// wanted, by g_e·‖expert_e(x)‖₂ with g = softmax of the router's logits (the saliency of REAP, token by token), ties to
// the lower expert.
func (w *watcher) best(s *seen, v *moe.View) {
	spec, x := w.spec(v.Layer), w.input
	salience := make([]float64, x.Rows*spec.Slots())
	if w.out.Rows != x.Rows || w.out.Cols != x.Cols {
		w.out = tensor.NewMat(x.Rows, x.Cols)
	}
	for e := range spec.Slots() {
		v.Eval(w.out, x, e)
		for t := range x.Rows {
			sum := 0.0
			for _, o := range w.out.Row(t) {
				sum += float64(o) * float64(o)
			}
			salience[t*spec.Slots()+e] = softmaxAt(v.Logits.Row(t)[:spec.Slots()], e) * math.Sqrt(sum)
		}
	}
	for t := range x.Rows {
		row := salience[t*spec.Slots() : (t+1)*spec.Slots()]
		ids := largest(row, w.oracle)
		weights := make([]float32, len(ids))
		for j, e := range ids {
			weights[j] = float32(row[e])
		}
		s.want(ids, weights)
	}
}

func softmaxAt(l []float32, e int) float64 {
	top, z := math.Inf(-1), 0.0
	for _, v := range l {
		top = max(top, float64(v))
	}
	for _, v := range l {
		z += math.Exp(float64(v) - top)
	}
	return math.Exp(float64(l[e])-top) / z
}

// largest are the indices of the k largest values, falling, ties to the lower.
func largest[N float32 | float64](v []N, k int) []int32 {
	out := make([]int32, 0, k)
	for i, x := range v {
		at := len(out)
		if at == k {
			if at--; x <= v[out[at]] {
				continue
			}
		} else {
			out = append(out, 0)
		}
		for at > 0 && x > v[out[at-1]] {
			out[at] = out[at-1]
			at--
		}
		out[at] = int32(i)
	}
	return out
}
