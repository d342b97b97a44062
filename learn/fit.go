package learn

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/optimize"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// FitOptions of Fit; the zero value works.
type FitOptions struct {
	L2        float64                   // weight of ½‖W‖² against the mean loss of an example; 0 means 1/N
	MaxIter   int                       // of L-BFGS; 0 means 200
	Precision float64                   // the end: no partial derivative of the loss is larger; 0 means 1e-5
	Progress  func(iteration, most int) // called after each iteration; or nil
}

// Fit finds the head that minimises mean(-log softmax(logits)[y]) + L2/2·‖weights‖² (biases are free) with L-BFGS from zero.
// y holds class numbers below classes. The engine's threads compute the products; the result does not depend on how many
// there are. Errors: [ErrData], the context's.
func Fit(ctx context.Context, e *kernels.Engine, d Data, y []int, classes int, o FitOptions) (*Head, error) {
	if err := d.check(len(y)); err != nil {
		return nil, err
	}
	for i, c := range y {
		if c < 0 || c >= classes {
			return nil, fmt.Errorf("%w: class %d of example %d, want 0 to %d", ErrData, c, i, classes-1)
		}
	}
	if o.L2 == 0 {
		o.L2 = 1 / float64(len(y))
	}
	if o.MaxIter == 0 {
		o.MaxIter = 200
	}
	if o.Precision == 0 {
		o.Precision = 1e-5
	}
	f, err := newObjective(e, d, y, classes, o.L2)
	if err != nil {
		return nil, err
	}
	x := make([]float64, f.params())
	p := optimize.Problem{Func: f.value, Grad: f.gradient}
	settings := &optimize.Settings{
		GradientThreshold: o.Precision, MajorIterations: o.MaxIter, Recorder: recorder{ctx, o},
		Converger: &optimize.FunctionConverge{Relative: o.Precision / 10, Iterations: 5},
	}
	res, err := optimize.Minimize(p, x, settings, &optimize.LBFGS{Store: 8})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if res == nil || (err != nil && !errors.Is(err, optimize.ErrLinesearcherFailure) && res.F >= f.start) {
		return nil, fmt.Errorf("%w: the optimiser stopped: %w", ErrData, err)
	}
	return f.head(res.X), nil
}

// recorder watches the optimiser: progress, and an end where the context has ended.
type recorder struct {
	ctx context.Context
	o   FitOptions
}

func (r recorder) Init() error { return r.ctx.Err() }

func (r recorder) Record(_ *optimize.Location, op optimize.Operation, s *optimize.Stats) error {
	if op == optimize.MajorIteration && r.o.Progress != nil {
		r.o.Progress(s.MajorIterations, r.o.MaxIter)
	}
	return r.ctx.Err()
}

// objective computes loss and gradient together; the optimiser asks for them one after the other at the same point.
// Parameters are ordered feature by feature, [D + buckets + 1][C], the last being the bias: a sparse feature then
// touches one row.
type objective struct {
	e       *kernels.Engine
	d       Data
	y       []int
	classes int
	l2      float64
	start   float64 // loss at zero

	x        []float32      // the point, [features][C]
	w        tensor.Mat     // [C,D] its dense part
	xT       kernels.Matrix // [D,N] the examples
	logits   tensor.Mat     // [N,C], then probability - truth, over N
	residual tensor.Mat     // [C,N] the same
	dense    tensor.Mat     // [C,D] gradient
	at       []float64      // the point that loss and grad belong to
	loss     float64
	grad     []float64
	grad32   []float32
	wide     int
}

func newObjective(e *kernels.Engine, d Data, y []int, classes int, l2 float64) (*objective, error) {
	n := len(y)
	f := &objective{e: e, d: d, y: y, classes: classes, l2: l2, wide: d.Dense.Cols, logits: tensor.NewMat(n, classes), start: math.Log(float64(classes))}
	f.grad, f.x, f.grad32 = make([]float64, f.params()), make([]float32, f.params()), make([]float32, f.params())
	if f.wide == 0 {
		return f, nil
	}
	f.w, f.dense, f.residual = tensor.NewMat(classes, f.wide), tensor.NewMat(classes, f.wide), tensor.NewMat(classes, n)
	t := tensor.NewMat(f.wide, n)
	for i := range n {
		for j, v := range d.Dense.Row(i) {
			t.Data[j*n+i] = v
		}
	}
	var err error
	f.xT, err = kernels.MatrixOf(tensor.FromF32(t.Data, f.wide, n))
	return f, err
}

func (f *objective) params() int { return (f.wide + f.d.Buckets + 1) * f.classes }

