package report

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Picture is one plot as a file.
type Picture struct {
	Name string // with the ending of its format
	Data []byte
}

// Plots draws the plots of the first trace and of the comparisons; format is png or svg.
func (r *Report) Plots(format string) ([]Picture, error) {
	var out []Picture
	var errs []error
	add := func(name string, p *plot.Plot, w, h vg.Length) {
		data, err := render(p, w, h, format)
		out, errs = append(out, Picture{name + "." + format, data}), append(errs, err)
	}
	m := r.Traces[0]
	top := 0.0
	for _, l := range m.Labels {
		for _, x := range l.Layers {
			for _, s := range x.Share {
				top = max(top, s)
			}
		}
	}
	add("routing-all", heatPlot("all texts", m, overall(m), top), 0, 0)
	for i, name := range shownLabels(m) {
		add(fmt.Sprintf("routing-%d-%s", i+1, fileName(name)), heatPlot(name, m, m.Labels[name].Layers, top), 0, 0)
	}
	for c := range m.Layers {
		add(fmt.Sprintf("coactivation-layer-%d", m.Layers[c].Layer), coPlot(&m.Layers[c]), 14*vg.Centimeter, 14*vg.Centimeter)
	}
	for _, c := range charts(m) {
		add(c.ID, linePlot(c), 0, 0)
	}
	bars, err := barPlot(m)
	errs = append(errs, err)
	add("specialisation", bars, 0, 0)
	for i, c := range r.Comparisons {
		add(fmt.Sprintf("comparison-%d", i+1), comparisonPlot(c), 0, 0)
	}
	return out, errors.Join(errs...)
}

// render draws a plot; 0 is the usual size.
func render(p *plot.Plot, w, h vg.Length, format string) ([]byte, error) {
	if w == 0 {
		w, h = 18*vg.Centimeter, 10*vg.Centimeter
	}
	to, err := p.WriterTo(w, h, format)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = to.WriteTo(&b)
	return b.Bytes(), err
}

// fileName keeps what is safe in the name of a file.
func fileName(label string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, label)
	return name[:min(len(name), 40)]
}

// ramp is the page's scale: a light grey to a deep blue.
type ramp struct{}

// Colors implements palette.Palette.
func (ramp) Colors() []color.Color {
	out := make([]color.Color, 256)
	for i := range out {
		t := float64(i) / 255
		mix := func(a, b float64) uint8 { return uint8(a + (b-a)*t) }
		out[i] = color.RGBA{mix(0xed, 0x0a), mix(0xf1, 0x4a), mix(0xf5, 0x86), 255}
	}
	return out
}

func lineColor(n int) color.Color {
	return []color.Color{
		color.RGBA{0x1f, 0x6f, 0xc4, 255}, color.RGBA{0xb8, 0x54, 0x1a, 255}, color.RGBA{0x2f, 0x80, 0x49, 255}, color.Gray{0x80},
	}[n%4]
}

// newPlot is a plot with a title and named axes. Texts are drawn as they are: a label is no formula.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = plain(title), x, y
	p.Title.Padding = vg.Points(6)
	p.TextHandler = text.Plain{Fonts: p.Title.TextStyle.Handler.(text.Plain).Fonts}
	return p
}

// plain is a label without what a plot cannot draw, and not longer than it can hold.
func plain(s string) string {
	list := []rune(visible(strings.ReplaceAll(s, "\n", " ")))
	if len(list) > 60 {
		list = append(list[:59], '…')
	}
	return string(list)
}

// grid is rows of values as a heat map wants them: row 0 at the top.
type grid struct{ v [][]float64 }

func (g grid) Dims() (c, r int) {
	for _, row := range g.v {
		c = max(c, len(row))
	}
	return c, len(g.v)
}

func (g grid) Z(c, r int) float64 {
	row := g.v[len(g.v)-1-r]
	if c >= len(row) {
		return math.NaN()
	}
	return row[c]
}

func (g grid) X(c int) float64 { return float64(c) }
func (g grid) Y(r int) float64 { return float64(r) }

// heatOn adds values to a plot; a single row or column of equal values has no range of its own, so the scale is given.
func heatOn(p *plot.Plot, v [][]float64, top float64, rows []string) {
	h := plotter.NewHeatMap(grid{v}, ramp{})
	h.Min, h.Max, h.NaN, h.Rasterized = 0, max(top, 1e-9), color.White, false
	p.Add(h)
	ticks := make([]plot.Tick, len(rows))
	every := max(1, (len(rows)+23)/24)
	for i, name := range rows {
		ticks[i] = plot.Tick{Value: float64(len(rows) - 1 - i)}
		if i%every == 0 {
			ticks[i].Label = name
		}
	}
	p.Y.Tick.Marker = plot.ConstantTicks(ticks)
	cols, _ := grid{v}.Dims()
	var xs []plot.Tick
	for i := 0; i < cols; i += max(1, (cols+15)/16) {
		xs = append(xs, plot.Tick{Value: float64(i), Label: strconv.Itoa(i)})
	}
	p.X.Tick.Marker = plot.ConstantTicks(xs)
}

