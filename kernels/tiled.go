package kernels

import "unsafe"

// The blocked product of the levels with assembly. A tile kernel multiplies R rows of X with groups of 4 weight rows
// over a range of k. Its sums stay in registers; where k is cut into ranges they rest in memory in between, so they are
// taken in one order however rows, columns and k are cut.
//
//   - one tile of rows: the kernel reads the weights straight from the map, whole rows at a time;
//   - more: the first tile does that over a range of k and leaves the widened weights in a panel that stays in L1, from
//     which the other tiles go on.
const (
	colGroup       = 4   // weight rows that a tile kernel takes at once
	subCols        = 16  // weight rows that share a pass over X
	blockCols      = 32  // weight rows of a pass of one tile
	blockRows      = 96  // rows of X whose accumulators are live at once
	tileMultiple   = 6   // chunks of rows are multiples of every full tile height
	depth          = 512 // range of k of a pass of several tiles, a multiple of every lane count
	pairCols       = 4   // subCols and depth of two tiles, which wait for memory: longer pieces of fewer rows
	pairDepth      = 1024
	depthOne       = 8192       // the same of one tile
	depthDot       = 4096       // and of several of bfloat16
	turnElems      = 32         // weights of a row that go with one prefetch
	wStride        = depth + 16 // of widened weights: rows do not fall on the same cache sets
	directTurn     = 128        // the same in bytes where a tile is alone
	farAhead       = 2048       // least distance of prefetches, in bytes
	nearAhead      = 1024       // distance of prefetches along a row
	sharedPrefetch = 4          // most tiles that share prefetches
)

// kernelsByRows are tile kernels by rows of X.
type kernelsByRows [7]func(*tileArgs)

// matKernels are the matrix kernels of a level; all nil for generic.
type matKernels struct {
	lanes, rows int                       // of the largest tile
	tile        [numFormats]kernelsByRows // straight from the map
	first       [numFormats]kernelsByRows // the same, filling the panel
	panel       kernelsByRows
	dot         kernelsByRows // bf16 by bf16; nil where the CPU has no such product
	widen       [numFormats]func(dst []float32, src []byte)
}

func (m *matKernels) maxRows() int {
	if m.lanes == 0 {
		return rowsGeneric
	}
	return blockRows
}

// tileArgs is what a tile kernel reads; strides and steps in bytes, offsets known to internal/gen.
// It runs over tiles (each R rows of x), and in each over groups (each 4 rows of w), acc moving along all the time.
type tileArgs struct {
	x, w, acc        unsafe.Pointer
	panel            unsafe.Pointer // [group][step][4][lanes]; the panel kernels take it as w
	dst, bias        unsafe.Pointer // of the first column; used if last
	dstStride        int
	prefetch         uintptr // may lie outside of everything
	xStride, wStride int
	prefetchStride   int     // of the rows to prefetch
	prefetchStep     int     // how far each prefetches for turnElems of w; 0 for not at all
	prefetchTile     int     // how far a tile moves the prefetches on; 0: only the first tile prefetches
	prefetchEnd      uintptr // where prefetches jump to the next 4 rows
	steps            int     // registers of a row of x
	groups, tiles    int
	more             int // 0: start sums at zero, else go on from acc
	last             int // 0: leave sums in acc, else add lanes and bias and store to dst
}

// tiling cuts rows of X into tiles of two neighbouring heights.
type tiling struct{ big, nBig, small, nSmall int }

func tile(rows, most int) tiling {
	n := ceilDiv(rows, most)
	q := rows / n
	return tiling{big: q + 1, nBig: rows - n*q, small: q, nSmall: n - (rows - n*q)}
}

func (t tiling) tiles() int { return t.nBig + t.nSmall }

// tiledBlock is one call of blockTiled on up to blockRows × blockCols.
type tiledBlock struct {
	m    *matKernels
	s    *scratch
	p    Product
	f    format
	size int            // bytes of a weight
	unit int            // elements of a row of X in a register
	x    unsafe.Pointer // rows of X
	xs   int            // their stride in bytes
	dot  bool           // x is bfloat16 and padded with zeros to a multiple of unit

	t0, rows int
	tiling
	n, cols int // columns; a multiple of colGroup but for the last ones
	dst     unsafe.Pointer
	kx      unsafe.Pointer // x at the k of the pass
	done    int            // rows of the pass
}

