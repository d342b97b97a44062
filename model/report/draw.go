package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/moe"
)

// heat is a map layer × expert of one label.
type heat struct {
	Name          string
	Tokens        int
	Width, Height int
	Rows, Columns []mark
	Cells         []box
}

// mark is a name on an axis.
type mark struct {
	X, Y int
	Name string
}

// wideMap is the number of experts from which a map takes the whole width, its names larger and fewer.
const wideMap = 40

// maps draws all labels to one scale, all texts together first.
func (v *traceView) maps(m *Metrics) {
	top, most := 0.0, 0
	labels := shownLabels(m)
	v.MoreLabels = len(m.Labels) - len(labels)
	for _, l := range m.Labels {
		for c, x := range l.Layers {
			top, most = max(top, slices.Max(x.Share)), max(most, m.Layers[c].Experts)
		}
	}
	v.Wide = most > wideMap
	v.Top, v.Uniform = percent(top), percent(1/float64(most))
	if len(m.Labels) > 1 {
		v.Maps = append(v.Maps, heatOf("all texts", m.Tokens, top, m, overall(m)))
	}
	for _, name := range labels {
		l := m.Labels[name]
		v.Maps = append(v.Maps, heatOf(name, l.Tokens, top, m, l.Layers))
	}
}

// overall is the share over all labels.
func overall(m *Metrics) []LabelLayer {
	var out []LabelLayer
	for _, l := range m.Layers {
		load := moe.Load{Count: l.Load}
		out = append(out, LabelLayer{l.Layer, load.Share()})
	}
	return out
}

func heatOf(name string, tokens int, top float64, m *Metrics, layers []LabelLayer) heat {
	h := heat{Name: name, Tokens: tokens, Height: 18 + 17*len(layers)}
	most := 0
	for y, l := range layers {
		if len(l.Share) <= wideMap || y%2 == 0 {
			h.Rows = append(h.Rows, mark{Y: 17*y + 26, Name: strconv.Itoa(l.Layer)})
		}
		most = max(most, len(l.Share))
		for x, s := range l.Share {
			h.Cells = append(h.Cells, box{X: float64(28 + 17*x), Y: float64(15 + 17*y), V: s / max(top, 1e-9),
				Title: fmt.Sprintf("layer %d, expert %d: %s", l.Layer, x, percent(s))})
		}
	}
	h.Width = 30 + 17*most
	for x := 0; x < most; x += max(1, (most+15)/16) {
		h.Columns = append(h.Columns, mark{X: 28 + 17*x + 7, Y: 10, Name: strconv.Itoa(x)})
	}
	return h
}

// chart is a drawing of lines over layers or capacities.
type chart struct {
	ID, Title, Sub, XLabel string
	Grid                   []mark
	Ticks                  []mark
	Lines                  []polyline

	Names  []string // of all places on the x axis
	Series []series
}

type polyline struct {
	Name   string
	N      int // of the colour; 3 is a reference
	Points string
	Dots   []box
	LabelY float64
}

// series is a line of a chart; NaN is a gap at its ends.
type series struct {
	name string
	n    int
	y    []float64
}

// charts are the drawings over layers, and the caches.
func charts(m *Metrics) []chart {
	var layers []string
	load, gate, even := series{name: "load", n: 1}, series{name: "gate", n: 0}, series{name: "ln E", n: 3}
	repeat, chance := series{name: "repeats", n: 0}, series{name: "by chance", n: 3}
	words := map[string]*series{}
	for _, l := range m.Layers {
		layers = append(layers, strconv.Itoa(l.Layer))
		load.y, even.y = append(load.y, l.LoadEntropy), append(even.y, math.Log(float64(l.Experts)))
		gate.y = append(gate.y, orNaN(l.Entropy))
		repeat.y, chance.y = append(repeat.y, l.Repeat), append(chance.y, byChance(l.Load))
		for i, key := range []string{"input", "next", "predicted"} {
			if v, ok := l.Vocabulary[key]; ok {
				if words[key] == nil {
					words[key] = &series{name: key, n: i}
				}
				words[key].y = append(words[key].y, v.Mean)
			}
		}
	}
	out := []chart{
		lines("entropy", "Entropy per layer", "in nats", "layer", layers, []series{gate, load, even}),
		lines("repeat", "First expert as for the token before", "share of tokens", "layer", layers, []series{repeat, chance}),
	}
	var list []series
	for _, key := range []string{"input", "next", "predicted"} {
		if words[key] != nil {
			list = append(list, *words[key])
		}
	}
	out = append(out, lines("vocabulary", "Vocabulary specialisation", "share of a token id's most common first expert", "layer", layers, list))
	if m.Cache != nil {
		out = append(out, cacheChart(m.Cache))
	}
	return out
}

