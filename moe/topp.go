package moe

import (
	"math"
	"slices"
)

// NewTopP is the gate of "Harder Tasks Need More Experts" (ACL 2024.acl-long.696): as few of the best experts as have
// Σ softmax(l) ≥ p, at least least and at most most (0: all), chosen and weighed as the spec says. It is an [Edit].
func NewTopP(spec GateSpec, w RouterWeights, p float32, least, most int) (*Router, error) {
	r, err := NewGate(spec, w)
	if err != nil {
		return nil, err
	}
	return Edit{TopP: p, Min: least, Max: most}.Apply(r, &spec)
}

// nucleus is the number of leading ids with Σ softmax(l) ≥ p, or all.
func nucleus(ids []int32, l []float32, p float32) int {
	high, z, sum := float64(slices.Max(l)), 0.0, 0.0
	for _, v := range l {
		z += math.Exp(float64(v) - high)
	}
	for j, e := range ids {
		if sum += math.Exp(float64(l[e])-high) / z; sum >= float64(p) {
			return j + 1
		}
	}
	return len(ids)
}
