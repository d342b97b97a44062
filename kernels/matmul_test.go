package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

var weightTypes = []tensor.DType{tensor.F32, tensor.BF16, tensor.F16}

func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = r.Float32()*2 - 1
	}
	return x
}

func randomMat(r *rand.Rand, rows, cols, stride int) tensor.Mat {
	return tensor.Mat{Rows: rows, Cols: cols, Stride: stride, Data: random(r, rows*stride)}
}

// randomMatrix makes weights [n,k] that start at an odd element.
func randomMatrix(r *rand.Rand, d tensor.DType, n, k int) Matrix {
	values := random(r, n*k+1)
	size := d.Size()
	data := make([]byte, 0, len(values)*size)
	for _, v := range values {
		switch d {
		case tensor.F32:
			u := math.Float32bits(v)
			data = append(data, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
		case tensor.BF16:
			u := tensor.F32ToBF16(v)
			data = append(data, byte(u), byte(u>>8))
		case tensor.F16:
			u := tensor.F32ToF16(v)
			data = append(data, byte(u), byte(u>>8))
		}
	}
	return Matrix{DType: d, Rows: n, Cols: k, Data: data[size:]}
}

// requireNear checks a product against float64: |Δ| ≤ 2·(K+8)·ε·Σ|x·w| + ε·|y|, ε = 2⁻²⁴ (the bound of recursive
// summation, twice, as a lane adds fewer than K).
func requireNear(t *testing.T, p Product, note string) {
	t.Helper()
	w := make([]float32, p.W.Cols)
	for n := range p.W.Rows {
		p.W.Row(w, n)
		for i := range p.X.Rows {
			var sum, mag float64
			for k, v := range p.X.Row(i) {
				sum += float64(v) * float64(w[k])
				mag += math.Abs(float64(v) * float64(w[k]))
			}
			if p.Bias != nil {
				sum += float64(p.Bias[n])
			}
			got := float64(p.Dst.Row(i)[n])
			if bound := (2*float64(p.W.Cols+8)*mag + math.Abs(sum)) * 0x1p-24; !(math.Abs(got-sum) <= bound) {
				t.Fatalf("%s: dst[%d,%d] = %v, want %v ± %v", note, i, n, got, sum, bound)
			}
		}
	}
}

func requireSameBits(t *testing.T, got, want tensor.Mat, note string) {
	t.Helper()
	for i := range want.Rows {
		g, w := got.Row(i), want.Row(i)
		for n := range w {
			if math.Float32bits(g[n]) != math.Float32bits(w[n]) {
				t.Fatalf("%s: [%d,%d] = %v (%#x), want %v (%#x)", note, i, n,
					g[n], math.Float32bits(g[n]), w[n], math.Float32bits(w[n]))
			}
		}
	}
}

// depths are the lengths of sums: every residue of the lanes, and around the blocks of k.
func depths() []int {
	ks := []int{80, 96, 127, 193, 511, 512, 513, 1023, 1040, 2048, 8192 + 24}
	step := 1
	if testing.Short() {
		step = 5
	}
	for k := 0; k <= 70; k += step {
		ks = append(ks, k)
	}
	return ks
}

func TestMatMulNearFloat64(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e, parts := engine(t, level, 2), partsEngine(t, level, 2)
		r := rand.New(rand.NewPCG(1, 2))
		for _, d := range weightTypes {
			for _, k := range depths() {
				for _, rows := range []int{1, 2, 3, 5, 8, 14} {
					n := 1 + r.IntN(19)
					p := Product{Dst: randomMat(r, rows, n, n+3), X: randomMat(r, rows, k, k+5), W: randomMatrix(r, d, n, k)}
					if k%2 == 0 {
						p.Bias = random(r, n)
					}
					e.MatMul(p)
					requireNear(t, p, fmt.Sprintf("%v T=%d N=%d K=%d", d, rows, n, k))
					if d == tensor.BF16 {
						parts.MatMul(p)
						requireNear(t, p, fmt.Sprintf("parts T=%d N=%d K=%d", rows, n, k))
					}
				}
			}
		}
	})
}

