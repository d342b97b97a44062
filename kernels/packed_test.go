package kernels

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

var packedTypes = []tensor.DType{tensor.Q8P, tensor.Q4P}

func packed(t testing.TB, e *Engine, d tensor.DType, src Matrix) Matrix {
	t.Helper()
	m, err := NewPacked(d, src.Rows, src.Cols)
	require.NoError(t, err)
	require.NoError(t, e.Pack(m, src))
	return m
}

// dequantised is what a product reads X as, computed from the formula alone.
func dequantised(x []float32) (out []float64, scales []float64) {
	for b := 0; b < len(x); b += 32 {
		block := x[b:min(b+32, len(x))]
		var top float32
		for _, v := range block {
			top = max(top, float32(math.Abs(float64(v))))
		}
		scale := top / 127
		for _, v := range block {
			q := 0.0
			if top > 0 {
				q = math.RoundToEven(float64(v * (127 / top)))
			}
			out, scales = append(out, q*float64(scale)), append(scales, float64(scale))
		}
	}
	return out, scales
}

// requirePackedNear checks a product with packed weights against float64 on dequantised weights and activations. A
// block makes at most four roundings of its share (scale·D, min·M, share, S·ws), and adding it one or two of the sum.
func requirePackedNear(t *testing.T, p Product, note string) {
	t.Helper()
	w := make([]float32, p.W.Cols)
	for n := range p.W.Rows {
		p.W.Row(w, n)
		for i := range p.X.Rows {
			x, _ := dequantised(p.X.Row(i))
			var sum, mag float64
			for k := range x {
				sum += x[k] * float64(w[k])
				mag += math.Abs(x[k]) * (math.Abs(float64(w[k])) + 16*weightStep(p.W, n, k))
			}
			if p.Bias != nil {
				sum += float64(p.Bias[n])
			}
			blocks := float64(2*ceilDiv(p.W.Cols, 64) + 6)
			got, bound := float64(p.Dst.Row(i)[n]), (2*blocks*mag+math.Abs(sum))*0x1p-24
			if !(math.Abs(got-sum) <= bound) {
				t.Fatalf("%s: dst[%d,%d] = %v, want %v ± %v", note, i, n, got, sum, bound)
			}
		}
	}
}

// weightStep is the scale of the block of w[n,k] of Q4P: q·scale and min may cancel in the weight. 0 for Q8P.
func weightStep(m Matrix, n, k int) float64 {
	if m.DType != tensor.Q4P {
		return 0
	}
	p := m.panel(n / 16)
	return float64(p[128+k/64*576+k%64/32*16+n%16]) * float64(as[float32](p[:64])[n%16])
}

func packedDepths() []int {
	ks := []int{96, 127, 128, 131, 576, 2048 + 40}
	for k := 1; k <= 67; k++ {
		ks = append(ks, k)
	}
	if testing.Short() {
		return []int{1, 31, 32, 33, 64, 67, 131}
	}
	return ks
}

func TestPackedMatMulNearFloat64(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e := engine(t, level, 2)
		r := rand.New(rand.NewPCG(1, 2))
		for _, d := range packedTypes {
			for i, k := range packedDepths() {
				for _, rows := range []int{1, 2 + i%11, 13 + i%30} {
					n := 1 + r.IntN(70)
					src := randomMatrix(r, weightTypes[i%3], n, k)
					p := Product{Dst: randomMat(r, rows, n, n+3), X: randomMat(r, rows, k, k+5), W: packed(t, e, d, src)}
					if k%2 == 0 {
						p.Bias = random(r, n)
					}
					e.MatMul(p)
					requirePackedNear(t, p, fmt.Sprintf("%v T=%d N=%d K=%d", d, rows, n, k))
				}
			}
		}
	})
}

