package kernels

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Product is Dst[T,N] = X[T,K] · Wᵀ (+ Bias), W being [N,K]; all sums in f32. Bias has N elements or is nil. Dst must
// not overlap X, W or Bias. With a packed W the rows of X are quantised to int8 first (see [QuantRows]); where XQ is
// not empty it is X quantised already, and X is not looked at.
type Product struct {
	Dst, X tensor.Mat
	XQ     QuantRows
	W      Matrix
	Bias   []float32
	Exact  bool // f32 multiply-adds: X is never rounded, whatever the engine's option BF16 says, nor cut into parts

	Ready *ReadyRow // X prepared by ReadyRow.Fill, or nil; it must hold the same numbers

	// Then are the weights that are read after this call (see [Matrix.From]), where the caller knows better than the
	// columns tell; their beginning is brought near at the end. No result depends on it.
	Then []byte

	parts partRows // X as parts, where they stand ready
}

// rows is T.
func (p *Product) rows() int {
	if p.quantised() {
		return p.XQ.Rows
	}
	return p.X.Rows
}

func (p *Product) quantised() bool { return p.XQ.data != nil && p.W.Packed() }

func (p *Product) check(op string) {
	p.checkShapes(op)
	checkMat(op, p.Dst)
}

// checkShapes checks everything but the memory of Dst.
func (p *Product) checkShapes(op string) {
	cols := p.X.Cols
	if p.quantised() {
		cols = p.XQ.Cols
	}
	if p.Dst.Rows != p.rows() || p.Dst.Cols != p.W.Rows || cols != p.W.Cols {
		panic(fmt.Sprintf("kernels.%s: dst [%d %d] = x [%d %d] · w [%d %d]ᵀ", op,
			p.Dst.Rows, p.Dst.Cols, p.rows(), cols, p.W.Rows, p.W.Cols))
	}
	if p.Bias != nil && len(p.Bias) != p.W.Rows {
		panic(fmt.Sprintf("kernels.%s: bias of %d, want %d", op, len(p.Bias), p.W.Rows))
	}
	if len(p.W.Data) < p.W.bytes() {
		panic(fmt.Sprintf("kernels.%s: weight [%d %d] of %d bytes", op, p.W.Rows, p.W.Cols, len(p.W.Data)))
	}
	if !p.quantised() {
		checkMat(op, p.X)
	}
}

func checkMat(op string, m tensor.Mat) {
	if m.Rows > 0 && m.Cols > 0 && (m.Stride < 0 || len(m.Data) < (m.Rows-1)*m.Stride+m.Cols) {
		panic(fmt.Sprintf("kernels.%s: matrix [%d %d] with stride %d of %d elements", op, m.Rows, m.Cols, m.Stride, len(m.Data)))
	}
}

// MatMul computes all products in one parallel region (query, key and value together). Bits do not depend on the
// thread count, nor on what other rows or products are computed along. It allocates nothing after warm-up.
func (e *Engine) MatMul(ps ...Product) {
	m := &e.mm
	m.parts = m.parts[:0]
	chunks := 0
	for i := range ps {
		ps[i].check("MatMul")
		part := e.cut(ps[i], chunks)
		chunks = part.end
		m.parts = append(m.parts, part)
	}
	e.quantiseParts(m.parts)
	e.packLanes(m.parts)
	e.splitParts(m.parts)
	e.Run(chunks, m)
	clear(m.parts)
}

// matMulJob cuts each product into a grid of row blocks × column blocks.
type matMulJob struct {
	e     *Engine
	parts []matMulPart
}

type matMulPart struct {
	Product
	first, end   int // chunks
	height, cols int // of a chunk
	rowBlocks    int
	lanes        bool // lane by lane: height counts tiles
	laneX        int  // number of its transposed X
}

func (e *Engine) cut(p Product, first int) matMulPart {
	t, n := p.rows(), p.W.Rows
	if t == 0 || n == 0 {
		return matMulPart{first: first, end: first}
	}
	if !e.tiled(&p) && e.lanesPay(&p) {
		return e.cutLanes(p, first)
	}
	most := e.level.mat.maxRows()
	multiple := tileMultiple
	switch {
	case p.W.Packed():
		most = packedRows
	case e.tiled(&p):
		most, multiple = e.partsHeight(p.W.Cols), 2*tileRows
	}
	blocks := ceilDiv(t, most)
	rows := ceilDiv(ceilDiv(t, blocks), multiple) * multiple
	m := matMulPart{Product: p, first: first, height: rows, rowBlocks: ceilDiv(t, rows)}
	m.cols = e.BlockCols(min(t, rows), m.rowBlocks, p.W)
	if e.tiled(&p) {
		m.cols = e.partsBlockCols(min(t, rows), m.rowBlocks*n, p.W.Cols, chunkMACsTiles)
	}
	m.end = first + m.rowBlocks*ceilDiv(n, m.cols)
	return m
}