// byChance is how often two tokens would have the same first expert if all pairs were drawn from the load: Σ q².
func byChance(load []int64) float64 {
	l := moe.Load{Count: load}
	sum := 0.0
	for _, q := range l.Share() {
		sum += q * q
	}
	return sum
}

func cacheChart(c *Cache) chart {
	var at []string
	for _, n := range c.Curves[0].Capacity {
		at = append(at, strconv.Itoa(n))
	}
	names := map[moe.CachePolicy]string{moe.CacheLRU: "LRU", moe.CacheLFU: "LFU", moe.CacheBelady: "Belady"}
	var list []series
	for i, x := range c.Curves {
		list = append(list, series{names[x.Policy], i, x.HitRate})
	}
	return lines("cache", "A cache of experts", fmt.Sprintf("hit rate over %d accesses", c.Accesses),
		fmt.Sprintf("experts that the cache holds, of %d", c.Experts), at, list)
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

// lines lays out a chart in the 520 × 260 of the template: x 48…430, y 16…220.
func lines(id, title, sub, xLabel string, ticks []string, list []series) chart {
	c := chart{ID: id, Title: title, Sub: sub, XLabel: xLabel, Names: ticks, Series: list}
	top := 0.0
	for _, s := range list {
		for _, v := range s.y {
			if v == v {
				top = max(top, v)
			}
		}
	}
	step := niceStep(top)
	high := step * math.Ceil(max(top, step)/step-1e-9)
	y := func(v float64) float64 { return round1(220 - 204*v/high) }
	x := func(i int) float64 { return round1(56 + 366*float64(i)/float64(max(1, len(ticks)-1))) }
	for v := 0.0; v <= high+step/2; v += step {
		c.Grid = append(c.Grid, mark{Y: int(y(v)), Name: strconv.FormatFloat(v, 'g', 3, 64)})
	}
	for i := 0; i < len(ticks); i += max(1, (len(ticks)+11)/12) {
		c.Ticks = append(c.Ticks, mark{X: int(x(i)), Name: ticks[i]})
	}
	for _, s := range list {
		var points []string
		p := polyline{Name: s.name, N: s.n}
		for i, v := range s.y {
			if v != v {
				continue
			}
			points = append(points, fmt.Sprintf("%g,%g", x(i), y(v)))
			p.Dots = append(p.Dots, box{X: x(i), Y: y(v), Title: fmt.Sprintf("%s, %s: %.4g", s.name, ticks[i], v)})
			p.LabelY = y(v)
		}
		if p.Points = strings.Join(points, " "); len(points) > 0 {
			c.Lines = append(c.Lines, p)
		}
	}
	apart(c.Lines)
	return c
}

// apart moves the names at the ends of lines so that none covers another.
func apart(list []polyline) {
	order := make([]*polyline, len(list))
	for i := range list {
		order[i] = &list[i]
	}
	slices.SortStableFunc(order, func(a, b *polyline) int { return int(10 * (a.LabelY - b.LabelY)) })
	for i := 1; i < len(order); i++ {
		order[i].LabelY = max(order[i].LabelY, order[i-1].LabelY+14)
	}
}

// niceStep is 1, 2 or 5 times a power of ten, four to ten of which reach the top.
func niceStep(top float64) float64 {
	if !(top > 0) {
		return 1
	}
	p := math.Pow(10, math.Floor(math.Log10(top/4)))
	for _, f := range []float64{1, 2, 5, 10} {
		if top/(f*p) <= 6 {
			return f * p
		}
	}
	return 10 * p
}

func round1(v float64) float64 { return math.Round(10*v) / 10 }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