// TestPackedBits: one row alone, in any company, cut anywhere, by any number of threads and on any level: the same bits.
func TestPackedBits(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(3, 4))
		generic := engine(t, "generic", 1)
		engines := []*Engine{engine(t, level, 2), engine(t, level, 3)}
		for _, d := range packedTypes {
			for _, k := range []int{7, 64, 96, 200, 1100} {
				const most, n = 131, 85
				x, src, bias := randomMat(r, most, k, k+1), randomMatrix(r, tensor.BF16, n, k), random(r, n)
				w := packed(t, engines[0], d, src)
				require.Equal(t, packed(t, generic, d, src).Data, w.Data, "packed bytes of %v K=%d", d, k)
				want := tensor.NewMat(most, n)
				generic.MatMul(Product{Dst: want, X: x, W: w, Bias: bias})
				for _, rows := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 25, 29, 32, 33, 38, 44, 47, 64, 65, 70, 75, 79, 96, 97, most} {
					e := engines[rows%2]
					at := r.IntN(most - rows + 1)
					got := tensor.Mat{Rows: rows, Cols: n, Stride: n + 2, Data: make([]float32, rows*(n+2))}
					note := fmt.Sprintf("%v K=%d rows %d at %d", d, k, rows, at)
					p := Product{Dst: got, X: x.Slice(at, at+rows), W: w, Bias: bias}
					e.MatMul(p)
					requireSameBits(t, got, want.Slice(at, at+rows), note)
					clear(got.Data)
					var q QuantRows
					q.Resize(e, rows, k)
					e.QuantiseRows(q, p.X)
					p.XQ, p.X = q, tensor.Mat{}
					for n0 := 0; n0 < n; {
						n1 := min(n, n0+1+r.IntN(60))
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

func TestPackedGated(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(9, 10))
		e := engine(t, level, 1)
		for i, rows := range []int{1, 3, 12, 17, 100} {
			d := packedTypes[i%2]
			const n, k = 168, 120
			x := randomMat(r, rows, k, k)
			gate, up := packed(t, e, d, randomMatrix(r, tensor.BF16, n, k)), packed(t, e, d, randomMatrix(r, tensor.F32, n, k))
			gb, ub := random(r, n), random(r, n)
			g, u := tensor.NewMat(rows, n), tensor.NewMat(rows, n)
			e.MatMul(Product{Dst: g, X: x, W: gate, Bias: gb}, Product{Dst: u, X: x, W: up, Bias: ub})
			want, got := tensor.NewMat(rows, n), tensor.NewMat(rows, n)
			for i := range rows {
				e.Ops().ActMul(want.Row(i), g.Row(i), u.Row(i), SiLU)
			}
			for n0 := 0; n0 < n; {
				n1 := min(n, n0+1+r.IntN(n))
				e.GatedBlock(0, got, x, gate, up, gb, ub, SiLU, n0, n1)
				n0 = n1
			}
			requireSameBits(t, got, want, d.String())

			var q, fused QuantRows
			q.Resize(e, rows, n)
			fused.Resize(e, rows, n)
			e.QuantiseRows(q, want)
			for n0 := 0; n0 < n; {
				n1 := min(n, n0+32*(1+r.IntN(3)))
				e.Gated(0, &Gated{DstQ: fused, X: x, Gate: gate, Up: up, GateBias: gb, UpBias: ub}, n0, n1)
				n0 = n1
			}
			size := 2 * ceilDiv(n, 64) * e.level.packed.block
			for i := range rows {
				require.Equal(t, q.row(i)[:size], fused.row(i)[:size])
			}
		}
	})
}

// TestPackedPropagatesNaN: a NaN or an infinity in a row of X makes that row NaN, and no other.
func TestPackedPropagatesNaN(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(7, 8))
		e := engine(t, level, 1)
		bad := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.Float32frombits(0xffc00001)}
		for _, d := range packedTypes {
			for i, rows := range []int{1, 4, 12, 13, 40} {
				for _, k := range []int{5, 64, 77} {
					x, w := randomMat(r, rows, k, k), packed(t, e, d, randomMatrix(r, tensor.F32, 37, k))
					x.Row(rows - 1)[r.IntN(k)] = bad[i%4]
					dst := tensor.NewMat(rows, 37)
					e.MatMul(Product{Dst: dst, X: x, W: w})
					for i := range rows {
						for _, v := range dst.Row(i) {
							require.Equal(t, i == rows-1, v != v)
						}
					}
				}
			}
		}
	})
}