// feature is the row of one feature in a vector of parameters.
func (f *objective) feature(x []float32, j int) []float32 { return x[j*f.classes : (j+1)*f.classes] }

func (f *objective) value(x []float64) float64 { f.compute(x); return f.loss }

func (f *objective) gradient(grad, x []float64) { f.compute(x); copy(grad, f.grad) }

func (f *objective) compute(x []float64) {
	if f.at != nil && slices.Equal(f.at, x) {
		return
	}
	f.at = append(f.at[:0], x...)
	for i, v := range x {
		f.x[i] = float32(v)
	}
	f.forward()
	f.loss = f.residuals()
	f.backward(x)
}

// forward fills the logits.
func (f *objective) forward() {
	if f.wide > 0 {
		for j := range f.wide {
			for c, v := range f.feature(f.x, j) {
				f.w.Data[c*f.wide+j] = v
			}
		}
		w, _ := kernels.MatrixOf(tensor.FromF32(f.w.Data, f.classes, f.wide)) // shape and dtype fit
		f.e.MatMul(kernels.Product{Dst: f.logits, X: f.d.Dense, W: w})
	} else {
		clear(f.logits.Data)
	}
	f.e.Run((len(f.y)+rowTile-1)/rowTile, sparseForward{f})
}

const rowTile = 64 // examples of a chunk

// sparseForward adds bias and sparse features to the logits of some examples.
type sparseForward struct{ f *objective }

// Do implements kernels.Job.
func (j sparseForward) Do(_, chunk int) {
	f := j.f
	ops, bias := f.e.Ops(), f.feature(f.x, f.wide+f.d.Buckets)
	for i := chunk * rowTile; i < min((chunk+1)*rowTile, len(f.y)); i++ {
		l := f.logits.Row(i)
		ops.Add(l, bias)
		if f.d.Sparse == nil {
			continue
		}
		s := f.d.Sparse[i]
		for n, k := range s.Index {
			ops.Axpy(l, s.Value[n], f.feature(f.x, f.wide+int(k)))
		}
	}
}

// residuals turns logits into (probability - truth)/N and gives the mean loss.
func (f *objective) residuals() float64 {
	n, loss := len(f.y), 0.0
	for i, y := range f.y {
		l := f.logits.Row(i)
		Softmax(l, 1)
		loss -= logOf(l[y])
		l[y]--
		f.e.Ops().Scale(l, 1/float32(n))
	}
	return loss / float64(n)
}

// backward fills the gradient and adds the penalty to the loss. Sums run over the examples in ascending order.
func (f *objective) backward(x []float64) {
	ops, g := f.e.Ops(), f.grad32
	clear(g)
	if f.wide > 0 {
		f.denseBackward()
	}
	bias := f.feature(g, f.wide+f.d.Buckets)
	for i := range f.y {
		r := f.logits.Row(i)
		ops.Add(bias, r)
		if f.d.Sparse == nil {
			continue
		}
		s := f.d.Sparse[i]
		for n, k := range s.Index {
			ops.Axpy(f.feature(g, f.wide+int(k)), s.Value[n], r)
		}
	}
	penalised := (f.wide + f.d.Buckets) * f.classes
	for i, v := range g {
		f.grad[i] = float64(v)
		if i < penalised {
			f.loss += f.l2 / 2 * x[i] * x[i]
			f.grad[i] += f.l2 * x[i]
		}
	}
}

// denseBackward is the gradient of the dense weights: residualᵀ · examples.
func (f *objective) denseBackward() {
	n := len(f.y)
	for i := range n {
		for c, v := range f.logits.Row(i) {
			f.residual.Data[c*n+i] = v
		}
	}
	f.e.MatMul(kernels.Product{Dst: f.dense, X: f.residual, W: f.xT})
	for c := range f.classes {
		for j, v := range f.dense.Row(c) {
			f.grad32[j*f.classes+c] = v
		}
	}
}

// head copies a point into a Head.
func (f *objective) head(x []float64) *Head {
	h := &Head{W: tensor.NewMat(f.classes, f.wide), S: tensor.NewMat(f.classes, f.d.Buckets), B: make([]float32, f.classes)}
	for c := range f.classes {
		at := func(j int) float32 { return float32(x[j*f.classes+c]) }
		for j := range f.wide {
			h.W.Row(c)[j] = at(j)
		}
		for j := range f.d.Buckets {
			h.S.Row(c)[j] = at(f.wide + j)
		}
		h.B[c] = at(f.wide + f.d.Buckets)
	}
	return h
}
