package kernels

import "unsafe"

// The blocked product of the levels with assembly. A tile kernel multiplies R rows of X with groups of 4 weight rows
// over a range of k. Its sums stay in registers; where k is cut into ranges they rest in memory in between, so they are
// taken in one order however rows, columns and k are cut.
//
//   - one tile of rows: the kernel reads the weights straight from the map, whole rows at a time, for one or two tiles
//     rows that lie far apart (tiled_streams.go);
//   - more: the first tile does that over a range of k and leaves the widened weights in a panel that stays in L1, from
//     which the other tiles go on.
const (
	colGroup       = 4          // weight rows that a tile kernel takes at once
	subCols        = 16         // weight rows that share a pass over X
	blockRows      = 96         // rows of X whose accumulators are live at once
	tileMultiple   = 6          // chunks of rows are multiples of every full tile height
	depth          = 512        // range of k of a pass of several tiles, a multiple of every lane count
	pairDepth      = 1024       // the same of two tiles, which wait for memory
	depthOne       = 8192       // and of one
	depthDot       = 4096       // and of several of bfloat16
	turnElems      = 32         // weights of a row that go with one prefetch
	wStride        = depth + 16 // of widened weights: rows do not fall on the same cache sets
	farAhead       = 2048       // least distance of prefetches, in bytes
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
	row         [numFormats]kernelsByRows // one row of X by rowCols rows of W straight from the map
	dot         kernelsByRows             // bf16 by bf16; nil where the CPU has no such product
	widen       [numFormats]func(dst []float32, src []byte)
	lane        laneKernels
	parts       partsKernels // bf16 weights through tiles
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
	wNext            int     // from a group of w to the next
	prefetchStride   int     // of the rows to prefetch
	prefetchStep     int     // how far each prefetches for turnElems of w; 0 for not at all
	prefetchTile     int     // how far a tile moves the prefetches on; 0: only the first tile prefetches
	prefetchNext     int     // how far a group does
	prefetchEnd      uintptr // of the row kernel: from where its prefetches are prefetchJump on
	prefetchJump     int
	steps            int // registers of a row of x
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

// tiledBlock is one call of blockTiled on up to blockRows rows.
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
	streams
	dst  unsafe.Pointer
	kx   unsafe.Pointer // x at the k of the pass
	done int            // rows of the pass
}

func (e *Engine) blockTiled(worker int, p *Product, n0, n1 int) {
	b := tiledBlock{m: &e.level.mat, s: &e.scratch[worker], p: *p, f: p.W.format(), size: p.W.DType.Size(), unit: e.level.mat.lanes}
	b.after = e.after(p, n0, n1)
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
	whole := n0 + (n1-n0)/colGroup*colGroup
	if b.tiles() <= streamTiles {
		b.allStreams(n0, whole)
	} else {
		for n := n0; n < whole; n += subCols {
			b.n, b.cols = n, min(subCols, whole-n)
			b.run()
		}
	}
	if whole < n1 {
		b.n, b.cols, b.streams = whole, n1-whole, streams{}
		b.run()
	}
}

// run computes the block.
func (b *tiledBlock) run() {
	b.target()
	b.ranges()
	if b.cols < colGroup {
		b.copyNarrow()
	}
}

// ranges computes the groups of the block range of k by range of k.
func (b *tiledBlock) ranges() {
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
	for k := 0; k == 0 || k < kk; k += span {
		d := min(span, kk-k)
		b.s.args.last = flag(k+d == all)
		b.pass(k, d, span)
	}
	if kk < all {
		b.s.args.last = 1
		b.passTail(kk)
	}
}

// target says where the kernels store: fewer than 4 columns go through the scratch.
func (b *tiledBlock) target() {
	a, p := b.s.args, &b.p
	a.groups, a.wNext = ceilDiv(b.cols, colGroup), colGroup*p.W.rowBytes()
	b.dst, a.dstStride, a.bias = pointerOf(b.s.narrow), colGroup*4, pointerOf(b.s.noBias)
	if b.cols < colGroup {
		return
	}
	b.dst, a.dstStride = pointerOf(p.Dst.Data[b.t0*p.Dst.Stride+b.n:]), p.Dst.Stride*4
	if p.Bias != nil {
		a.bias = pointerOf(p.Bias[b.n:])
	}
}

// weights is the address of element k of the row of column n of the groups that run.
func (b *tiledBlock) weights(n, k int) []byte {
	return b.p.W.Data[(b.n+b.column(n))*b.p.W.rowBytes()+k*b.size:]
}

// pass multiplies d elements at k.
func (b *tiledBlock) pass(k, d, span int) {
	a, f := b.s.args, b.f
	switch {
	case b.cols < colGroup:
		f = b.copyWeights(k, d)
		a.prefetchStep = 0
	case b.width > 0:
		b.passStreams(k, d)
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
	case b.width == rowCols:
		first, others = &b.m.row[f], &b.m.row[f]
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

// prefetchRange makes the tiles fetch the next range of these rows, at the end the first of the next.
func (b *tiledBlock) prefetchRange(k, d, span int) {
	row := b.p.W.rowBytes()
	ahead := span * b.size
	if k+d >= b.p.W.Cols/b.unit*b.unit {
		ahead = subCols*row - k*b.size
	}
	b.prefetch(uintptr(b.s.args.w)+uintptr(max(ahead, farAhead)), row, d)
}

// prefetch makes the tiles of a pass fetch d elements of rows at p, as many as the pass multiplies. Few tiles share that
// evenly, so that memory works all the time; of many the first does it.
func (b *tiledBlock) prefetch(p uintptr, stride, d int) {
	a, tiles := b.s.args, b.tiles()
	a.prefetch, a.prefetchStride, a.prefetchNext = p, stride, a.wNext
	a.prefetchStep, a.prefetchTile = turnElems*b.size, 0
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
	for i := range a.groups * max(b.width, colGroup) {
		if i >= b.cols {
			break
		}
		from, to := b.weights(i, k)[:left*b.size], b.s.wTail[i*tail:(i+1)*tail]
		if b.dot {
			copy(as[uint16](bytesOf(to)), as[uint16](from))
			continue
		}
		widenGeneric(to[:left], from, b.f)
	}
	a.w, a.wStride, a.wNext = pointerOf(b.s.wTail), tail*4, colGroup*tail*4
	b.kx, a.xStride = pointerOf(b.s.xTail), tail*4
	if b.dot {
		b.kx, a.xStride = unsafe.Add(b.x, k*2), b.xs
	}
	a.steps, a.more, a.prefetchStep = 1, 1, 0
	if b.width == rowCols { // the others multiply any lane
		a.groups, b.width = a.groups*rowCols/colGroup, colGroup
	}
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
