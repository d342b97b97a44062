package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// lengths are 0..4 blocks of 16 lanes + 3 and the odd ones.
func lengths() []int {
	if testing.Short() {
		return []int{0, 1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 23, 31, 32, 33, 47, 63, 64, 67, 129, 255}
	}
	ns := []int{96, 127, 129, 193, 255, 256, 1023, 2048}
	for n := range 4*16 + 4 {
		ns = append(ns, n)
	}
	return ns
}

const guard = 0x7fc12345 // a NaN that no kernel makes

// guarded makes n random values at an offset, between sentinels that check looks at.
type guarded struct {
	all, x []float32
	start  int
}

func guardedOf(r *rand.Rand, n, offset int) guarded {
	g := guarded{all: make([]float32, n+40), start: 16 + offset}
	for i := range g.all {
		g.all[i] = math.Float32frombits(guard)
	}
	g.x = g.all[g.start : g.start+n : g.start+n]
	copy(g.x, random(r, n))
	return g
}

func (g guarded) check(t *testing.T, note string) {
	t.Helper()
	for i, v := range g.all {
		if outside := i < g.start || i >= g.start+len(g.x); outside && math.Float32bits(v) != guard {
			t.Fatalf("%s: written at %d of a slice of %d", note, i-g.start, len(g.x))
		}
	}
}

// vectorCase is an operation on slices of equal length against float64.
type vectorCase struct {
	name string
	args int // slices; the first is the result
	run  func(o *Ops, s [][]float32)
	want func(s [][]float64) []float64 // from the values before
	tol  float64                       // relative to 1 + the magnitude of the result
}

func vectorCases() []vectorCase {
	cases := []vectorCase{
		{"Scale", 1, func(o *Ops, s [][]float32) { o.Scale(s[0], 1.7) }, each1(func(a float64) float64 { return a * float64(float32(1.7)) }), 1e-7},
		{"Add", 2, func(o *Ops, s [][]float32) { o.Add(s[0], s[1]) }, each2(func(a, b float64) float64 { return a + b }), 1e-7},
		{"Axpy", 2, func(o *Ops, s [][]float32) { o.Axpy(s[0], 0.3, s[1]) }, each2(func(a, b float64) float64 { return a + float64(float32(0.3))*b }), 1e-7},
		{"RMSNorm", 3, func(o *Ops, s [][]float32) { o.RMSNorm(s[0], s[1], s[2], 1e-5) }, wantRMSNorm, 1e-6},
		{"LayerNorm", 4, func(o *Ops, s [][]float32) { o.LayerNorm(s[0], s[1], s[2], s[3], 1e-5) }, wantLayerNorm, 2e-6},
		{"LayerNorm without bias", 3, func(o *Ops, s [][]float32) { o.LayerNorm(s[0], s[1], s[2], nil, 1e-5) }, wantLayerNorm, 2e-6},
		{"Softmax", 1, func(o *Ops, s [][]float32) { o.Softmax(s[0]) }, wantSoftmax, 1e-6},
		{"ExpSum", 1, func(o *Ops, s [][]float32) { o.ExpSum(s[0], 0.25) }, each1(func(a float64) float64 { return math.Exp(a - 0.25) }), 3e-7},
	}
	for act := range numActivations {
		f := acts64[act]
		cases = append(cases,
			vectorCase{"Act " + act.String(), 2, func(o *Ops, s [][]float32) { o.Act(s[0], s[1], act) },
				each2(func(_, b float64) float64 { return f(b) }), 5e-7},
			vectorCase{"ActMul " + act.String(), 3, func(o *Ops, s [][]float32) { o.ActMul(s[0], s[1], s[2], act) },
				func(s [][]float64) []float64 {
					out := make([]float64, len(s[0]))
					for i := range out {
						out[i] = f(s[1][i]) * s[2][i]
					}
					return out
				}, 5e-7})
	}
	return cases
}

var acts64 = [numActivations]func(float64) float64{
	SiLU: func(x float64) float64 { return x / (1 + math.Exp(-x)) },
	GELUTanh: func(x float64) float64 {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	},
	ReLU:  func(x float64) float64 { return math.Max(x, 0) },
	ReLU2: func(x float64) float64 { return math.Pow(math.Max(x, 0), 2) },
	GELU:  func(x float64) float64 { return 0.5 * x * (1 + math.Erf(x/math.Sqrt2)) },
}

func each1(f func(a float64) float64) func(s [][]float64) []float64 {
	return each2(func(a, _ float64) float64 { return f(a) })
}

func each2(f func(a, b float64) float64) func(s [][]float64) []float64 {
	return func(s [][]float64) []float64 {
		out := make([]float64, len(s[0]))
		for i := range out {
			out[i] = f(s[0][i], s[len(s)-1][i])
		}
		return out
	}
}