func (e *Engine) blockTiled(worker int, p *Product, n0, n1 int) {
	b := tiledBlock{m: &e.level.mat, s: &e.scratch[worker], p: *p, f: p.W.format(), size: p.W.DType.Size(), unit: e.level.mat.lanes}
	for t := 0; t < p.X.Rows; t += blockRows {
		b.t0, b.rows = t, min(blockRows, p.X.Rows-t)
		b.x, b.xs = pointerOf(p.X.Data[t*p.X.Stride:]), p.X.Stride*4
		b.columns(n0, n1)
	}
}

// columns computes columns [n0,n1) of the rows of the block.
func (b *tiledBlock) columns(n0, n1 int) {
	b.tiling = tile(b.rows, b.m.rows)
	b.fillTails()
	step := blockCols
	if b.tiles() > 1 {
		step = b.sub()
	}
	whole := n0 + (n1-n0)/colGroup*colGroup
	for n := n0; n < whole; n += step {
		b.n, b.cols = n, min(step, whole-n)
		b.run()
	}
	if whole < n1 {
		b.n, b.cols = whole, n1-whole
		b.run()
	}
}

// sub is how many columns of several tiles go together.
func (b *tiledBlock) sub() int {
	if b.tiles() == 2 && !b.dot {
		return pairCols
	}
	return subCols
}

// run computes the block range of k by range of k.
func (b *tiledBlock) run() {
	all := b.p.W.Cols
	kk, span := all/b.unit*b.unit, depthOne
	switch {
	case b.cols < colGroup || b.tiles() > 2 && !b.dot:
		span = depth
	case b.tiles() == 2 && !b.dot:
		span = pairDepth
	case b.tiles() > 1:
		span = depthDot
	}
	b.target()
	for k := 0; k == 0 || k < kk; k += span {
		d := min(span, kk-k)
		b.s.args.last = flag(k+d == all)
		b.pass(k, d, span)
	}
	if kk < all {
		b.s.args.last = 1
		b.passTail(kk)
	}
	if b.cols < colGroup {
		b.copyNarrow()
	}
}

// target says where the kernels store: fewer than 4 columns go through the scratch.
func (b *tiledBlock) target() {
	a, p := b.s.args, &b.p
	a.groups = ceilDiv(b.cols, colGroup)
	b.dst, a.dstStride, a.bias = pointerOf(b.s.narrow), colGroup*4, pointerOf(b.s.noBias)
	if b.cols < colGroup {
		return
	}
	b.dst, a.dstStride = pointerOf(p.Dst.Data[b.t0*p.Dst.Stride+b.n:]), p.Dst.Stride*4
	if p.Bias != nil {
		a.bias = pointerOf(p.Bias[b.n:])
	}
}

// weights is the address of element k of the row of column n of the block.
func (b *tiledBlock) weights(n, k int) []byte {
	return b.p.W.Data[(b.n+n)*b.p.W.rowBytes()+k*b.size:]
}

// pass multiplies d elements at k.
func (b *tiledBlock) pass(k, d, span int) {
	a, f := b.s.args, b.f
	switch {
	case b.cols < colGroup:
		f = b.copyWeights(k, d)
		a.prefetchStep = 0
	case b.tiles() == 1:
		a.w, a.wStride = pointerOf(b.weights(0, k)), b.p.W.rowBytes()
		b.prefetchRows(d)
	default:
		a.w, a.wStride = pointerOf(b.weights(0, k)), b.p.W.rowBytes()
		b.prefetchRange(k, d, span)
	}
	b.kx, a.xStride, a.steps, a.more = unsafe.Add(b.x, k*b.xs0()), b.xs, d/b.unit, k
	b.multiply(f)
}

// xs0 is the size of an element of X.
func (b *tiledBlock) xs0() int {
	if b.dot {
		return 2
	}
	return 4
}

// multiply runs the kernels over all rows; weights of one tile, or bfloat16 as they are, pass from where they lie.
func (b *tiledBlock) multiply(f format) {
	a := b.s.args
	b.done = 0
	first, others := &b.m.tile[f], &b.m.tile[f]
	switch {
	case b.dot:
		first, others = &b.m.dot, &b.m.dot
	case b.tiles() > 1:
		first, others = &b.m.first[f], &b.m.panel
		a.panel = pointerOf(b.s.wide)
	}
	big, small := b.nBig, b.nSmall
	if big > 0 {
		b.call(first, b.big, 1)
		big--
	} else {
		b.call(first, b.small, 1)
		small--
	}
	if first != others {
		a.w = a.panel
	}
	b.call(others, b.big, big)
	b.call(others, b.small, small)
}