func TestQuantRows(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(17, 18))
		e := engine(t, level, 1)
		one := tensor.NewMat(1, 16)
		for k := 1; k < 200; k++ {
			// With weights 1 where the block is, else 0, a product is Σ q·scale of a block.
			x := randomMat(r, 1, k, k)
			switch k % 5 {
			case 1:
				ops := e.Ops()
				ops.Scale(x.Data, float32(math.Exp2(float64(r.IntN(240)-120))))
			case 2:
				clear(x.Data[:min(32, k)])
			case 3: // ties
				for i := range x.Data {
					x.Data[i] = float32(r.IntN(509)-254) / 2
				}
				x.Data[0] = 127
			}
			deq, _ := dequantised(x.Row(0))
			for b := 0; b < k; b += 32 {
				src := tensor.NewMat(16, k)
				var want float64
				for i := b; i < min(b+32, k); i++ {
					src.Row(3)[i] = 127
					want += 127 * deq[i]
				}
				if top := e.Ops().Max(absOf(x.Row(0)[b:min(b+32, k)])); top < quantTiny {
					want = 0
				}
				e.MatMul(Product{Dst: one, X: x, W: packed(t, e, tensor.Q8P, matrixOf(src))})
				require.InDelta(t, want, float64(one.Row(0)[3]), math.Abs(want)*0x1p-22)
				require.Zero(t, one.Row(0)[2])
			}
		}
	})
}

func absOf(x []float32) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(math.Abs(float64(v)))
	}
	return out
}

func matrixOf(m tensor.Mat) Matrix {
	w, _ := MatrixOf(tensor.FromF32(m.Data, m.Rows, m.Cols))
	return w
}

// TestPackQ8 holds the formula: scale = f16(max|w|/127), q = w/scale to even, and what pads are.
func TestPackQ8(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(19, 20))
		e := engine(t, level, 2)
		for _, k := range []int{1, 32, 33, 100, 320} {
			src := randomMat(r, 37, k, k)
			for i := range src.Rows {
				e.Ops().Scale(src.Row(i), float32(math.Exp2(float64(r.IntN(40)-30))))
			}
			m, row := packed(t, e, tensor.Q8P, matrixOf(src)), make([]float32, k)
			for i := range src.Rows {
				m.Row(row, i)
				for b := 0; b < k; b += 32 {
					w := src.Row(i)[b:min(b+32, k)]
					scale := tensor.F16ToF32(tensor.F32ToF16(e.Ops().Max(absOf(w)) / 127))
					for j, v := range w {
						q := 0.0
						if scale > 0 {
							q = min(max(math.RoundToEven(float64(v/scale)), -127), 127)
						}
						require.Equal(t, float32(q)*scale, row[b+j], "row %d k %d of %d", i, b+j, k)
					}
				}
			}
		}
	})
}

// TestPackQ4 holds what 4 bits can be asked for: no weight is further off than a step and a bit, and the error of
// normal weights is that of a good affine quantiser.
func TestPackQ4(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(21, 22))
		e := engine(t, level, 2)
		src := tensor.NewMat(40, 512)
		for i := range src.Data {
			src.Data[i] = float32(r.NormFloat64())
		}
		clear(src.Row(7)[:64])
		for i := range 32 {
			src.Row(8)[i] = 3 // a constant block
		}
		m, row := packed(t, e, tensor.Q4P, matrixOf(src)), make([]float32, 512)
		var errors, power float64
		for i := range src.Rows {
			m.Row(row, i)
			for k, v := range src.Row(i) {
				d := float64(v - row[k])
				step := weightStep(m, i, k)
				// The shrunken ranges leave out up to 13 % of the range, 2 steps, at either end.
				require.LessOrEqual(t, math.Abs(d), 3*step+0.03, "row %d k %d", i, k)
				errors, power = errors+d*d, power+float64(v)*float64(v)
			}
		}
		require.Less(t, errors/power, 0.0062) // min and max without fitting: 0.0073
	})
}

func TestPackRefusesWhatIsNotFinite(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(23, 24))
		e := engine(t, level, 2)
		for i, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			for _, d := range packedTypes {
				src := randomMat(r, 50, 70, 70)
				src.Row(13 * (i + 1))[r.IntN(70)] = bad
				src.Row(49)[3] = bad
				m, err := NewPacked(d, 50, 70)
				require.NoError(t, err)
				err = e.Pack(m, matrixOf(src))
				require.ErrorIs(t, err, ErrNotFinite)
				require.ErrorContains(t, err, fmt.Sprintf("row %d ", 13*(i+1)))
				require.NoError(t, e.PackPanels(m, matrixOf(src), 0, (13*(i+1))/16))
			}
		}
	})
}

