package prune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
)

// ErrPrune is returned for what cannot be pruned, or not so.
var ErrPrune = errors.New("cannot prune")

// By says what experts are ranked by.
type By string

// Rankings: mean weighted output norm, summed output norm (REAP and EAN, arXiv 2510.13999), how often an expert worked.
const (
	ByREAP      By = "reap"
	ByEAN       By = "ean"
	ByFrequency By = "frequency"
)

// Scores rank the experts of each mixture layer; the smallest matter least.
type Scores map[int][]float64

// Keep lists the experts that stay in each mixture layer, ascending.
type Keep map[int][]int

// Measure ranks by what a trace recorded. REAP and EAN need expert_out_norm in it.
func Measure(ctx context.Context, r *trace.Reader, by By) (Scores, error) {
	switch {
	case by != ByREAP && by != ByEAN && by != ByFrequency:
		return nil, fmt.Errorf("%w: by: want %s, %s or %s, found %q", ErrPrune, ByREAP, ByEAN, ByFrequency, by)
	case by != ByFrequency && !r.Has("expert_out_norm"):
		return nil, fmt.Errorf("%w: %s: by %s: want a trace with expert_out_norm, found none", ErrPrune, r.Path, by)
	}
	sums := make([]moe.Saliency, len(r.Layers))
	for p, err := range r.Pieces(ctx) {
		if err != nil {
			return nil, err
		}
		for c := range sums {
			var norms []float32
			if p.Norms != nil {
				norms = p.Norms[c]
			}
			sums[c].Add(&p.Routing[c], norms)
		}
	}
	out := Scores{}
	for c, layer := range r.Layers {
		list := make([]float64, r.Gates[c].Slots())
		for e := range list {
			list[e] = map[By]func(int) float64{
				ByREAP: sums[c].REAP, ByEAN: sums[c].EAN, ByFrequency: func(i int) float64 { return float64(sums[c].Count[i]) },
			}[by](e)
		}
		out[layer] = list
	}
	return out, nil
}

// Drops are experts to be left out, layer by layer.
type Drops map[int][]int

// ParseDrops reads "0:3,5" clauses, separated by semicolons or given several times: experts 3 and 5 of layer 0.
func ParseDrops(clauses []string) (Drops, error) {
	out := Drops{}
	for _, clause := range strings.Split(strings.Join(clauses, ";"), ";") {
		layer, experts, ok := strings.Cut(strings.TrimSpace(clause), ":")
		l, err := strconv.Atoi(layer)
		if !ok || err != nil || l < 0 {
			return nil, fmt.Errorf("%w: drop: want LAYER:EXPERT,EXPERT, found %q", ErrPrune, clause)
		}
		for _, text := range strings.Split(experts, ",") {
			e, err := strconv.Atoi(strings.TrimSpace(text))
			if err != nil || e < 0 {
				return nil, fmt.Errorf("%w: drop: want LAYER:EXPERT,EXPERT, found %q", ErrPrune, clause)
			}
			out[l] = append(out[l], e)
		}
	}
	return out, nil
}

// Choose decides what stays: all but the drops, or of those the keep best by scores, ties to the lower id. The layers are
// those of gates, nil entries are dense. keep 0 leaves it to the drops, which must then leave as many everywhere.
func Choose(gates []*moe.Variant, drops Drops, keep int, scores Scores) (Keep, error) {
	for _, l := range slices.Sorted(maps.Keys(drops)) {
		if l >= len(gates) || gates[l] == nil {
			return nil, fmt.Errorf("%w: drop: want a mixture layer below %d, found %d", ErrPrune, len(gates), l)
		}
	}
	out := Keep{}
	for l, g := range gates {
		if g == nil {
			continue
		}
		stay, err := chooseLayer(l, g, drops[l], keep, scores[l])
		if err != nil {
			return nil, err
		}
		out[l] = stay
	}
	return out, out.check(gates)
}

func chooseLayer(l int, g *moe.Variant, drops []int, keep int, scores []float64) ([]int, error) {
	e := g.Spec.Experts
	if g.Spec.Null > 0 || g.Spec.Select == moe.SelectTable {
		return nil, fmt.Errorf("%w: layer %d: want a gate without null experts and tables", ErrPrune, l)
	}
	for _, x := range drops {
		if x >= e {
			return nil, fmt.Errorf("%w: drop: layer %d: want an expert from 0 to %d, found %d", ErrPrune, l, e-1, x)
		}
	}
	var stay []int
	for x := range e {
		if !slices.Contains(drops, x) {
			stay = append(stay, x)
		}
	}
	if keep == 0 {
		return stay, nil
	}
	if len(stay) < keep {
		return nil, fmt.Errorf("%w: layer %d: want %d experts to keep, found %d", ErrPrune, l, keep, len(stay))
	}
	if len(stay) > keep {
		if len(scores) != e {
			return nil, fmt.Errorf("%w: layer %d: want %d scores, found %d", ErrPrune, l, e, len(scores))
		}
		slices.SortStableFunc(stay, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
		stay = stay[:keep]
		slices.Sort(stay)
	}
	return stay, nil
}

// check holds what stays to what a config can say, and to what the gates need.
func (k Keep) check(gates []*moe.Variant) error {
	least, most := math.MaxInt, 0
	whole := true
	for _, l := range slices.Sorted(maps.Keys(k)) {
		n := len(k[l])
		if top := gates[l].Spec.TopK; n < top {
			return fmt.Errorf("%w: layer %d: want at least the %d experts of a token to stay, found %d", ErrPrune, l, top, n)
		}
		least, most = min(least, n), max(most, n)
		whole = whole && n == gates[l].Spec.Experts
	}
	switch {
	case len(k) == 0:
		return fmt.Errorf("%w: want mixture layers, found none", ErrPrune)
	case least != most:
		return fmt.Errorf("%w: want as many experts to stay in every layer, as a config has one number, found %d to %d", ErrPrune, least, most)
	case whole:
		return fmt.Errorf("%w: want experts to leave out, found none", ErrPrune)
	}
	return nil
}
