package route

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

// Plot draws accuracy over the share of prompts sent to the strong model, the router beside its baselines; the file's ending, .svg or
// .png, says the format.
func (r *Report) Plot(path string) error {
	if ext := strings.ToLower(filepath.Ext(path)); ext != ".svg" && ext != ".png" {
		return fmt.Errorf("plot: want a file ending in .svg or .png, found %q", path)
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%d prompts, APGR %.3f", r.Rows, r.APGR)
	p.X.Label.Text, p.Y.Label.Text = "share of prompts sent to the strong model", "accuracy"
	p.Legend.Top, p.Legend.Left = true, true
	for i, name := range []string{"router", "random", "length", "oracle"} {
		line, err := plotter.NewLine(r.Curves[name].points())
		if err != nil {
			return err
		}
		line.Color, line.Width = plotutil.Color(i), vg.Points(1.5)
		p.Add(line)
		p.Legend.Add(name, line)
	}
	p.Add(plotter.NewGrid())
	return p.Save(18*vg.Centimeter, 12*vg.Centimeter, path)
}

// points are at most 500 points of a curve.
func (c Curve) points() plotter.XYs {
	n := len(c.Accuracy) - 1
	steps := min(n, 500)
	out := make(plotter.XYs, steps+1)
	for i := range out {
		at := i * n / max(steps, 1)
		out[i] = plotter.XY{X: float64(at) / float64(max(n, 1)), Y: c.Accuracy[at]}
	}
	return out
}

// Finite is the report with 0 for what is no number, as APGR is where both models are equally good: JSON knows no NaN.
func (r Report) Finite() Report {
	fix := func(v float64) float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0
		}
		return v
	}
	r.APGR, r.AIQ = fix(r.APGR), fix(r.AIQ)
	for k, v := range r.Baselines {
		r.Baselines[k] = fix(v)
	}
	for k, v := range r.Intervals {
		r.Intervals[k] = [2]float64{fix(v[0]), fix(v[1])}
	}
	return r
}
