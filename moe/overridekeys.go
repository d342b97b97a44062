package moe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// overrideKey is what a key of the override language takes, in words, and how a value is read.
type overrideKey struct {
	allowed string
	read    func(v string) (set func(*GateSpec) error, ok bool)
}

// overrideKeys is the whole language but layers. It is a function so that no package state can be changed.
func overrideKeys() map[string]overrideKey {
	return map[string]overrideKey{
		"topk":    {"a whole number from 1", readTopK},
		"select":  {"topk or sparsemixer", kind(setSelect, SelectTopK, SelectSparseMixer)},
		"score":   {"softmax, sigmoid, sqrtsoftplus or identity", kind(setScore, ScoreSoftmax, ScoreSigmoid, ScoreSqrtSoftplus, ScoreIdentity)},
		"weight":  {"score, softmax_selected or sigmoid_selected", kind(setWeight, FromScore, FromSoftmaxSelected, FromSigmoidSelected)},
		"norm":    {"on or off", kind(setNorm, "on", "off")},
		"bias":    {"off", kind(func(g *GateSpec, _ string) error { g.ChoiceBias = false; return nil }, "off")},
		"groups":  {"off", kind(func(g *GateSpec, _ string) error { g.Groups = nil; return nil }, "off")},
		"compute": {"f32, bf16 or f16", kind(setCompute, "f32", "bf16", "f16")},
		"scale":   {"a number other than 0", number(false, func(g *GateSpec, f float32) error { g.Scale = f; return nil })},
		"sum_scale": {"a number other than 0",
			number(false, func(g *GateSpec, f float32) error { g.SumScale = f; return nil })},
		"softcap": {"0 or more", number(true, func(g *GateSpec, f float32) error { g.Softcap = f; return nil })},
		"jitter":  {"0 or more", number(true, setJitter)},
	}
}

// kind reads one of some words.
func kind[S ~string](set func(*GateSpec, S) error, allowed ...S) func(string) (func(*GateSpec) error, bool) {
	return func(v string) (func(*GateSpec) error, bool) {
		return func(g *GateSpec) error { return set(g, S(v)) }, slices.Contains(allowed, S(v))
	}
}

// number reads a finite number: 0 or more, or anything but 0.
func number(zero bool, set func(*GateSpec, float32) error) func(string) (func(*GateSpec) error, bool) {
	return func(v string) (func(*GateSpec) error, bool) {
		f, err := strconv.ParseFloat(v, 32)
		ok := err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) && (zero && f >= 0 || !zero && float32(f) != 0)
		return func(g *GateSpec) error { return set(g, float32(f)) }, ok
	}
}

func readTopK(v string) (func(*GateSpec) error, bool) {
	k, err := strconv.Atoi(v)
	return func(g *GateSpec) error { g.TopK = k; return nil }, err == nil && k >= 1
}

// setScore takes weights from the new score. A gate whose weights were a softmax over the chosen keeps adding up to 1.
func setScore(g *GateSpec, s Score) error {
	if g.Select == SelectSparseMixer {
		return fmt.Errorf("want select=topk before it, found sparsemixer, which has no score")
	}
	if g.WeightFrom == FromSoftmaxSelected {
		g.Norm = NormSum
	}
	g.Score, g.WeightFrom = s, FromScore
	return nil
}

func setWeight(g *GateSpec, w WeightFrom) error {
	if g.Select == SelectSparseMixer {
		return fmt.Errorf("want select=topk before it, found sparsemixer, which makes its own weights")
	}
	g.WeightFrom = w
	return nil
}

// setNorm switches the normalisation of weights. Off turns a softmax over the chosen, which is normalised by nature,
// into the softmax over all experts that it is a renormalisation of.
func setNorm(g *GateSpec, v string) error {
	switch {
	case v == "off" && g.WeightFrom == FromSoftmaxSelected:
		g.Score, g.WeightFrom, g.Norm = ScoreSoftmax, FromScore, NormNone
	case v == "off" && g.Norm == NormShared:
		return fmt.Errorf("want a gate of its own, found one that weighs experts against shared slots")
	case v == "off":
		g.Norm = NormNone
	case g.Norm == NormNone:
		g.Norm = NormSum
	}
	return nil
}

// setSelect drops what the selector does not know.
func setSelect(g *GateSpec, s Select) error {
	if g.Select == SelectTable {
		return fmt.Errorf("want a gate that chooses by score, found a table")
	}
	if s == SelectSparseMixer && (g.ChoiceBias || g.Groups != nil) {
		return fmt.Errorf("want bias=off and groups=off before it, as sparsemixer has neither")
	}
	g.Select = s
	return nil
}

func setCompute(g *GateSpec, v string) error {
	g.Compute = Compute(v)
	if v == "f32" {
		g.Compute = ComputeF32
	}
	return nil
}

func setJitter(g *GateSpec, f float32) error {
	if g.Select != SelectSparseMixer {
		return fmt.Errorf("want select=sparsemixer, found %s, which has no jitter", g.Select)
	}
	g.Jitter = f
	return nil
}