func wantRMSNorm(s [][]float64) []float64 {
	sum := 0.0
	for _, v := range s[1] {
		sum += v * v
	}
	out := make([]float64, len(s[0]))
	for i := range out {
		out[i] = s[1][i] / math.Sqrt(sum/float64(len(out))+1e-5) * s[2][i]
	}
	return out
}

func wantLayerNorm(s [][]float64) []float64 {
	n, mean, sq := float64(len(s[0])), 0.0, 0.0
	for _, v := range s[1] {
		mean += v / n
	}
	for _, v := range s[1] {
		sq += (v - mean) * (v - mean)
	}
	out := make([]float64, len(s[0]))
	for i := range out {
		out[i] = (s[1][i] - mean) / math.Sqrt(sq/n+1e-5) * s[2][i]
		if len(s) == 4 {
			out[i] += s[3][i]
		}
	}
	return out
}

func wantSoftmax(s [][]float64) []float64 {
	sum, out := 0.0, make([]float64, len(s[0]))
	for i, v := range s[0] {
		out[i] = math.Exp(v)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func widened(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// TestVectorOps runs every slice operation on all lengths and offsets between sentinels.
func TestVectorOps(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(1, 2))
		for _, c := range vectorCases() {
			for _, n := range lengths() {
				note := fmt.Sprintf("%s of %d", c.name, n)
				var gs []guarded
				var before [][]float64
				var s [][]float32
				for range c.args {
					g := guardedOf(r, n, r.IntN(16))
					o.Scale(g.x, 3)
					gs, s, before = append(gs, g), append(s, g.x), append(before, widened(g.x))
				}
				c.run(o, s)
				for i, w := range c.want(before) {
					if g := float64(s[0][i]); !(math.Abs(g-w) <= c.tol*(1+math.Abs(w))) {
						t.Fatalf("%s: [%d] = %v, want %v", note, i, g, w)
					}
				}
				for i, g := range gs {
					g.check(t, note)
					if i > 0 {
						require.Equal(t, before[i], widened(g.x), "%s: argument %d changed", note, i)
					}
				}
			}
		}
	})
}

// TestVectorOpsAlias holds the documented aliasing: the result may be any of the slices.
func TestVectorOpsAlias(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(3, 4))
		for _, c := range vectorCases() {
			for alias := 1; alias < c.args; alias++ {
				if c.name == "LayerNorm" && alias == 3 || c.name == "Axpy" || c.name == "Add" {
					continue
				}
				apart := make([][]float32, c.args)
				for i := range apart {
					apart[i] = random(r, 77)
				}
				same := append([][]float32(nil), apart...)
				same[alias] = append([]float32(nil), apart[alias]...)
				same[0] = same[alias]
				c.run(o, apart)
				c.run(o, same)
				require.Equal(t, apart[0], same[0], "%s: dst is argument %d", c.name, alias)
			}
		}
	})
}

// TestTailsAreLikeBodies: an element's bits do not depend on where in a slice it lies.
func TestTailsAreLikeBodies(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(5, 6))
		g, u := random(r, 64), random(r, 64)
		for act := range numActivations {
			whole := make([]float32, 64)
			o.ActMul(whole, g, u, act)
			for cut := range 64 {
				parts := make([]float32, 64)
				o.ActMul(parts[:cut], g[:cut], u[:cut], act)
				o.ActMul(parts[cut:], g[cut:], u[cut:], act)
				require.Equal(t, whole, parts, "%v cut at %d", act, cut)
			}
		}
	})
}

func TestReductions(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(7, 8))
		for _, n := range lengths() {
			a, b := guardedOf(r, n, r.IntN(16)), guardedOf(r, n, r.IntN(16))
			var dot, mag, sum float64
			top := math.Inf(-1)
			for i, v := range a.x {
				dot += float64(v) * float64(b.x[i])
				mag += math.Abs(float64(v) * float64(b.x[i]))
				sum += math.Exp(float64(v) - 0.5)
				top = math.Max(top, float64(v))
			}
			require.InDelta(t, dot, o.Dot(a.x, b.x), float64(n+8)*0x1p-23*mag+1e-30, "Dot of %d", n)
			require.EqualValues(t, top, o.Max(a.x), "Max of %d", n)
			require.InEpsilon(t, 1+sum, 1+o.ExpSum(a.x, 0.5), 1e-6, "ExpSum of %d", n)
			a.check(t, "reductions")
			b.check(t, "reductions")
		}
	})
}

