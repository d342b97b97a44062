package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// partsLevel is the level whose products with bf16 weights go through tiles; the test is skipped where there is none.
func partsLevel(t *testing.T) string {
	t.Helper()
	names := Levels()
	best := names[len(names)-1]
	if engine(t, best, 1).level.mat.parts.turn == nil {
		t.Skip("no tiles on this machine")
	}
	return best
}

// partsEngine has the option Parts.
func partsEngine(t *testing.T, level string, threads int) *Engine {
	t.Helper()
	e, err := New(Options{Level: level, Threads: threads, Parts: true})
	require.NoError(t, err)
	t.Cleanup(e.Close)
	return e
}

// Tiles give the bits of the specification, with one part and with three, of numbers of all kinds.
func TestPartsBits(t *testing.T) {
	level := partsLevel(t)
	r := rand.New(rand.NewPCG(41, 42))
	for parts, e := range map[int]*Engine{1: engineBF16(t, level, 2), exactParts: partsEngine(t, level, 2)} {
		for _, k := range []int{1, 2, 31, 32, 33, 64, 95, 300, 320, 512} {
			for _, rows := range []int{1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 97} {
				n := 1 + r.IntN(70)
				p := Product{Dst: randomMat(r, rows, n, n+3), X: randomMat(r, rows, k, k+5), W: randomMatrix(r, tensor.BF16, n, k)}
				if k%2 == 0 {
					p.Bias = random(r, n)
				}
				if n%3 == 0 {
					wild(r, p)
				}
				want := p
				want.Dst = tensor.NewMat(rows, n)
				blockPartsGeneric(&want, 0, n, parts)
				e.MatMul(p)
				requireSameNumbers(t, p.Dst, want.Dst, fmt.Sprintf("parts %d T=%d N=%d K=%d", parts, rows, n, k))
			}
		}
	}
}

// wild puts numbers of any size into a product, some of them infinite, NaN, denormal or zero.
func wild(r *rand.Rand, p Product) {
	for i := range p.X.Data {
		if r.IntN(3) == 0 {
			p.X.Data[i] = math.Float32frombits(r.Uint32())
		}
		if r.IntN(200) == 0 {
			p.X.Data[i] = math.Float32frombits(0x7f800000 + r.Uint32N(2)) // infinite, or NaN by the last bit
		}
	}
	w := as[uint16](p.W.Data)
	for i := range w {
		if r.IntN(100) == 0 {
			w[i] = uint16(r.Uint32())
		}
	}
}

// requireSameNumbers wants the same bits, but of NaN.
func requireSameNumbers(t *testing.T, got, want tensor.Mat, note string) {
	t.Helper()
	for i := range want.Rows {
		for n, w := range want.Row(i) {
			g := got.Row(i)[n]
			if g != g && w != w {
				continue
			}
			require.Equal(t, math.Float32bits(w), math.Float32bits(g), "%s: [%d,%d] = %v, want %v", note, i, n, g, w)
		}
	}
}

// The parts of a number are the number.
func TestSplitIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	x := [][]uint16{{0}, {0}, {0}}
	for range 200000 {
		v := math.Float32frombits(r.Uint32())
		splitGeneric(x, 0, v)
		var sum float64
		for _, part := range x {
			sum += float64(tensor.BF16ToF32(part[0]))
		}
		switch {
		case v != v:
			require.True(t, math.IsNaN(sum))
		case math.Abs(float64(v)) < 0x1p-100:
			require.InDelta(t, float64(v), sum, 0x1p-126)
		default:
			require.Equal(t, float64(v), sum, "%#x", math.Float32bits(v))
		}
	}
}
