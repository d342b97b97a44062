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
	points tensor.Mat // [m,D]
	weight []float32
	mean   float64
}

const (
	ridgeWidth   = 0.4
	ridgePenalty = 10
)

func kernel(x, c []float32) float64 {
	sum := float32(0)
	for i, v := range x {
		d := v - c[i]
		sum += float32(d * d)
	}
	return math.Exp(-float64(sum) / (2 * ridgeWidth))
}

func (r *ridge) at(x []float32) float64 {
	y := r.mean
	for j, w := range r.weight {
		y += float64(w) * kernel(x, r.points.Row(j))
	}
	return y
}

// fitRidge solves (KᵀK + penalty·M) w = Kᵀ(y - mean), K [N,m] between rows and landmarks, M [m,m] between landmarks. The
// landmarks are rows of a fixed random choice.
func fitRidge(e *kernels.Engine, rows [][]float32, y []float64, m int) (*ridge, error) {
	order := shuffled(len(rows))
	order = order[:min(m, len(order))]
	m = len(order)
	r := &ridge{points: tensor.NewMat(m, len(rows[0])), weight: make([]float32, m)}
	for j, i := range order {
		copy(r.points.Row(j), rows[i])
	}
	for _, v := range y {
		r.mean += v / float64(len(y))
	}
	k := &kernelJob{e: e, rows: rows, points: r.points, out: tensor.NewMat(m, len(rows))} // [m,N]
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
	for i := range m {
		for j := i; j < m; j++ {
			system.SetSym(i, j, float64(kk.Row(i)[j])+ridgePenalty*kernel(r.points.Row(i), r.points.Row(j)))
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
	e      *kernels.Engine
	rows   [][]float32
	points tensor.Mat
	out    tensor.Mat
}

// Do implements kernels.Job.
func (j *kernelJob) Do(_, i int) {
	for p := range j.points.Rows {
		j.out.Row(p)[i] = float32(kernel(j.rows[i], j.points.Row(p)))
	}
}

// shuffled is a fixed random order of n things.
func shuffled(n int) []int {
	return rand.New(rand.NewPCG(7, 11)).Perm(n)
}
