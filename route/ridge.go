package route

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// ridge is a regression on the similarities to landmarks (Nyström's method, Williams & Seeger, NIPS 2000):
// y = mean + Σ_j weight[j] · k(x, landmark j), k(x, c) = exp(-‖x-c‖² / (2·width)).
type ridge struct {
	ops    *kernels.Ops
	points tensor.Mat // [m,D]
	weight []float32
	square []float32 // ‖landmark j‖²
	mean   float64
}

const (
	ridgeWidth   = 0.3
	ridgePenalty = 5
)

// newRidge prepares what at needs beside the points.
func newRidge(ops *kernels.Ops, points tensor.Mat) *ridge {
	r := &ridge{ops: ops, points: points, weight: make([]float32, points.Rows), square: make([]float32, points.Rows)}
	for j := range r.square {
		r.square[j] = square(points.Row(j))
	}
	return r
}

func square(x []float32) float32 {
	sum := float32(0)
	for _, v := range x {
		sum += float32(v * v)
	}
	return sum
}

// similar fills dst[j] with k(x, landmark j): ‖x-c‖² = ‖x‖² + ‖c‖² - 2·x·c.
func (r *ridge) similar(dst, x []float32) {
	r.ops.AttnScores(dst, x, r.points.Data, r.points.Stride, 2)
	own := square(x)
	for j, dot := range dst {
		dst[j] = float32(math.Exp(-float64(max(own+r.square[j]-dot, 0)) / (2 * ridgeWidth)))
	}
}

func (r *ridge) at(x []float32) float64 {
	k := make([]float32, len(r.weight))
	r.similar(k, x)
	y := r.mean
	for j, w := range r.weight {
		y += float64(w) * float64(k[j])
	}
	return y
}

// fitRidge solves (KᵀK + penalty·M) w = Kᵀ(y - mean), K [N,m] between rows and landmarks, M [m,m] between landmarks. The
// landmarks are rows of a fixed random choice.
func fitRidge(e *kernels.Engine, rows [][]float32, y []float64, m int) (*ridge, error) {
	order := shuffled(len(rows))
	order = order[:min(m, len(order))]
	m = len(order)
	points := tensor.NewMat(m, len(rows[0]))
	for j, i := range order {
		copy(points.Row(j), rows[i])
	}
	r := newRidge(e.Ops(), points)
	for _, v := range y {
		r.mean += v / float64(len(y))
	}
	k := &kernelJob{r: r, rows: rows, out: tensor.NewMat(m, len(rows)), own: tensor.NewMat(e.Threads(), m)} // [m,N]
	e.Run(len(rows), k)
	system, right, err := r.normal(e, k.out, y)
	if err != nil {
		return nil, err
	}
	var chol mat.Cholesky
	if !chol.Factorize(system) {
		return nil, fmt.Errorf("%w: the similarities to the landmarks cannot be told apart", learn.ErrData)
	}
	var w mat.VecDense
	if err := chol.SolveVecTo(&w, right); err != nil {
		return nil, fmt.Errorf("%w: landmarks: %w", learn.ErrData, err)
	}
	for j := range r.weight {
		r.weight[j] = float32(w.AtVec(j))
	}
	return r, nil
}

// normal builds the normal equations.
func (r *ridge) normal(e *kernels.Engine, k tensor.Mat, y []float64) (*mat.SymDense, *mat.VecDense, error) {
	m := k.Rows
	kk := tensor.NewMat(m, m)
	w, err := kernels.MatrixOf(tensor.FromF32(k.Data, m, k.Cols))
	if err != nil {
		return nil, nil, err
	}
	e.MatMul(kernels.Product{Dst: kk, X: k, W: w})
	system, right := mat.NewSymDense(m, nil), mat.NewVecDense(m, nil)
	among := make([]float32, m)
	for i := range m {
		r.similar(among, r.points.Row(i))
		for j := i; j < m; j++ {
			system.SetSym(i, j, float64(kk.Row(i)[j])+ridgePenalty*float64(among[j]))
		}
		system.SetSym(i, i, system.At(i, i)+1e-3)
		sum := 0.0
		for n, v := range k.Row(i) {
			sum += float64(v) * (y[n] - r.mean)
		}
		right.SetVec(i, sum)
	}
	return system, right, nil
}

// kernelJob fills a column of out for each row.
type kernelJob struct {
	r    *ridge
	rows [][]float32
	out  tensor.Mat
	own  tensor.Mat // of each worker, [m]
}

// Do implements kernels.Job.
func (j *kernelJob) Do(worker, i int) {
	k := j.own.Row(worker)
	j.r.similar(k, j.rows[i])
	for p, v := range k {
		j.out.Row(p)[i] = v
	}
}

// shuffled is a fixed random order of n things.
func shuffled(n int) []int {
	return rand.New(rand.NewPCG(7, 11)).Perm(n)
}