// TestMatMulBits holds the promise of the package: one row alone, in any company, cut anywhere, by any number of
// threads: the same bits.
func TestMatMulBits(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(3, 4))
		one := engine(t, level, 1)
		engines := []*Engine{engine(t, level, 2), engine(t, level, 3)}
		for _, d := range weightTypes {
			for _, k := range []int{7, 40, 64, 96, 520, 2048, 2056} {
				if testing.Short() && k > 520 {
					break
				}
				const most, n = 211, 53
				x, w, bias := randomMat(r, most, k, k+1), randomMatrix(r, d, n, k), random(r, n)
				want := tensor.NewMat(most, n)
				for i := range most {
					one.MatMul(Product{Dst: want.Slice(i, i+1), X: x.Slice(i, i+1), W: w, Bias: bias})
				}
				for _, rows := range []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 29, 97, most} {
					e := engines[rows%2]
					at := r.IntN(most - rows + 1)
					got := tensor.Mat{Rows: rows, Cols: n, Stride: n + 2, Data: make([]float32, rows*(n+2))}
					note := fmt.Sprintf("%v K=%d rows %d at %d", d, k, rows, at)
					p := Product{Dst: got, X: x.Slice(at, at+rows), W: w, Bias: bias}
					e.MatMul(p)
					requireSameBits(t, got, want.Slice(at, at+rows), note)
					clear(got.Data)
					for n0 := 0; n0 < n; {
						n1 := min(n, n0+1+r.IntN(40))
						e.Block(0, p, n0, n1)
						n0 = n1
					}
					requireSameBits(t, got, want.Slice(at, at+rows), note+" by blocks")
					for i := range rows {
						require.Equal(t, []float32{0, 0}, got.Data[i*(n+2)+n:(i+1)*(n+2)], "%s: written past the row", note)
					}
				}
			}
		}
	})
}

func TestMatMulSeveralProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(5, 6))
		e := engine(t, level, 3)
		x := randomMat(r, 9, 130, 130)
		var ps []Product
		for i, n := range []int{64, 0, 5, 33} {
			d := weightTypes[i%3]
			ps = append(ps, Product{Dst: tensor.NewMat(9, n), X: x, W: randomMatrix(r, d, n, 130)})
		}
		ps = append(ps, Product{Dst: tensor.NewMat(0, 4), X: tensor.NewMat(0, 8), W: randomMatrix(r, tensor.F32, 4, 8)})
		e.MatMul(ps...)
		for i, p := range ps {
			requireNear(t, p, fmt.Sprint("product ", i))
			alone := tensor.NewMat(p.X.Rows, p.W.Rows)
			e.MatMul(Product{Dst: alone, X: p.X, W: p.W})
			requireSameBits(t, p.Dst, alone, "alone")
		}
		e.MatMul()
	})
}

func TestMatMulPropagatesNaN(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(7, 8))
		e := engine(t, level, 1)
		inf := float32(math.Inf(1))
		for _, k := range []int{5, 64, 77} {
			for _, rows := range []int{1, 4, 13} {
				x, w := randomMat(r, rows, k, k), randomMatrix(r, tensor.F32, 9, k)
				x.Row(rows - 1)[k-1] = float32(math.NaN())
				x.Row(0)[0] = inf
				dst := tensor.NewMat(rows, 9)
				e.MatMul(Product{Dst: dst, X: x, W: w})
				for n := range 9 {
					require.True(t, math.IsNaN(float64(dst.Row(rows - 1)[n])))
					if rows > 1 {
						require.True(t, math.IsInf(float64(dst.Row(0)[n]), 0))
					}
					for i := 1; i < rows-1; i++ {
						require.False(t, math.IsNaN(float64(dst.Row(i)[n])), "rows do not touch each other")
					}
				}
			}
		}
	})
}