func TestExpAccuracy(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		var worst uint32
		x, step := make([]float32, 4096), float32(1)
		if testing.Short() {
			step = 8
		}
		for at := float32(-104); at < 89; at += 0.5 * step {
			for i := range x {
				x[i] = at + 0.5*float32(i)/float32(len(x))
			}
			y := append([]float32(nil), x...)
			o.ExpSum(y, 0)
			for i := range x {
				worst = max(worst, tensor.ULP(y[i], float32(math.Exp(float64(x[i])))))
			}
		}
		t.Logf("largest error %d ulp", worst)
		require.LessOrEqual(t, worst, uint32(2))
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		for x, want := range map[float32]float32{inf: inf, -inf: 0, 0: 1, 200: inf, -200: 0, 89: inf} {
			y := []float32{x}
			o.ExpSum(y, 0)
			require.Equal(t, want, y[0], "e^%v", x)
		}
		y := []float32{nan, 1}
		o.ExpSum(y, 0)
		require.True(t, y[0] != y[0])
		require.InDelta(t, math.E, y[1], 1e-6)
	})
}

func TestSpecialValues(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		for _, n := range []int{1, 7, 8, 17, 40} {
			for at := range n {
				x := make([]float32, n)
				x[at] = nan
				require.EqualValues(t, map[bool]float32{true: -inf, false: 0}[n == 1], o.Max(x), "Max skips NaN")
				o.Softmax(x)
				for _, v := range x {
					require.True(t, v != v, "a NaN spoils the row")
				}
				clear(x)
				x[at] = inf
				require.Equal(t, inf, o.Max(x))
				clear(x)
				x[at] = 300
				o.Softmax(x)
				require.EqualValues(t, 1, x[at])
				for _, act := range []Activation{SiLU, GELUTanh, ReLU, ReLU2, GELU} {
					clear(x)
					x[at] = nan
					o.Act(x, x, act)
					require.True(t, x[at] != x[at], "%v of NaN", act)
					x[at] = 1e4
					o.Act(x, x, act)
					require.InEpsilon(t, map[bool]float32{true: 1e8, false: 1e4}[act == ReLU2], x[at], 1e-6)
					x[at] = -1e4
					o.Act(x, x, act)
					require.EqualValues(t, 0, x[at], "%v of -1e4", act)
				}
			}
		}
		require.Equal(t, -inf, o.Max(nil))
		o.Softmax(nil)
	})
}

func TestRope(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(9, 10))
		for _, h := range lengths() {
			cos, sin := random(r, h), random(r, h)
			g := guardedOf(r, 2*h+3, r.IntN(16))
			x := append([]float32(nil), g.x...)
			o.Rope(g.x, cos, sin)
			for i := range h {
				a, b, c, s := float64(x[i]), float64(x[i+h]), float64(cos[i]), float64(sin[i])
				require.InDelta(t, a*c-b*s, g.x[i], 3e-7)
				require.InDelta(t, b*c+a*s, g.x[i+h], 3e-7)
			}
			require.Equal(t, x[2*h:], g.x[2*h:])
			g.check(t, "Rope")
			y := append([]float32(nil), x...)
			o.RopeInterleaved(y, cos, sin)
			for i := range h {
				a, b, c, s := float64(x[2*i]), float64(x[2*i+1]), float64(cos[i]), float64(sin[i])
				require.InDelta(t, a*c-b*s, y[2*i], 3e-7)
				require.InDelta(t, b*c+a*s, y[2*i+1], 3e-7)
			}
		}
	})
}

func TestAttention(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(11, 12))
		for _, d := range lengths()[1:] {
			for _, n := range []int{0, 1, 2, 3, 4, 5, 8, 11} {
				stride := d + r.IntN(9)
				q, k, dst := guardedOf(r, d, r.IntN(16)), guardedOf(r, n*stride+d, r.IntN(16)), guardedOf(r, n, r.IntN(16))
				o.AttnScores(dst.x, q.x, k.x, stride, 0.5)
				acc := guardedOf(r, d, r.IntN(16))
				before := append([]float32(nil), acc.x...)
				o.AttnMix(acc.x, dst.x, k.x, stride)
				for j := range n {
					one := make([]float32, 1)
					o.AttnScores(one, q.x, k.x[j*stride:], stride, 0.5)
					require.Equal(t, one[0], dst.x[j], "key %d of %d alone", j, n)
					var dot float64
					for i, v := range q.x {
						dot += float64(v) * float64(k.x[j*stride+i])
					}
					require.InDelta(t, 0.5*dot, dst.x[j], 1e-6*float64(d+1))
				}
				parts := append([]float32{}, before...)
				o.AttnMix(parts, dst.x[:n/2], k.x, stride)
				o.AttnMix(parts, dst.x[n/2:], k.x[n/2*stride:], stride)
				require.Equal(t, acc.x, parts, "cut in two")
				for i := range acc.x {
					sum := float64(before[i])
					for j := range n {
						sum += float64(dst.x[j]) * float64(k.x[j*stride+i])
					}
					require.InDelta(t, sum, acc.x[i], 1e-5*float64(n+1)*float64(d+1))
				}
				for _, g := range []guarded{q, k, dst, acc} {
					g.check(t, fmt.Sprintf("attention d=%d n=%d", d, n))
				}
			}
		}
	})
}

