package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/route"
)

// explainKind names the kind of a prompt by the built-in model's experts: what `route explain` does with no -m.
func (f *routeFlags) explainKind(ctx context.Context, s stdio, prompt string) error {
	src, done, err := f.source(s, "")
	if err != nil {
		return err
	}
	defer done()
	k, err := route.BuiltinKinds(src.Mixture)
	if err != nil {
		return err
	}
	d, err := k.Decide(ctx, prompt)
	if err != nil {
		return err
	}
	if f.json {
		return encode(s.out, d)
	}
	return printKind(s, d)
}

const kindWidth = 30 // cells of a whole bar

func printKind(s stdio, d route.KindDecision) error {
	fmt.Fprintf(s.out, "%s (%s): likeliest %s, confidence %.2f, threshold %.2f\n\nkinds\n", d.Model, d.Reason, d.Kind, d.Confidence, d.Threshold)
	order := slices.SortedFunc(maps.Keys(d.Kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(d.Kinds[b], d.Kinds[a]), strings.Compare(a, b))
	})
	for _, name := range order {
		fmt.Fprintf(s.out, "  %-10s %.3f %s\n", name, d.Kinds[name], strings.Repeat("█", int(d.Kinds[name]*kindWidth+0.5)))
	}
	fmt.Fprintf(s.out, "\nexperts at work (a column each, scaled to the layer's busiest; · none), and what the layer adds to %s\n", d.Kind)
	for _, l := range d.Experts {
		adds := d.Signals[fmt.Sprintf("layer %d", l.Layer)]
		fmt.Fprintf(s.out, "  layer %2d  %s  %+.2f %s\n", l.Layer, columns(l.Shares), adds, strings.Repeat("█", int(min(max(adds, 0)*5, kindWidth)+0.5)))
	}
	fmt.Fprintf(s.out, "\nexperts that say most for %s\n", d.Kind)
	for _, e := range d.Evidence {
		if _, err := fmt.Fprintf(s.out, "  layer %d expert %2d  %+.2f  %s\n", e.Layer, e.Expert, e.Adds, inWords(e, d.Kind)); err != nil {
			return err
		}
	}
	return nil
}

// columns draws a cell for each share, scaled to the largest.
func columns(shares []float32) string {
	var cells strings.Builder
	top := slices.Max(shares)
	for _, v := range shares {
		h := 0
		if v > 0 {
			h = 1 + int(v/top*7)
		}
		cells.WriteRune(heights[h])
	}
	return cells.String()
}

// inWords tells one expert's part in words.
func inWords(e route.Evidence, kind string) string {
	return fmt.Sprintf("%.0f %% of the layer's work here; usually %.0f %% on %s, %.0f %% on the others", 100*e.Share, 100*e.Usual, kind, 100*e.Others)
}