func TestGatedBlock(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(9, 10))
		e := engine(t, level, 1)
		for _, rows := range []int{1, 3, 17, 100} {
			const n, k = 83, 120
			x, gate, up := randomMat(r, rows, k, k), randomMatrix(r, tensor.BF16, n, k), randomMatrix(r, tensor.BF16, n, k)
			gb, ub := random(r, n), random(r, n)
			g, u := tensor.NewMat(rows, n), tensor.NewMat(rows, n)
			e.MatMul(Product{Dst: g, X: x, W: gate, Bias: gb}, Product{Dst: u, X: x, W: up, Bias: ub})
			for act := range numActivations {
				want, got := tensor.NewMat(rows, n), tensor.NewMat(rows, n)
				for i := range rows {
					e.Ops().ActMul(want.Row(i), g.Row(i), u.Row(i), act)
				}
				for n0 := 0; n0 < n; {
					n1 := min(n, n0+1+r.IntN(n))
					e.GatedBlock(0, got, x, gate, up, gb, ub, act, n0, n1)
					n0 = n1
				}
				requireSameBits(t, got, want, act.String())
			}
		}
	})
}

func TestMatMulAllocatesNothing(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(11, 12))
		e := engine(t, level, 2)
		x, w, v := randomMat(r, 4, 64, 64), randomMatrix(r, tensor.BF16, 48, 64), randomMatrix(r, tensor.BF16, 16, 64)
		a, b := tensor.NewMat(4, 48), tensor.NewMat(4, 16)
		require.Zero(t, testing.AllocsPerRun(50, func() {
			e.MatMul(Product{Dst: a, X: x, W: w}, Product{Dst: b, X: x, W: v})
			e.Block(0, Product{Dst: a, X: x, W: w}, 0, 48)
			e.GatedBlock(0, a, x, w, w, nil, nil, SiLU, 0, 48)
		}))
	})
}

func TestProductChecks(t *testing.T) {
	e := engine(t, "generic", 1)
	r := rand.New(rand.NewPCG(13, 14))
	w := randomMatrix(r, tensor.F32, 4, 8)
	for name, p := range map[string]Product{
		"shape":  {Dst: tensor.NewMat(2, 4), X: tensor.NewMat(2, 7), W: w},
		"rows":   {Dst: tensor.NewMat(3, 4), X: tensor.NewMat(2, 8), W: w},
		"bias":   {Dst: tensor.NewMat(2, 4), X: tensor.NewMat(2, 8), W: w, Bias: make([]float32, 3)},
		"data":   {Dst: tensor.NewMat(2, 4), X: tensor.NewMat(2, 8), W: Matrix{DType: tensor.F32, Rows: 4, Cols: 8}},
		"dtype":  {Dst: tensor.NewMat(2, 4), X: tensor.NewMat(2, 8), W: Matrix{DType: tensor.I8, Rows: 4, Cols: 8, Data: make([]byte, 32)}},
		"stride": {Dst: tensor.NewMat(2, 4), X: tensor.Mat{Rows: 2, Cols: 8, Stride: 8, Data: make([]float32, 9)}, W: w},
	} {
		require.Panics(t, func() { e.MatMul(p) }, name)
	}
	require.Panics(t, func() { e.Block(0, Product{Dst: tensor.NewMat(1, 4), X: tensor.NewMat(1, 8), W: w}, 2, 5) })
}

func TestMatrixOf(t *testing.T) {
	m, err := MatrixOf(tensor.FromF32([]float32{1, 2, 3, 4, 5, 6}, 3, 2))
	require.NoError(t, err)
	require.Equal(t, 3, m.Rows)
	dst := make([]float32, 2)
	m.RowRange(1, 3).Row(dst, 1)
	require.Equal(t, []float32{5, 6}, dst)
	_, err = MatrixOf(tensor.New(tensor.I8, 2, 2))
	require.ErrorContains(t, err, "I8")
	_, err = MatrixOf(tensor.New(tensor.F32, 2, 2, 2))
	require.ErrorContains(t, err, "[2 2 2]")
	odd := tensor.New(tensor.F32, 3, 2)
	_, err = MatrixOf(&tensor.Tensor{DType: tensor.F32, Shape: tensor.Shape{1, 2}, Data: odd.Data[1:9]})
	require.ErrorContains(t, err, "aligned")
}
