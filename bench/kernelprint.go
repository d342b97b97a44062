package bench

import (
	"fmt"
	"strings"
)

func (r KernelRow) cells() []cell {
	return []cell{
		{"kernel", r.Op, 9},
		{"dtype", r.DType, 5},
		{"level", r.Level, 10},
		{"threads", fmt.Sprint(r.Threads), 1},
		{"rows", fmt.Sprint(r.Rows), 4},
		{"shape", r.Shape, 27},
		{"time", duration(r.Ns), 9},
		{"Gop/s", fmt.Sprintf("%.1f", r.Gops), 6},
		{"GB/s", fmt.Sprintf("%.1f", r.GBs), 6},
		{"fraction", fmt.Sprintf("%.3f", r.Fraction), 1},
		{"of", r.Bound, 6},
		{"generic", times(r.Generic), 1},
		{"gonum", times(r.Gonum), 6},
		{"gorgonia", times(r.Gorgonia), 1},
		{"read GB/s", fmt.Sprintf("%.1f", r.Read), 1},
		{"f32", rate(r.F32), 4},
		{"int8", rate(r.Int8), 4},
		{"int8 tiles", rate(r.Tile), 1},
		{"bf16 tiles", rate(r.TileBF16), 1},
		{"bf16", rate(r.BF16), 4},
	}
}

// duration prints nanoseconds for people.
func duration(ns float64) string {
	switch {
	case ns >= 1e6:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	case ns >= 1e3:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	}
	return fmt.Sprintf("%.0f ns", ns)
}

// times prints a speed-up, "-" where there is nothing to compare with.
func times(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3gx", v)
}

func (r KernelRow) bench() (string, []benchLine) {
	name := fmt.Sprintf("Kernel/op=%s/dtype=%s/level=%s/threads=%d/rows=%d", strings.ReplaceAll(r.Op, "·", "-"), r.DType, r.Level, r.Threads, r.Rows)
	var lines []benchLine
	for _, ns := range r.samples {
		lines = append(lines, benchLine{ns, []metric{{r.Ops / ns, "Gop/s"}, {r.Ops / ns / r.Limit, "fraction"}}})
	}
	return name, lines
}
