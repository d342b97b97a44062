package kernels

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// edge is memory between two pages that cannot be touched: reading or writing one byte too far ends the test.
type edge struct{ mem []byte }

func edgeOf(t *testing.T, bytes int) edge {
	page := unix.Getpagesize()
	n := (bytes + page - 1) / page * page
	all, err := unix.Mmap(-1, 0, n+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(all)) })
	require.NoError(t, unix.Mprotect(all[:page], unix.PROT_NONE))
	require.NoError(t, unix.Mprotect(all[page+n:], unix.PROT_NONE))
	return edge{all[page : page+n]}
}

// at is n bytes flush against the page before (0) or behind (1).
func (e edge) at(side, n int) []byte {
	if side == 0 {
		return e.mem[:n:n]
	}
	return e.mem[len(e.mem)-n:]
}

func (e edge) floats(side, n int) []float32 { return as[float32](e.at(side, 4*n)) }

func TestOpsStayInside(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		if level != "generic" && underTCG() {
			t.Skip("this emulator reads the lanes that a masked load leaves out")
		}
		o := engine(t, level, 1).Ops()
		var es []edge
		for range 4 {
			es = append(es, edgeOf(t, 1<<14))
		}
		for side := range 2 {
			for _, n := range lengths() {
				s := make([][]float32, 4)
				for i := range s {
					s[i] = es[i].floats(side, n)
				}
				for _, c := range vectorCases() {
					c.run(o, s[:c.args])
				}
				o.Dot(s[0], s[1])
				o.Max(s[0])
				o.Rope(es[0].floats(side, 2*(n/2)), s[1][:n/2], s[2][n-n/2:])
				words := as[uint16](es[1].at(side, 2*n))
				o.WidenBF16(s[0], words)
				o.WidenF16(s[0], words)
				o.NarrowBF16(words, s[0])
				o.ClampF16(words, s[0])
				o.NarrowF16(words, s[0])
				if n > 0 {
					o.SoftmaxStep(tensor.MatOf(s[0], 1, n), es[1].floats(side, 1), es[2].floats(side, 1), es[3].floats(side, 1))
				}
				if n <= 200 {
					for _, keys := range []int{1, 4, 6} {
						k := es[1].floats(side, keys*n)
						o.AttnScores(es[0].floats(side, keys), s[2], k, n, 1)
						o.AttnMix(s[2], es[0].floats(side, keys), k, n)
					}
				}
			}
		}
	})
}

func TestMatMulStaysInside(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		engines := []*Engine{engine(t, level, 1), engineBF16(t, level, 1), partsEngine(t, level, 1)}
		r := rand.New(rand.NewPCG(15, 16))
		x, w, dst, bias := edgeOf(t, 1<<16), edgeOf(t, 1<<16), edgeOf(t, 1<<14), edgeOf(t, 1<<12)
		for range 400 {
			for _, d := range weightTypes {
				rows, n, k, side := 1+r.IntN(14), 1+r.IntN(14), r.IntN(700), r.IntN(2)
				p := Product{Dst: tensor.MatOf(dst.floats(side, rows*n), rows, n), X: tensor.MatOf(x.floats(side, rows*k), rows, k),
					W: Matrix{DType: d, Rows: n, Cols: k, Data: w.at(side, n*k*d.Size())}, Bias: bias.floats(side, n)}
				copy(p.X.Data, random(r, rows*k))
				copy(p.W.Data, randomMatrix(r, d, n, k).Data)
				note := fmt.Sprintf("%v T=%d N=%d K=%d", d, rows, n, k)
				engines[0].MatMul(p)
				requireNear(t, p, note)
				if d == tensor.BF16 {
					engines[2].MatMul(p)
					requireNear(t, p, note+" in parts")
					engines[1].MatMul(p)
					requireNear(t, roundedBF16(p), note+" rounded")
				}
			}
		}
	})
}

// TestPackedStaysInside packs, quantises and multiplies in memory whose neighbours cannot be touched.
func TestPackedStaysInside(t *testing.T) {
	eachLevel(t, func(t *testing.T, level string) {
		e := engine(t, level, 1)
		r := rand.New(rand.NewPCG(27, 28))
		x, src, w, q, dst := edgeOf(t, 1<<17), edgeOf(t, 1<<17), edgeOf(t, 1<<17), edgeOf(t, 1<<17), edgeOf(t, 1<<15)
		tries := 300
		if testing.Short() {
			tries = 120
		}
		for i := range tries {
			d, side := packedTypes[i%2], i/2%2
			rows, n, k := 1+r.IntN(30), 1+r.IntN(70), 1+r.IntN(330)
			if i%5 == 0 {
				rows = 1 + r.IntN(98)
			}
			size, err := PackedBytes(d, n, k)
			require.NoError(t, err)
			m, err := PackedMatrix(d, n, k, w.at(side, size))
			require.NoError(t, err)
			from := Matrix{DType: weightTypes[i%3], Rows: n, Cols: k, Data: src.at(side, n*k*weightTypes[i%3].Size())}
			copy(from.Data, randomMatrix(r, from.DType, n, k).Data)
			require.NoError(t, e.Pack(m, from))

			p := Product{Dst: tensor.MatOf(dst.floats(side, rows*n), rows, n), X: tensor.MatOf(x.floats(side, rows*k), rows, k), W: m}
			copy(p.X.Data, random(r, rows*k))
			p.XQ.Resize(e, rows, k)
			p.XQ.data = q.at(side, len(p.XQ.data))
			e.QuantiseRows(p.XQ, p.X)
			e.Block(0, p, 0, n)
			requirePackedNear(t, p, fmt.Sprintf("%v T=%d N=%d K=%d", d, rows, n, k))
		}
	})
}

// TestLanesStayInside multiplies many rows in memory whose neighbours cannot be touched.
func TestLanesStayInside(t *testing.T) {
	eachLaneLevel(t, func(t *testing.T, level string) {
		one, e := engine(t, level, 1), engine(t, level, 1)
		r := rand.New(rand.NewPCG(37, 38))
		x, w, dst, bias := edgeOf(t, 1<<18), edgeOf(t, 1<<19), edgeOf(t, 1<<18), edgeOf(t, 1<<12)
		for i := range 24 {
			d, side := weightTypes[i%3], i/3%2
			rows, n, k := laneMinRows+r.IntN(40), laneMinCols+r.IntN(70), laneMinK+r.IntN(70)
			p := Product{Dst: tensor.MatOf(dst.floats(side, rows*n), rows, n), X: tensor.MatOf(x.floats(side, rows*k), rows, k),
				W: Matrix{DType: d, Rows: n, Cols: k, Data: w.at(side, n*k*d.Size())}, Bias: bias.floats(side, n)}
			copy(p.X.Data, random(r, rows*k))
			copy(p.W.Data, randomMatrix(r, d, n, k).Data)
			e.MatMul(p)
			requireRowByRow(t, one, p, fmt.Sprintf("%v T=%d N=%d K=%d", d, rows, n, k))
		}
	})
}