// Do computes one chunk of one product.
func (m *matMulJob) Do(worker, chunk int) {
	i := 0
	for chunk >= m.parts[i].end {
		i++
	}
	p := &m.parts[i]
	chunk -= p.first
	colBlocks := ceilDiv(p.W.Rows, p.cols) // all columns of a block of rows, whose X stays in the caches, then the next
	r, n := chunk/colBlocks*p.height, chunk%colBlocks*p.cols
	if p.lanes {
		m.e.blockLanes(worker, p, r, min(r+p.height, ceilDiv(p.X.Rows, laneRows)), n, min(n+p.cols, p.W.Rows))
		return
	}
	part := p.Product
	end := min(r+p.height, p.rows())
	part.Dst = p.Dst.Slice(r, end)
	if p.quantised() {
		part.XQ = p.XQ.Slice(r, end)
	} else {
		part.X = p.X.Slice(r, end)
	}
	if then := m.then(i, chunk+p.first+len(m.e.scratch)); then != nil {
		part.Then = then
	}
	if p.parts.parts > 0 {
		part.parts = p.parts.slice(r, end)
	}
	m.e.block(worker, &part, n, min(n+p.cols, p.W.Rows))
}

// then are the weights of a chunk of part i or behind it, nil where there is none. Chunks are claimed in turn, so that
// of a worker's chunk the next but the others' is its next one.
func (m *matMulJob) then(i, chunk int) []byte {
	for ; i < len(m.parts); i++ {
		if p := &m.parts[i]; chunk < p.end {
			return p.W.From((chunk - p.first) % ceilDiv(p.W.Rows, p.cols) * p.cols)
		}
	}
	return nil
}

// Block computes columns [n0,n1) of p.Dst, all rows, on the calling goroutine with the scratch of the worker; for use
// inside a [Job]. The bits are those of MatMul, whatever n0 and n1.
func (e *Engine) Block(worker int, p Product, n0, n1 int) {
	p.check("Block")
	if n0 < 0 || n1 < n0 || n1 > p.W.Rows {
		panic(fmt.Sprintf("kernels.Block: columns [%d,%d) of %d", n0, n1, p.W.Rows))
	}
	e.block(worker, &p, n0, n1)
}

func (e *Engine) block(worker int, p *Product, n0, n1 int) {
	if p.W.Packed() {
		e.blockPacked(worker, p, n0, n1)
		return
	}
	if e.tiled(p) {
		e.blockParts(worker, p, n0, n1)
		return
	}
	if e.bf16 && !p.Exact && p.W.DType == tensor.BF16 {
		e.blockBF16(worker, p, n0, n1)
		return
	}
	e.blockExact(worker, p, n0, n1)
}

func (e *Engine) blockExact(worker int, p *Product, n0, n1 int) {
	if e.level.mat.lanes == 0 {
		blockGeneric(&e.scratch[worker], p, n0, n1)
		return
	}
	e.blockTiled(worker, p, n0, n1)
}

// Sizes of a chunk: multiply-adds that take some tens of microseconds, or bytes that do when they come from memory.
const (
	chunkMACs  = 6 << 20
	chunkElems = 192 << 10
)

// BlockRows says how many columns of a product [rowsOfX,k]·[n,k]ᵀ one chunk should take: well under 100 µs of work,
// at least 8 chunks per worker where n allows, and whole tiles.
func (e *Engine) BlockRows(rowsOfX, n, k int) int {
	k, rowsOfX = max(k, 1), max(rowsOfX, 1)
	cols := min(chunkMACs/(k*rowsOfX), chunkElems/k, n/(8*len(e.scratch)))
	return max(cols/colGroup*colGroup, colGroup)
}

// BlockCols is BlockRows for a given weight of which rowBlocks blocks of rowsOfX rows are to be computed; a chunk of
// packed weights is a multiple of 32 columns.
func (e *Engine) BlockCols(rowsOfX, rowBlocks int, w Matrix) int {
	if w.Packed() {
		return e.packedCols(rowsOfX, w.Rows*rowBlocks, w.Cols)
	}
	if e.tiledWeight(w) {
		return e.partsBlockCols(rowsOfX, w.Rows*rowBlocks, w.Cols, partsMACs)
	}
	return e.BlockRows(rowsOfX, w.Rows*rowBlocks, w.Cols)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
