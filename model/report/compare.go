package report

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
)

// ErrCompare is returned for traces that are not of the same tokens, layers and experts.
var ErrCompare = errors.New("traces cannot be compared")

// Comparison holds one trace against another of the same tokens.
type Comparison struct {
	A      string            `json:"a"` // the truth: the final checkpoint, the run without changes
	B      string            `json:"b"` // under study
	Layers []LayerComparison `json:"layers"`
}

// LayerComparison is router saturation and what differs, layer by layer.
type LayerComparison struct {
	Layer      int     `json:"layer"`
	Saturation float64 `json:"saturation"` // mean over tokens of |S_b ∩ S_a| / |S_a|
	First      float64 `json:"saturation_first"`
	Exact      float64 `json:"exact"`  // share of tokens with the same set
	Differ     float64 `json:"differ"` // share of decisions that differ: 1 − Σ|S_a ∩ S_b| / Σ max(|S_a|, |S_b|)
}

// Compare walks two traces side by side.
func Compare(ctx context.Context, a, b *trace.Reader) (*Comparison, error) {
	if err := comparable(a, b); err != nil {
		return nil, err
	}
	out := &Comparison{A: a.Path, B: b.Path}
	all, one := make([]moe.Overlap, len(a.Layers)), make([]moe.Overlap, len(a.Layers))
	next, stop := iter.Pull2(b.Pieces(ctx))
	defer stop()
	for p, err := range a.Pieces(ctx) {
		q, errB, _ := next() // as many as a has: their sequences are alike
		if err := cmp.Or(err, errB); err != nil {
			return nil, err
		}
		if i := differs(p.IDs, q.IDs); i >= 0 {
			return nil, fmt.Errorf("%w: %s: want token %d as in %s, %d, found %d", ErrCompare, b.Path, p.At+i, a.Path, p.IDs[i], q.IDs[i])
		}
		for c := range all {
			all[c].Add(&q.Routing[c], &p.Routing[c])
			one[c].Add(firsts(&q.Routing[c]), firsts(&p.Routing[c]))
		}
	}
	for c, l := range a.Layers {
		out.Layers = append(out.Layers, LayerComparison{l, all[c].MeanRecall(), one[c].MeanRecall(), all[c].ExactShare(), all[c].Differ()})
	}
	return out, nil
}

// comparable refuses traces whose shapes differ; the tokens are compared as they are read.
func comparable(a, b *trace.Reader) error {
	fault := func(what string, want, found any) error {
		return fmt.Errorf("%w: %s: want the %v %s of %s, found %v", ErrCompare, b.Path, want, what, a.Path, found)
	}
	switch {
	case a.Tokens != b.Tokens:
		return fault("tokens", a.Tokens, b.Tokens)
	case !slices.Equal(a.Offsets, b.Offsets):
		return fault("sequences", len(a.Labels), fmt.Sprintf("%d of other lengths", len(b.Labels)))
	case !slices.Equal(a.Layers, b.Layers):
		return fault("mixture layers", a.Layers, b.Layers)
	}
	for c := range a.Gates {
		if x, y := a.Gates[c].Slots(), b.Gates[c].Slots(); x != y {
			return fault(fmt.Sprintf("experts in layer %d", a.Layers[c]), x, y)
		}
	}
	return nil
}

func differs(a, b []int32) int {
	for i := range a {
		if a[i] != b[i] {
			return i
		}
	}
	return -1
}

// firsts is a routing of first experts only.
func firsts(r *moe.Routing) *moe.Routing {
	out := &moe.Routing{}
	out.Reset(r.E, r.Tokens(), 1)
	for t := range r.Tokens() {
		if e := first(r, t); e >= 0 {
			out.Add(e, 1)
		}
		out.EndToken()
	}
	return out
}