// call runs a kernel on tiles of so many rows and moves on to the next rows.
func (b *tiledBlock) call(kernels *kernelsByRows, rows, tiles int) {
	if tiles == 0 {
		return
	}
	a := b.s.args
	a.x = unsafe.Add(b.kx, b.done*a.xStride)
	a.acc = pointerOf(b.s.acc[b.done*a.groups*colGroup*b.m.lanes:])
	a.dst = unsafe.Add(b.dst, b.done*a.dstStride)
	a.tiles = tiles
	kernels[rows](a)
	b.done += rows * tiles
	a.prefetch += uintptr(tiles * a.prefetchTile)
	if a.prefetchTile == 0 {
		a.prefetchStep = 0
	}
}

// prefetchRows makes the only tile fetch ahead of itself: along the rows, at their end from the next 4, or where rows
// are short as far ahead as a group.
func (b *tiledBlock) prefetchRows(d int) {
	a, row := b.s.args, b.p.W.rowBytes()
	b.prefetch(uintptr(a.w)+uintptr(max(colGroup*row, farAhead)), d)
	if !b.dot {
		a.prefetchStep = directTurn
	}
	if row >= 2*nearAhead {
		a.prefetch, a.prefetchEnd = uintptr(a.w)+nearAhead, uintptr(a.w)+uintptr(row)
	}
}

// prefetchRange makes the tiles fetch the next range of these rows, at the end the first of the next.
func (b *tiledBlock) prefetchRange(k, d, span int) {
	row := b.p.W.rowBytes()
	ahead := span * b.size
	if k+d >= b.p.W.Cols/b.unit*b.unit {
		ahead = b.sub()*row - k*b.size
	}
	b.prefetch(uintptr(b.s.args.w)+uintptr(max(ahead, farAhead)), d)
}

// prefetch makes the tiles of a pass fetch d elements of as many rows at p as the pass multiplies. Few tiles share that
// evenly, so that memory works all the time; of many the first does it.
func (b *tiledBlock) prefetch(p uintptr, d int) {
	a, tiles := b.s.args, b.tiles()
	a.prefetch, a.prefetchStride = p, b.p.W.rowBytes()
	a.prefetchStep, a.prefetchTile, a.prefetchEnd = turnElems*b.size, 0, ^uintptr(0)
	if tiles > 1 && tiles <= sharedPrefetch {
		a.prefetchStep, a.prefetchTile = a.prefetchStep/tiles, d*b.size/tiles
	}
}

// copyWeights copies fewer than 4 rows of weights to where a fourth can be read, and says what they are there.
func (b *tiledBlock) copyWeights(k, d int) format {
	a := b.s.args
	a.w, a.wStride = pointerOf(b.s.w), wStride*4
	clear(b.s.w)
	for i := range b.cols {
		from, to := b.weights(i, k)[:d*b.size], b.s.w[i*wStride:]
		if b.dot {
			copy(as[uint16](bytesOf(to)), as[uint16](from))
			continue
		}
		b.m.widen[b.f](to[:d], from)
	}
	return f32
}

// passTail adds the elements from k on, fewer than a register, padded with zeros.
func (b *tiledBlock) passTail(k int) {
	a, left := b.s.args, b.p.W.Cols-k
	tail := b.m.lanes // floats of a row
	clear(b.s.wTail)
	for i := range b.cols {
		from, to := b.weights(i, k)[:left*b.size], b.s.wTail[i*tail:(i+1)*tail]
		if b.dot {
			copy(as[uint16](bytesOf(to)), as[uint16](from))
			continue
		}
		widenGeneric(to[:left], from, b.f)
	}
	a.w, a.wStride = pointerOf(b.s.wTail), tail*4
	b.kx, a.xStride = pointerOf(b.s.xTail), tail*4
	if b.dot {
		b.kx, a.xStride = unsafe.Add(b.x, k*2), b.xs
	}
	a.steps, a.more, a.prefetchStep = 1, 1, 0
	b.multiply(f32)
}

// fillTails copies what passTail needs of X.
func (b *tiledBlock) fillTails() {
	lanes := b.m.lanes
	k := b.p.W.Cols / lanes * lanes
	left := b.p.W.Cols - k
	if left == 0 || b.dot {
		return
	}
	for t := range b.rows {
		x := b.s.xTail[t*lanes : (t+1)*lanes]
		clear(x)
		copy(x, b.p.X.Row(b.t0 + t)[k:])
	}
}

// copyNarrow stores fewer than 4 columns.
func (b *tiledBlock) copyNarrow() {
	for t := range b.rows {
		dst := b.p.Dst.Row(b.t0 + t)[b.n : b.n+b.cols]
		copy(dst, b.s.narrow[t*colGroup:])
		for i := range dst {
			if b.p.Bias != nil {
				dst[i] += b.p.Bias[b.n+i]
			}
		}
	}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func pointerOf[E any](x []E) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }
