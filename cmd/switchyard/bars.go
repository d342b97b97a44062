package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// bars counts which experts worked, for `run --experts`.
type bars struct {
	counts [][]int // [layer][expert]; nil for a dense layer
}

func newBars(s *model.Spec) *bars {
	b := &bars{counts: make([][]int, len(s.Layers))}
	for _, i := range s.MoELayers() {
		b.counts[i] = make([]int, s.Layers[i].MoE.Gate.Experts)
	}
	return b
}

// ObserveRouting implements moe.Observer.
func (b *bars) ObserveRouting(layer int, r *moe.Routing) {
	for _, e := range r.Expert {
		if int(e) < len(b.counts[layer]) {
			b.counts[layer][e]++
		}
	}
}

// heights are eighths of a character cell.
var heights = [9]rune{'·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'}

// print draws a column for each expert, scaled to the layer's busiest, and names the three busiest.
func (b *bars) print(w io.Writer) {
	fmt.Fprintln(w, "\nexperts at work (a column each, scaled to the layer's busiest; · none)")
	for layer, counts := range b.counts {
		if len(counts) == 0 {
			continue
		}
		busiest, total := slices.Max(counts), 0
		var cells strings.Builder
		for _, c := range counts {
			total += c
			h := 0
			if c > 0 {
				h = 1 + c*7/busiest
			}
			cells.WriteRune(heights[h])
		}
		fmt.Fprintf(w, "layer %2d  %s  %s\n", layer, cells.String(), top(counts, total, 3))
	}
}

// top names the n busiest experts with their share of the work.
func top(counts []int, total, n int) string {
	order := make([]int, len(counts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return counts[b] - counts[a] })
	var parts []string
	for _, e := range order[:min(n, len(order))] {
		if counts[e] > 0 {
			parts = append(parts, fmt.Sprintf("%d: %.0f%%", e, 100*float64(counts[e])/float64(total)))
		}
	}
	return strings.Join(parts, "  ")
}