func heatPlot(name string, m *Metrics, layers []LabelLayer, top float64) *plot.Plot {
	p := newPlot(fmt.Sprintf("%s: share of routing (dark: %s)", plain(name), percent(top)), "expert", "layer")
	var v [][]float64
	var rows []string
	for _, l := range layers {
		v, rows = append(v, l.Share), append(rows, strconv.Itoa(l.Layer))
	}
	heatOn(p, v, top, rows)
	return p
}

// coPlot leaves the diagonal, which is 1, white, so that the rest is seen.
func coPlot(l *Layer) *plot.Plot {
	p := newPlot(fmt.Sprintf("layer %d: P(column | row)", l.Layer), "expert", "expert")
	ids := busiest(l)
	v, rows, top := make([][]float64, len(ids)), make([]string, len(ids)), 0.0
	for y, i := range ids {
		rows[y], v[y] = strconv.Itoa(i), make([]float64, len(ids))
		for x, j := range ids {
			v[y][x] = l.CoActivation[i][j]
			if i == j {
				v[y][x] = math.NaN()
				continue
			}
			top = max(top, v[y][x])
		}
	}
	p.Title.Text += fmt.Sprintf(", dark: %s", percent(top))
	heatOn(p, v, top, rows)
	var ticks []plot.Tick
	for x := 0; x < len(ids); x += max(1, (len(ids)+15)/16) {
		ticks = append(ticks, plot.Tick{Value: float64(x), Label: rows[x]})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	return p
}

// linePlot draws a chart of the page.
func linePlot(c chart) *plot.Plot {
	p := newPlot(c.Title, c.XLabel, c.Sub)
	ticks := make([]plot.Tick, len(c.Names))
	for i, name := range c.Names {
		ticks[i] = plot.Tick{Value: float64(i), Label: name}
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	for _, s := range c.Series {
		addLine(p, s)
	}
	underLegend(p, len(c.Series))
	return p
}

func addLine(p *plot.Plot, s series) {
	var xy plotter.XYs
	for i, v := range s.y {
		if v == v {
			xy = append(xy, plotter.XY{X: float64(i), Y: v})
		}
	}
	if len(xy) == 0 {
		return
	}
	line, points, err := plotter.NewLinePoints(xy)
	if err != nil { // numbers that are not finite, which no trace holds
		return
	}
	line.Color, points.Color, line.Width = lineColor(s.n), lineColor(s.n), vg.Points(1.5)
	points.Shape, points.Radius = draw.CircleGlyph{}, vg.Points(2)
	if s.n == 3 {
		line.Dashes, points.Radius = []vg.Length{vg.Points(4), vg.Points(4)}, 0
	}
	p.Add(line, points)
	p.Legend.Add(s.name, line)
}

// underLegend leaves room above the data for the legend, and at the sides for what stands on the ends of the axis.
func underLegend(p *plot.Plot, entries int) {
	p.Y.Min = 0
	p.Y.Max *= 1.08 + 0.08*float64(entries)
	p.X.Min, p.X.Max = p.X.Min-0.3, p.X.Max+0.3
	p.Legend.Top = true
}

// barPlot draws, for the layer whose texts differ most, each text's share by expert; at most four texts.
func barPlot(m *Metrics) (*plot.Plot, error) {
	c := sharpest(m)
	l := &m.Layers[c]
	p := newPlot(fmt.Sprintf("layer %d: share of each text's routing", l.Layer), "expert", "share")
	names := shownLabels(m)
	names = names[:min(4, len(names))]
	width := vg.Points(max(1, 400/float64(l.Experts*(len(names)+1))))
	for i, name := range names {
		b, err := plotter.NewBarChart(plotter.Values(m.Labels[name].Layers[c].Share), width)
		if err != nil {
			return p, err
		}
		b.Color, b.LineStyle.Width = lineColor(i), 0
		b.Offset = width * vg.Length(float64(i)-float64(len(names)-1)/2)
		p.Add(b)
		p.Legend.Add(plain(name), b)
	}
	even := plotter.NewFunction(func(float64) float64 { return 1 / float64(l.Experts) })
	even.Dashes = []vg.Length{vg.Points(3), vg.Points(3)}
	p.Add(even)
	p.Legend.Add("even", even)
	even.XMin, even.XMax = -0.5, float64(l.Experts)-0.5
	underLegend(p, len(names)+1)
	p.X.Min, p.X.Max = -0.7, float64(l.Experts)-0.3
	var ticks []plot.Tick
	for i := 0; i < l.Experts; i += max(1, (l.Experts+15)/16) {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: strconv.Itoa(i)})
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	return p, nil
}

func comparisonPlot(c *Comparison) *plot.Plot {
	var names []string
	sat, differ := series{name: "saturation", n: 0}, series{name: "differ", n: 1}
	for _, l := range c.Layers {
		names = append(names, strconv.Itoa(l.Layer))
		sat.y, differ.y = append(sat.y, l.Saturation), append(differ.y, l.Differ)
	}
	return linePlot(lines("comparison", "Two traces of the same tokens", "share", "layer", names, []series{sat, differ}))
}