func TestPackedMatrixChecks(t *testing.T) {
	n, err := PackedBytes(tensor.Q8P, 17, 65)
	require.NoError(t, err)
	require.Equal(t, 2*2*1088, n)
	n, err = PackedBytes(tensor.Q4P, 32, 64)
	require.NoError(t, err)
	require.Equal(t, 2*(128+576), n)
	for _, bad := range [][2]int{{-1, 4}, {4, -1}, {math.MaxInt, 4}, {4, math.MaxInt}} {
		_, err = PackedBytes(tensor.Q4P, bad[0], bad[1])
		require.Error(t, err)
	}
	_, err = PackedBytes(tensor.BF16, 1, 1)
	require.ErrorContains(t, err, "BF16")
	m, err := NewPacked(tensor.Q4P, 40, 64)
	require.NoError(t, err)
	_, err = PackedMatrix(tensor.Q4P, 40, 64, m.Data[:len(m.Data)-1])
	require.ErrorContains(t, err, "want 2112")
	_, err = PackedMatrix(tensor.Q4P, 16, 64, m.Data[32:32+704])
	require.ErrorContains(t, err, "aligned")
	require.Equal(t, 8, m.RowRange(32, 40).Rows)
	require.Len(t, m.RowRange(16, 40).Data, 2*704)
	require.Empty(t, m.RowRange(16, 16).Data)
	require.Panics(t, func() { m.RowRange(8, 16) })
	require.Panics(t, func() { m.RowRange(0, 24) })
	_, err = MatrixOf(&tensor.Tensor{DType: tensor.Q8P, Shape: tensor.Shape{1, 1}})
	require.Error(t, err)
	e := engine(t, "generic", 1)
	require.Panics(t, func() { e.MatMul(Product{Dst: tensor.NewMat(1, 40), X: tensor.NewMat(1, 32), W: m}) })
	m.Data = m.Data[:704]
	require.Panics(t, func() { e.MatMul(Product{Dst: tensor.NewMat(1, 40), X: tensor.NewMat(1, 64), W: m}) })
}

func TestPackedAllocatesNothing(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		r := rand.New(rand.NewPCG(11, 12))
		e := engine(t, level, 2)
		for _, rows := range []int{1, 40} {
			x := randomMat(r, rows, 40, 40)
			w, v := packed(t, e, tensor.Q8P, randomMatrix(r, tensor.BF16, 48, 40)), packed(t, e, tensor.Q4P, randomMatrix(r, tensor.BF16, 16, 40))
			a, b := tensor.NewMat(rows, 48), tensor.NewMat(rows, 16)
			require.Zero(t, testing.AllocsPerRun(50, func() {
				e.MatMul(Product{Dst: a, X: x, W: w}, Product{Dst: b, X: x, W: v})
				e.Block(0, Product{Dst: a, X: x, W: w}, 0, 48)
				e.GatedBlock(0, a, x, w, w, nil, nil, SiLU, 0, 48)
			}))
		}
	})
}

func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	number := func() float32 { return math.Float32frombits(r.Uint32()&0x807fffff | uint32(r.IntN(254))<<23) }
	for range 200000 {
		a, b := number(), number()
		c := -float32(float64(a)*float64(b)) * (1 + float32(r.IntN(5)-2)*0x1p-23)
		if r.IntN(2) == 0 {
			c = number()
		}
		if x := float64(a) * float64(b); math.Abs(x) > 0x1p126 || (x != 0 && math.Abs(x) < 0x1p-100) {
			continue
		}
		exact := new(big.Float).SetPrec(1000)
		exact.Mul(big.NewFloat(float64(a)).SetPrec(1000), big.NewFloat(float64(b)))
		exact.Add(exact, big.NewFloat(float64(c)))
		want, _ := exact.Float32()
		require.Equal(t, want, fma(a, b, c), "%v·%v+%v", a, b, c)
	}
	require.True(t, math.IsNaN(float64(fma(float32(math.Inf(1)), 0, 1))))
	require.True(t, math.IsInf(float64(fma(float32(math.Inf(1)), 2, 1)), 1))
}
