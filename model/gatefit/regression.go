package gatefit

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// regression is multinomial logistic regression of target shares q on gate inputs x, regularised towards the router that
// was there:
//
//	min over W  1/T Σ_t Σ_e −q_te log softmax(W·x_t + b)_e  +  λ/2·‖W−W₀‖²
//
// in float64, by L-BFGS; W [E,H], b fixed.
type regression struct {
	s           *seen
	e, h        int
	w0, bias    []float64
	ridge       float64
	train, held []int      // tokens
	x           *mat.Dense // [train,H]
	l, grad     *mat.Dense // [train,E], [E,H]
}

func newRegression(s *seen, w0 []float32, e, h int, biased bool, bias []float32, ridge float64) *regression {
	g := &regression{s: s, e: e, h: h, ridge: ridge, w0: make([]float64, len(w0)), bias: make([]float64, e)}
	for i, v := range w0 {
		g.w0[i] = float64(v)
	}
	for i := range g.bias {
		if biased {
			g.bias[i] = float64(bias[i])
		}
	}
	for t, ids := range s.target {
		switch {
		case len(ids) == 0:
		case heldOut(t):
			g.held = append(g.held, t)
		default:
			g.train = append(g.train, t)
		}
	}
	if len(g.train) == 0 {
		return g
	}
	g.x, g.l, g.grad = mat.NewDense(len(g.train), h, nil), mat.NewDense(len(g.train), e, nil), mat.NewDense(e, h, nil)
	for i, t := range g.train {
		for k, v := range s.x[t*h : (t+1)*h] {
			g.x.Set(i, k, float64(v))
		}
	}
	return g
}

// loss is the objective at w; grad, where not nil, gets its gradient.
func (g *regression) loss(w, grad []float64) float64 {
	wm := mat.NewDense(g.e, g.h, w)
	g.l.Mul(g.x, wm.T())
	n, sum := float64(len(g.train)), 0.0
	for i, t := range g.train {
		row := g.l.RawRowView(i)
		for e, b := range g.bias {
			row[e] += b
		}
		logSoftmax(row)
		for j, e := range g.s.target[t] {
			sum -= float64(g.s.share[t][j]) * row[e]
		}
		for e, v := range row { // becomes the gradient by the logits: softmax − q
			row[e] = math.Exp(v) / n
		}
		for j, e := range g.s.target[t] {
			row[e] -= float64(g.s.share[t][j]) / n
		}
	}
	sum /= n
	if grad != nil {
		g.grad.Mul(g.l.T(), g.x)
		copy(grad, g.grad.RawMatrix().Data)
	}
	for i, v := range w {
		d := v - g.w0[i]
		sum += g.ridge / 2 * d * d
		if grad != nil {
			grad[i] += g.ridge * d
		}
	}
	return sum
}

func logSoftmax(l []float64) {
	top, z := slices.Max(l), 0.0
	for _, v := range l {
		z += math.Exp(v - top)
	}
	by := top + math.Log(z)
	for i := range l {
		l[i] -= by
	}
}

// fit minimises from w0 on. Cancelling ctx ends it within one evaluation.
func (g *regression) fit(ctx context.Context, iterations int) ([]float64, float64, error) {
	p := optimize.Problem{
		Func:   func(w []float64) float64 { return g.loss(w, nil) },
		Grad:   func(grad, w []float64) { g.loss(w, grad) },
		Status: func() (optimize.Status, error) { return optimize.NotTerminated, ctx.Err() },
	}
	settings := &optimize.Settings{MajorIterations: iterations, GradientThreshold: 1e-7, Concurrent: 1}
	r, err := optimize.Minimize(p, g.w0, settings, &optimize.LBFGS{})
	if ctx.Err() != nil {
		return nil, 0, ctx.Err()
	}
	if err != nil && (r == nil || !errors.Is(err, optimize.ErrLinesearcherFailure) && r.Status != optimize.Failure) {
		return nil, 0, fmt.Errorf("%w: %w", ErrFit, err)
	}
	if r.F > g.loss(g.w0, nil) || math.IsNaN(r.F) {
		return nil, 0, fmt.Errorf("%w: the loss did not fall from %v", ErrFit, g.loss(g.w0, nil))
	}
	return r.X, r.F, nil
}

// recall is the mean over tokens of |chosen ∩ wanted| / |wanted|, as many chosen as wanted, ties to the lower expert.
func (g *regression) recall(w []float64, tokens []int) float64 {
	sum, l := 0.0, make([]float64, g.e)
	for _, t := range tokens {
		x := g.s.x[t*g.h : (t+1)*g.h]
		for e := range l {
			l[e] = g.bias[e]
			for k, v := range x {
				l[e] += w[e*g.h+k] * float64(v)
			}
		}
		want, n := g.s.target[t], 0
		for _, e := range largest(l, len(want)) {
			if slices.Contains(want, e) {
				n++
			}
		}
		sum += float64(n) / float64(len(want))
	}
	return sum / float64(len(tokens))
}
