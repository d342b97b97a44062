package bench

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"
)

// Formats lists the formats of NewPrinter.
func Formats() []string { return []string{"md", "csv", "json", "bench"} }

// Row is one measured thing.
type Row interface {
	// cells are the columns of a table for people.
	cells() []cell
	// bench is the name of the row as a Go benchmark, and its samples.
	bench() (name string, lines []benchLine)
}

// cell is one column of a row; width is how wide the column is at least.
type cell struct {
	head, text string
	width      int
}

// benchLine is one sample in the format of Go benchmarks.
type benchLine struct {
	ns      float64
	metrics []metric
}

type metric struct {
	value float64
	unit  string
}

// Printer writes rows as they come.
type Printer struct {
	w      io.Writer
	format string
	rows   int
}

// NewPrinter makes a printer of one of Formats: a table in Markdown, CSV with the keys of the JSON format, a JSON array of
// objects, or the lines of Go benchmarks that benchstat reads, one a repetition.
func NewPrinter(w io.Writer, format string) (*Printer, error) {
	if !slices.Contains(Formats(), format) {
		return nil, fmt.Errorf("output format: want one of %s, found %q", strings.Join(Formats(), ", "), format)
	}
	return &Printer{w: w, format: format}, nil
}

// Row writes one row.
func (p *Printer) Row(r Row) error {
	p.rows++
	switch p.format {
	case "csv":
		return p.csv(r)
	case "json":
		return p.json(r)
	case "bench":
		return p.bench(r)
	}
	return p.md(r)
}

// Close ends the output; without rows too, it is whole then.
func (p *Printer) Close() error {
	if p.format != "json" {
		return nil
	}
	end := "\n]\n"
	if p.rows == 0 {
		end = "[]\n"
	}
	_, err := io.WriteString(p.w, end)
	return err
}

func (p *Printer) md(r Row) error {
	var head, rule, line strings.Builder
	for i, c := range r.cells() {
		w := max(c.width, utf8.RuneCountInString(c.head))
		pad := func(s string) string { return strings.Repeat(" ", max(0, w-utf8.RuneCountInString(s))) }
		if i == 0 { // names to the left, figures to the right
			fmt.Fprintf(&head, "| %s%s |", c.head, pad(c.head))
			fmt.Fprintf(&rule, "|:%s-|", strings.Repeat("-", w))
			fmt.Fprintf(&line, "| %s%s |", c.text, pad(c.text))
			continue
		}
		fmt.Fprintf(&head, " %s%s |", pad(c.head), c.head)
		fmt.Fprintf(&rule, "-%s:|", strings.Repeat("-", w))
		fmt.Fprintf(&line, " %s%s |", pad(c.text), c.text)
	}
	if p.rows == 1 {
		fmt.Fprintf(p.w, "%s\n%s\n", head.String(), rule.String())
	}
	_, err := fmt.Fprintln(p.w, line.String())
	return err
}

func (p *Printer) csv(r Row) error {
	names, values := fields(r)
	w := csv.NewWriter(p.w)
	if p.rows == 1 {
		if err := w.Write(names); err != nil {
			return err
		}
	}
	if err := w.Write(values); err != nil {
		return err
	}
	w.Flush()
	return w.Error()
}

// fields are the JSON keys of a row and their values as text; lists are parted by spaces.
func fields(r Row) (names, values []string) {
	v := reflect.Indirect(reflect.ValueOf(r))
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		values = append(values, strings.Trim(fmt.Sprint(v.Field(i).Interface()), "[]"))
	}
	return names, values
}

func (p *Printer) json(r Row) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	sep := ",\n  "
	if p.rows == 1 {
		sep = "[\n  "
	}
	_, err = fmt.Fprintf(p.w, "%s%s", sep, text)
	return err
}

func (p *Printer) bench(r Row) error {
	if p.rows == 1 {
		fmt.Fprintf(p.w, "goos: %s\ngoarch: %s\npkg: github.com/seed2fbf7788/switchyard/bench\n", runtime.GOOS, runtime.GOARCH)
	}
	name, lines := r.bench()
	for _, l := range lines {
		fmt.Fprintf(p.w, "Benchmark%s 1 %.*f ns/op", name, digits(l.ns), l.ns)
		for _, m := range l.metrics {
			fmt.Fprintf(p.w, " %.6g %s", m.value, m.unit)
		}
		if _, err := fmt.Fprintln(p.w); err != nil {
			return err
		}
	}
	return nil
}

// digits behind the point that a number of nanoseconds is worth.
func digits(ns float64) int {
	if ns < 1e5 {
		return 1
	}
	return 0
}

func (r ModelRow) cells() []cell {
	experts := "-"
	if r.Experts > 0 {
		experts = fmt.Sprintf("%.1f/%d", r.Touched, r.Experts)
	}
	return []cell{
		{"model", r.Shape, 21},
		{"quant", r.Quant, 5},
		{"compute", r.Compute, 7},
		{"kv", r.KV, 3},
		{"level", r.Level, 10},
		{"threads", fmt.Sprint(r.Threads), 1},
		{"test", r.Test, 6},
		{"tok/s", fmt.Sprintf("%.2f ± %.2f", r.TokS, r.StdDev), 16},
		{"limit", fmt.Sprintf("%.2f", r.Limit), 8},
		{"fraction", fmt.Sprintf("%.3f", r.Fraction), 1},
		{"experts", experts, 10},
		{"MB/tok", fmt.Sprintf("%.1f", r.Bytes/1e6), 7},
		{"Mop/tok", fmt.Sprintf("%.0f", r.Ops/1e6), 7},
		{"read GB/s", fmt.Sprintf("%.1f", r.Read), 1},
		{"f32", rate(r.F32), 5},
		{"int8", rate(r.Int8), 5},
		{"int8 tiles", rate(r.Tile), 1},
		{"bf16 tiles", rate(r.TileBF16), 1},
		{"bf16", rate(r.BF16), 5},
		{"allocs/tok", fmt.Sprintf("%.3g", r.Allocs), 1},
	}
}

// rate prints a peak in Gop/s, "-" where the level has none.
func rate(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", v)
}

func (r ModelRow) bench() (string, []benchLine) {
	name := fmt.Sprintf("Model/shape=%s/quant=%s/compute=%s/kv=%s/level=%s/threads=%d/test=%s",
		strings.Join(strings.Fields(r.Shape), "_"), r.Quant, r.Compute, r.KV, r.Level, r.Threads, r.Test)
	var lines []benchLine
	for _, s := range r.Samples {
		lines = append(lines, benchLine{float64(r.TestCount) / s * 1e9, []metric{
			{s, "tok/s"}, {s / r.Limit, "fraction"}, {r.Allocs, "allocs/token"},
		}})
	}
	return name, lines
}
