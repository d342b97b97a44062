package roofline

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// points draws series: their points, thin lines that join them, the name of each series, and the labels of the points where
// there is room.
type points struct{ list []Point }

// Plot implements plot.Plotter.
func (d *points) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	at := func(q Point) vg.Point { return vg.Point{X: x(q.Intensity), Y: y(q.Rate)} }
	var taken rects
	for _, q := range d.list {
		taken.add(around(at(q), 3))
	}
	for _, s := range d.series() {
		d.line(c, s, at)
	}
	for _, s := range d.series() { // names first: they matter more than labels
		last := s[len(s)-1]
		taken.place(c, style(10, colour(d.kinds(), last.Kind)), last.Series, at(last), true)
	}
	for _, q := range d.list {
		taken.place(c, style(8, color.Gray{0x70}), q.Label, at(q), false)
	}
}

// line draws one series.
func (d *points) line(c draw.Canvas, s []Point, at func(Point) vg.Point) {
	ink := colour(d.kinds(), s[0].Kind)
	pen := draw.LineStyle{Color: ink, Width: 0.6}
	for i := 1; i < len(s); i++ {
		a, b := at(s[i-1]), at(s[i])
		c.StrokeLine2(pen, a.X, a.Y, b.X, b.Y)
	}
	for _, q := range s {
		c.DrawGlyph(draw.GlyphStyle{Color: ink, Radius: 3, Shape: draw.CircleGlyph{}}, at(q))
	}
}

// series groups the points by name, in the order of their first ones.
func (d *points) series() [][]Point {
	var out [][]Point
	index := map[string]int{}
	for _, q := range d.list {
		i, ok := index[q.Series]
		if !ok {
			i = len(out)
			index[q.Series] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], q)
	}
	return out
}

// kinds lists the kinds in the order of their first points.
func (d *points) kinds() []string {
	var out []string
	for _, q := range d.list {
		if !slices.Contains(out, q.Kind) {
			out = append(out, q.Kind)
		}
	}
	return out
}

// colour is one of a palette that colour-blind readers can tell apart (Okabe & Ito, 2008).
func colour(kinds []string, kind string) color.Color {
	palette := []color.RGBA{
		{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff},
		{0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff},
	}
	return palette[slices.Index(kinds, kind)%len(palette)]
}

// rects are the parts of the picture that are taken.
type rects []vg.Rectangle

func (r *rects) add(x vg.Rectangle) { *r = append(*r, x) }

func (r *rects) free(x vg.Rectangle) bool {
	return !slices.ContainsFunc(*r, func(o vg.Rectangle) bool {
		return x.Min.X < o.Max.X && o.Min.X < x.Max.X && x.Min.Y < o.Max.Y && o.Min.Y < x.Max.Y
	})
}

func around(p vg.Point, d vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: p.X - d, Y: p.Y - d}, Max: vg.Point{X: p.X + d, Y: p.Y + d}}
}

// place writes a text beside a point, at the first place that is free; where far is set, places farther away count too, with
// a line to the point. Without a free place nothing is written.
func (r *rects) place(c draw.Canvas, s draw.TextStyle, txt string, p vg.Point, far bool) {
	size := s.Rectangle(txt).Size()
	reach := []vg.Length{5}
	if far {
		reach = []vg.Length{5, 14, 26, 40, 56, 74, 94}
	}
	for _, d := range reach {
		for _, dir := range []vg.Point{{X: 1}, {X: 1, Y: -0.8}, {X: 1, Y: 0.8}, {Y: 1}, {Y: -1}, {X: -1}, {X: -1, Y: -0.8}, {X: -1, Y: 0.8}} {
			q := vg.Point{X: p.X + dir.X*d, Y: p.Y + dir.Y*d}
			at := vg.Rectangle{Min: vg.Point{X: q.X + (dir.X-1)/2*size.X, Y: q.Y + (dir.Y-1)/2*size.Y}}
			at.Max = vg.Point{X: at.Min.X + size.X, Y: at.Min.Y + size.Y}
			if !inside(at, c.Rectangle) || !r.free(at) {
				continue
			}
			r.add(at)
			if d > 5 {
				c.StrokeLine2(draw.LineStyle{Color: color.Gray{0xa0}, Width: 0.4}, p.X, p.Y, q.X, q.Y)
			}
			fill(c, at)
			s.XAlign, s.YAlign = draw.XLeft, draw.YBottom
			c.FillText(s, at.Min, txt)
			return
		}
	}
}

func inside(a, b vg.Rectangle) bool {
	return a.Min.X >= b.Min.X && a.Max.X <= b.Max.X && a.Min.Y >= b.Min.Y && a.Max.Y <= b.Max.Y
}

// fill whitens what is behind a text, so that lines do not strike it through.
func fill(c draw.Canvas, r vg.Rectangle) {
	c.FillPolygon(color.NRGBA{0xff, 0xff, 0xff, 0xc0}, []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}})
}
