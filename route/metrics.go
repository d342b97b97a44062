package route

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Outcome is one prompt and whether each model answered it rightly.
type Outcome struct {
	Prompt string `json:"prompt"`
	Weak   bool   `json:"weak"`
	Strong bool   `json:"strong"`
}

func (o Outcome) gain() int {
	g := 0
	if o.Strong {
		g++
	}
	if o.Weak {
		g--
	}
	return g
}

// Curve is the accuracy when the i prompts of highest score go to the strong model and the rest to the weak one, for i
// from 0 to n: Accuracy has n+1 values. Ties keep the order of the rows.
type Curve struct{ Accuracy []float64 }

// NewCurve orders the rows by falling score.
func NewCurve(score []float64, rows []Outcome) Curve {
	order := make([]int, len(rows))
	right := 0
	for i := range rows {
		order[i] = i
		if rows[i].Weak {
			right++
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	c := Curve{Accuracy: make([]float64, 0, len(rows)+1)}
	n := float64(len(rows))
	c.Accuracy = append(c.Accuracy, float64(right)/n)
	for _, i := range order {
		right += rows[i].gain()
		c.Accuracy = append(c.Accuracy, float64(right)/n)
	}
	return c
}

func (c Curve) ends() (weak, strong float64) { return c.Accuracy[0], c.Accuracy[len(c.Accuracy)-1] }

// APGR is the average performance gap recovered: (area under the curve - weak) / (strong - weak), the area by the trapezoid rule over the
// share of prompts that go to the strong model. NaN where the two are equally good.
func (c Curve) APGR() float64 {
	weak, strong := c.ends()
	return (trapezoid(c.Accuracy) - weak) / (strong - weak)
}

func trapezoid(y []float64) float64 {
	sum := 0.0
	for i := 1; i < len(y); i++ {
		sum += (y[i-1] + y[i]) / 2
	}
	return sum / float64(len(y)-1)
}

// CPT is the call-performance threshold: the smallest share of prompts sent to the strong model that recovers p of the gap.
func (c Curve) CPT(p float64) float64 {
	weak, strong := c.ends()
	for i, a := range c.Accuracy {
		if a-weak >= p*(strong-weak)-1e-12 {
			return float64(i) / float64(len(c.Accuracy)-1)
		}
	}
	return 1
}

// AIQ is the average improvement in quality: the area under the non-decreasing convex hull of the curve.
func (c Curve) AIQ() float64 {
	type point struct{ x, y float64 }
	var hull []point
	top := math.Inf(-1)
	for i, y := range c.Accuracy {
		top = max(top, y)
		p := point{float64(i) / float64(len(c.Accuracy)-1), top}
		for len(hull) >= 2 {
			a, b := hull[len(hull)-2], hull[len(hull)-1]
			if (b.y-a.y)*(p.x-a.x) > (p.y-a.y)*(b.x-a.x) {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, p)
	}
	area := 0.0
	for i := 1; i < len(hull); i++ {
		area += (hull[i].x - hull[i-1].x) * (hull[i].y + hull[i-1].y) / 2
	}
	return area
}

// Report is what `route eval` prints.
type Report struct {
	APGR      float64               `json:"apgr"`
	CPT20     float64               `json:"cpt20"`
	CPT50     float64               `json:"cpt50"`
	CPT80     float64               `json:"cpt80"`
	AIQ       float64               `json:"aiq"`
	Rows      int                   `json:"rows"`
	Weak      float64               `json:"weak"`   // accuracy of the weak model
	Strong    float64               `json:"strong"` // of the strong one
	Baselines map[string]float64    `json:"baselines"`
	Intervals map[string][2]float64 `json:"intervals"` // 95 %, by bootstrap over the rows
	Curves    map[string]Curve      `json:"-"`
}

// bootstraps is how many resamples the intervals are made of.
const bootstraps = 200

// Evaluate measures scores against outcomes, beside random (its expectation), the length of the prompt and an oracle
// that knows the outcomes.
func Evaluate(score []float64, rows []Outcome) Report {
	c := NewCurve(score, rows)
	r := Report{APGR: c.APGR(), CPT20: c.CPT(0.2), CPT50: c.CPT(0.5), CPT80: c.CPT(0.8), AIQ: c.AIQ(), Rows: len(rows)}
	r.Weak, r.Strong = c.ends()
	length, oracle := make([]float64, len(rows)), make([]float64, len(rows))
	for i, o := range rows {
		length[i], oracle[i] = float64(len([]rune(o.Prompt))), float64(o.gain())
	}
	r.Curves = map[string]Curve{"router": c, "length": NewCurve(length, rows), "oracle": NewCurve(oracle, rows), "random": straight(c)}
	r.Baselines = map[string]float64{}
	for _, name := range []string{"random", "length", "oracle"} {
		r.Baselines[name] = r.Curves[name].APGR()
	}
	r.intervals(score, rows)
	return r
}

// straight is the expectation of a random order.
func straight(c Curve) Curve {
	weak, strong := c.ends()
	out := Curve{Accuracy: make([]float64, len(c.Accuracy))}
	for i := range out.Accuracy {
		out.Accuracy[i] = weak + (strong-weak)*float64(i)/float64(len(out.Accuracy)-1)
	}
	return out
}

func (r *Report) intervals(score []float64, rows []Outcome) {
	rng := rand.New(rand.NewPCG(1, 2))
	var apgr, aiq, half []float64
	s, o := make([]float64, len(rows)), make([]Outcome, len(rows))
	for range bootstraps {
		for i := range rows {
			j := rng.IntN(len(rows))
			s[i], o[i] = score[j], rows[j]
		}
		c := NewCurve(s, o)
		apgr, aiq, half = append(apgr, c.APGR()), append(aiq, c.AIQ()), append(half, c.CPT(0.5))
	}
	r.Intervals = map[string][2]float64{}
	for name, v := range map[string][]float64{"apgr": apgr, "aiq": aiq, "cpt50": half} {
		slices.Sort(v)
		r.Intervals[name] = [2]float64{v[bootstraps*25/1000], v[bootstraps*975/1000]}
	}
}
