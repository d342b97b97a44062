// Package roofline draws what kernels or models reach against what a machine allows (Williams, Waterman & Patterson, 2009):
// operations per second over operations per byte, both axes logarithmic. Slopes are rates of reading, ceilings are peaks of
// arithmetic; a point on the lowest line above it does all that the machine can.
package roofline

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Picture is panels below each other, one for each level and number of threads.
type Picture struct {
	Title  string
	Panels []Panel
}

// Panel is one roofline.
type Panel struct {
	Title    string
	Slopes   []Line // rates of reading in GB/s
	Ceilings []Line // peaks in Gop/s
	Points   []Point
}

// Line is a named limit.
type Line struct {
	Name string
	Rate float64
}

// Point is something measured. Points of one series are joined and share a colour; the series is named once.
type Point struct {
	Series, Kind string  // points of one kind have one colour
	Label        string  // of the point itself
	Intensity    float64 // operations per byte
	Rate         float64 // Gop/s
}

// Formats are the endings of files that Write can make.
func Formats() []string { return []string{".png", ".svg"} }

// Check says whether Write can make a file of this name.
func Check(path string) error {
	if ext := filepath.Ext(path); !slices.Contains(Formats(), ext) {
		return fmt.Errorf("a picture %q: want a name that ends in .png or .svg", path)
	}
	return nil
}

const (
	width  = 13 * vg.Inch
	height = 7.5 * vg.Inch // of a panel
	dpi    = 96
)

// Write draws a picture in the format that the ending of the file's name says.
func Write(w io.Writer, path string, p Picture) error {
	if err := Check(path); err != nil {
		return err
	}
	total := height * vg.Length(max(1, len(p.Panels)))
	if filepath.Ext(path) == ".svg" {
		c := vgsvg.New(width, total)
		p.draw(draw.New(c))
		_, err := c.WriteTo(w)
		return err
	}
	c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, total), vgimg.UseDPI(dpi))}
	p.draw(draw.New(c))
	_, err := c.WriteTo(w)
	return err
}

func (p *Picture) draw(c draw.Canvas) {
	for i := range p.Panels {
		top := c.Max.Y - height*vg.Length(i)
		part := draw.Canvas{Canvas: c.Canvas, Rectangle: vg.Rectangle{
			Min: vg.Point{X: c.Min.X + 10, Y: top - height + 10}, Max: vg.Point{X: c.Max.X - 10, Y: top - 10},
		}}
		p.Panels[i].plot(p.Title).Draw(part)
	}
}

// plot lays the panel out.
func (n *Panel) plot(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title + " · " + n.Title
	p.Title.TextStyle.Font.Size = 14
	p.Title.Padding = 6
	p.X.Label.Text, p.Y.Label.Text = "operations per byte", "Gop/s"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks{}, ticks{}
	n.drop()
	b := n.bounds()
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = b.xMin, b.xMax, b.yMin, b.yMax
	p.Add(grid{}, &limits{n, b}, &points{n.Points})
	return p
}

// drop leaves out what has no place on a logarithmic axis.
func (n *Panel) drop() {
	bad := func(v float64) bool { return !(v > 0) || math.IsInf(v, 1) }
	line := func(l Line) bool { return bad(l.Rate) }
	n.Points = slices.DeleteFunc(slices.Clone(n.Points), func(p Point) bool { return bad(p.Intensity) || bad(p.Rate) })
	n.Slopes, n.Ceilings = slices.DeleteFunc(slices.Clone(n.Slopes), line), slices.DeleteFunc(slices.Clone(n.Ceilings), line)
}

// box is the range of the axes.
type box struct{ xMin, xMax, yMin, yMax float64 }

// bounds leaves room around all points, and for the point where the first slope meets the highest ceiling.
func (n *Panel) bounds() box {
	b := box{math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)}
	take := func(x, y float64) {
		b = box{min(b.xMin, x), max(b.xMax, x), min(b.yMin, y), max(b.yMax, y)}
	}
	for _, p := range n.Points {
		take(p.Intensity, p.Rate)
	}
	for _, c := range n.Ceilings {
		for _, s := range n.Slopes {
			take(c.Rate/s.Rate, c.Rate)
		}
	}
	if math.IsInf(b.xMin, 1) {
		return box{0.1, 100, 1, 1000}
	}
	return box{b.xMin / 2, b.xMax * 4, b.yMin / 2, b.yMax * 2}
}

// ticks are the powers of ten, with 2 and 5 between them named too.
type ticks struct{}

// Ticks implements plot.Ticker.
func (ticks) Ticks(low, high float64) []plot.Tick {
	var list []plot.Tick
	for e := math.Pow(10, math.Floor(math.Log10(low))); e <= high; e *= 10 {
		for m := 1.0; m < 10; m++ {
			if v := m * e; v >= low && v <= high {
				t := plot.Tick{Value: v}
				if m == 1 || m == 2 || m == 5 {
					t.Label = fmt.Sprintf("%.4g", v)
				}
				list = append(list, t)
			}
		}
	}
	return list
}