func TestConversions(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		r := rand.New(rand.NewPCG(13, 14))
		all := make([]uint16, 1<<16)
		for i := range all {
			all[i] = uint16(i)
		}
		h, b := make([]float32, len(all)), make([]float32, len(all))
		o.WidenF16(h, all)
		o.WidenBF16(b, all)
		for i, u := range all {
			requireBits(t, tensor.F16ToF32(u), h[i], "half %#x", u)
			requireBits(t, tensor.BF16ToF32(u), b[i], "bfloat %#x", u)
		}
		for range 50 {
			x := make([]float32, r.IntN(100))
			for i := range x {
				x[i] = math.Float32frombits(r.Uint32())
				if r.IntN(2) == 0 { // near the range of halves, and their ties
					x[i] = math.Float32frombits(r.Uint32()&0x8fffffff | 0x38000000&^0xfff)
				}
			}
			x = append(x, 65504, 65519, 65520, 1e-8, 6e-8, 0, float32(math.Copysign(0, -1)), float32(math.Inf(-1)))
			f, g := make([]uint16, len(x)), make([]uint16, len(x))
			c := make([]uint16, len(x))
			o.ClampF16(c, x)
			o.NarrowF16(f, x)
			o.NarrowBF16(g, x)
			for i, v := range x {
				require.Equal(t, tensor.F32ToF16(v), f[i], "half of %v %#x", v, math.Float32bits(v))
				requireBits(t, tensor.F16ToF32(tensor.F32ToF16(min(max(v, -65504), 65504))), tensor.F16ToF32(c[i]), "finite half of %v", v)
				require.Equal(t, tensor.F32ToBF16(v), g[i], "bfloat of %v", v)
			}
		}
	})
}

// requireBits compares bits, and takes any two NaN as equal.
func requireBits(t *testing.T, want, got float32, format string, args ...any) {
	t.Helper()
	if math.Float32bits(want) != math.Float32bits(got) && !(want != want && got != got) {
		t.Fatalf(format+": got %v, want %v", append(args, got, want)...)
	}
}

func TestOpsPanicOnLengths(t *testing.T) {
	o := engine(t, "generic", 1).Ops()
	a, b := make([]float32, 4), make([]float32, 5)
	for name, f := range map[string]func(){
		"Dot": func() { o.Dot(a, b) }, "Add": func() { o.Add(a, b) }, "Axpy": func() { o.Axpy(a, 1, b) },
		"RMSNorm": func() { o.RMSNorm(a, a, b, 0) }, "LayerNorm": func() { o.LayerNorm(a, a, a, b, 0) },
		"Act": func() { o.Act(a, b, SiLU) }, "ActMul": func() { o.ActMul(a, a, b, SiLU) },
		"Rope": func() { o.Rope(b, a, a) }, "RopeInterleaved": func() { o.RopeInterleaved(b, a, a) },
		"AttnScores": func() { o.AttnScores(a, a, b, 4, 1) }, "AttnMix": func() { o.AttnMix(a, a, b, 4) },
		"WidenF16": func() { o.WidenF16(a, make([]uint16, 3)) }, "NarrowBF16": func() { o.NarrowBF16(make([]uint16, 3), a) },
		"ClampF16": func() { o.ClampF16(make([]uint16, 3), a) },
	} {
		require.Panics(t, f, name)
	}
}

// ArgMax is the first of the largest, wherever it stands.
func TestArgMax(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		o := engine(t, level, 1).Ops()
		rng := rand.New(rand.NewPCG(8, 9))
		require.Zero(t, o.ArgMax(nil))
		for n := 1; n < 3000; n += 1 + n/7 {
			x := make([]float32, n)
			for i := range x {
				x[i] = float32(rng.IntN(50)) - 60
			}
			for _, at := range []int{rng.IntN(n), rng.IntN(n), 0, n - 1} {
				x[at] = float32(rng.IntN(4))
				want := 0
				for i, v := range x {
					if v > x[want] {
						want = i
					}
				}
				require.Equal(t, want, o.ArgMax(x), "n %d", n)
			}
		}
		inf := float32(math.Inf(-1))
		require.Zero(t, o.ArgMax([]float32{inf, inf}))
		require.Equal(t, 1, o.ArgMax([]float32{float32(math.NaN()), -3, inf}))
	})
}
