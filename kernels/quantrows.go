package kernels

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// QuantRows is a matrix of activations [Rows, Cols] as int8 in blocks of 32: x ≈ q·scale with scale = max|x|/127 of
// row and block, q = x·(127/max) rounded half to even. A block whose max|x| is below 2⁻¹⁰⁰ is zero. A block that holds a
// NaN or an infinity has the scale NaN, so that whatever is computed from it is NaN.
//
// The layout belongs to the level of the engine that sized it: engines must not exchange QuantRows. The zero value is
// empty; [QuantRows.Resize] makes room and keeps memory. Copying shares the data.
type QuantRows struct {
	Rows, Cols int
	stride     int // bytes
	data       []byte
}

// quantBlock is a block of 32 activations as kernels read it. Scales are per row and block.
type quantBlock struct {
	q     [blockDepth]int8
	scale float32
	start int32   // bits of the f32 number magic - 128·Σq: the sum that the products with q+128 start from
	share float32 // scale·Σq, what a unit of a weight's min adds
	_     uint32
}

// magic is 1.5·2²³: as f32, magic+n has the bits of magic plus n for every |n| < 2²², so that integer sums which start
// at its bits are f32 numbers without conversion.
const (
	magic     = 0x1.8p23
	magicBits = 0x4b400000
	quantTiny = 0x1p-100
)

// Resize makes q a matrix [rows, cols] of unspecified content for engine e.
func (q *QuantRows) Resize(e *Engine, rows, cols int) {
	lines := ceilDiv(ceilDiv(cols, stepDepth)*2*e.level.packed.block, 64) | 1 // odd: rows do not fall on the same sets
	q.Rows, q.Cols, q.stride = rows, cols, 64*lines
	if n := rows * q.stride; cap(q.data) < n {
		q.data = room(n)
	}
	q.data = q.data[:rows*q.stride]
}

// Slice is the view of rows [a,b).
func (q QuantRows) Slice(a, b int) QuantRows {
	q.Rows, q.data = b-a, q.data[a*q.stride:b*q.stride:b*q.stride]
	return q
}

// row has a pointer receiver: copying what a caller has just written waits until older stores have reached the cache.
func (q *QuantRows) row(i int) []byte { return q.data[i*q.stride : (i+1)*q.stride] }

// CopyRow copies row j of src, of the same width and engine, to row i.
func (q QuantRows) CopyRow(i int, src QuantRows, j int) {
	if q.Cols != src.Cols || q.stride != src.stride {
		panic("kernels.QuantRows.CopyRow: rows of different kinds")
	}
	copy(q.row(i), src.row(j))
}

// Quantise fills columns [k, k+len(x)) of row i of dst from x, on the calling goroutine. k must be a multiple of 32, and
// so must the length unless the row ends there.
func (e *Engine) Quantise(dst QuantRows, i, k int, x []float32) {
	end := k + len(x)
	if k%blockDepth != 0 || end > dst.Cols || (end%blockDepth != 0 && end != dst.Cols) {
		panic(fmt.Sprintf("kernels.Quantise: columns [%d,%d) of %d, want whole blocks of %d", k, end, dst.Cols, blockDepth))
	}
	p, size := &e.level.packed, e.level.packed.block
	row := dst.row(i)[k/blockDepth*size:]
	n := len(x) / blockDepth
	if n > 0 {
		p.quant(&row[0], &x[0], n)
	}
	if end < dst.Cols {
		return
	}
	// Pads, in Go: through a function value the arrays would escape to the heap.
	if rest := x[n*blockDepth:]; len(rest) > 0 {
		var last [blockDepth]float32
		copy(last[:], rest)
		quantGeneric(&row[n*size], &last[0], 1)
		n++
	}
	if (k/blockDepth+n)%2 != 0 { // the step has two blocks
		var zero [blockDepth]float32
		quantGeneric(&row[n*size], &zero[0], 1)
	}
}

// QuantiseRows fills dst, which must have the shape of x, in parallel where that pays. Bits do not depend on the number
// of threads.
func (e *Engine) QuantiseRows(dst QuantRows, x tensor.Mat) {
	if dst.Rows != x.Rows || dst.Cols != x.Cols {
		panic(fmt.Sprintf("kernels.QuantiseRows: dst [%d %d] of x [%d %d]", dst.Rows, dst.Cols, x.Rows, x.Cols))
	}
	checkMat("QuantiseRows", x)
	e.qr = append(e.qr[:0], quantPart{dst: dst, x: x})
	e.qr.run(e)
}

// quantPart is a matrix to quantise.
type quantPart struct {
	e   *Engine
	dst QuantRows
	x   tensor.Mat
}

// quantJob is several of them, rows in chunks of quantTile.
type quantJob []quantPart

const (
	quantTile   = 8
	serialQuant = 1 << 15 // elements below which a second thread costs more than it saves
)

func (j *quantJob) run(e *Engine) {
	work, chunks := 0, 0
	for i := range *j {
		p := &(*j)[i]
		p.e = e
		work += p.x.Rows * p.x.Cols
		chunks += ceilDiv(p.x.Rows, quantTile)
	}
	if work >= serialQuant {
		e.Run(chunks, j)
	} else {
		for i := range chunks {
			j.Do(0, i)
		}
	}
	clear(*j)
}

// Do quantises one chunk of rows.
func (j *quantJob) Do(_, chunk int) {
	for i := range *j {
		p := &(*j)[i]
		n := ceilDiv(p.x.Rows, quantTile)
		if chunk >= n {
			chunk -= n
			continue
		}
		for r := chunk * quantTile; r < min((chunk+1)*quantTile, p.x.Rows); r++ {
			p.e.Quantise(p.dst, r, 0, p.x.Row(r))
		}
		return
	}
}
