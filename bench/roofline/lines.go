package roofline

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// grid draws a light line at every named tick.
type grid struct{}

// Plot implements plot.Plotter.
func (grid) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	pen := draw.LineStyle{Color: color.Gray{0xe8}, Width: 0.5}
	for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
		if t.Label != "" {
			c.StrokeLine2(pen, x(t.Value), c.Min.Y, x(t.Value), c.Max.Y)
		}
	}
	for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
		if t.Label != "" {
			c.StrokeLine2(pen, c.Min.X, y(t.Value), c.Max.X, y(t.Value))
		}
	}
}

// limits draws slopes and ceilings, each up to where it meets the highest one of the other kind.
type limits struct {
	n *Panel
	box
}

// Plot implements plot.Plotter.
func (l *limits) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	pen := draw.LineStyle{Color: color.Gray{0x30}, Width: 1.4}
	top, steep := 0.0, 0.0
	for _, r := range l.n.Ceilings {
		top = max(top, r.Rate)
	}
	for _, s := range l.n.Slopes {
		steep = max(steep, s.Rate)
	}
	for _, r := range l.n.Ceilings {
		from := l.xMin
		if steep > 0 {
			from = max(from, r.Rate/steep)
		}
		c.StrokeLine2(pen, x(from), y(r.Rate), c.Max.X, y(r.Rate))
		name := style(10, color.Gray{0x30})
		name.XAlign, name.YAlign = draw.XRight, draw.YBottom
		c.FillText(name, vg.Point{X: c.Max.X - 2, Y: y(r.Rate) + 2}, fmt.Sprintf("%s %.0f Gop/s", r.Name, r.Rate))
	}
	for _, s := range l.n.Slopes {
		l.slope(c, x, y, pen, s, top)
	}
}

// slope draws one rate of reading and its name along the line.
func (l *limits) slope(c draw.Canvas, x, y func(float64) vg.Length, pen draw.LineStyle, s Line, top float64) {
	from, to := max(l.xMin, l.yMin/s.Rate), min(l.xMax, l.yMax/s.Rate)
	if top > 0 {
		to = min(to, top/s.Rate)
	}
	if from >= to {
		return
	}
	a, b := vg.Point{X: x(from), Y: y(from * s.Rate)}, vg.Point{X: x(to), Y: y(to * s.Rate)}
	c.StrokeLine2(pen, a.X, a.Y, b.X, b.Y)
	name := style(10, color.Gray{0x30})
	name.Rotation, name.YAlign = math.Atan2(float64(b.Y-a.Y), float64(b.X-a.X)), draw.YBottom
	at := vg.Point{X: a.X + (b.X-a.X)*0.04, Y: a.Y + (b.Y-a.Y)*0.04}
	sin, cos := math.Sincos(name.Rotation)
	at.X, at.Y = at.X-vg.Length(3*sin), at.Y+vg.Length(3*cos)
	c.FillText(name, at, fmt.Sprintf("%s %.0f GB/s", s.Name, s.Rate))
}

func style(size vg.Length, c color.Color) draw.TextStyle {
	return draw.TextStyle{Color: c, Font: font.From(plot.DefaultFont, size), Handler: plot.DefaultTextHandler}
}
