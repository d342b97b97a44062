package kernels

import "unsafe"

// The blocked product of the levels with assembly. A tile kernel multiplies R rows of X with groups of 4 weight rows
// over a range of k and keeps its lane accumulators in memory between ranges, so sums stay in one order however
// rows, columns and k are cut.
//
//   - few tiles: kernels read the weights straight from the map and widen on the way;
//   - many: 8 rows × depth weights are widened once into scratch that stays in L1, and all rows of X pass by.
const (
	colGroup       = 4   // weight rows that a tile kernel takes at once
	subCols        = 8   // weight rows that share a pass over X
	blockCols      = 32  // columns whose accumulators are live at once
	blockRows      = 96  // the same for rows of X
	tileMultiple   = 6   // chunks of rows are multiples of every full tile height
	depth          = 512 // range of k of a pass, a multiple of every lane count
	depthOne       = 8192
	wStride        = depth + 16 // of widened weights: rows do not fall on the same cache sets
	xCache         = 192 << 10  // bytes of X that stay in L2 whatever the order of passes
	farAhead       = 2048       // least distance of prefetches, in bytes
	nearAhead      = 512        // distance of prefetches along a row
	never          = 1 << 30
	sharedPrefetch = 16 // most tiles that share prefetches
)

// matKernels are the matrix kernels of a level; all nil for generic.
type matKernels struct {
	lanes, rows int                            // of the largest tile
	widenFrom   [numFormats]int                // tiles of rows from which widening first pays
	tile        [numFormats][7]func(*tileArgs) // by format and rows of X
	reduce      func(*reduceArgs)              //
	widen       [numFormats]func(dst []float32, src []byte)
}

func (m *matKernels) maxRows() int {
	if m.reduce == nil {
		return rowsGeneric
	}
	return blockRows
}

// tileArgs is what a tile kernel reads; strides and steps in bytes, offsets known to internal/gen.
// It runs over tiles (each R rows of x), and in each over groups (each 4 rows of w), acc moving along all the time.
type tileArgs struct {
	x, w, acc        unsafe.Pointer
	prefetch         uintptr // may lie outside of everything
	xStride, wStride int
	prefetchStride   int     // of the rows to prefetch
	prefetchStep     int     // how far each prefetches for 64 bytes or more of w; 0 for not at all
	prefetchTile     int     // how far a tile moves the prefetches on; 0: only the first tile prefetches
	prefetchEnd      uintptr // where prefetches jump to the next 4 rows
	steps            int     // of lanes elements
	groups, tiles    int
	more             int // 0: start sums at zero, else go on from acc
}

// reduceArgs is what a reduce kernel reads: acc as tile kernels leave it, rows of X per tile, bias for every column.
type reduceArgs struct {
	acc, dst, bias      unsafe.Pointer
	dstStride           int // bytes
	rows, groups, tiles int
}

// tiling cuts rows of X into tiles of two neighbouring heights.
type tiling struct{ big, nBig, small, nSmall int }

func tile(rows, most int) tiling {
	n := ceilDiv(rows, most)
	q := rows / n
	return tiling{big: q + 1, nBig: rows - n*q, small: q, nSmall: n - (rows - n*q)}
}

// tiledBlock is one call of blockTiled on up to blockRows × blockCols.
type tiledBlock struct {
	m    *matKernels
	s    *scratch
	p    *Product
	f    format
	size int // bytes of a weight

	t0, rows int
	tiling
	n, cols int // columns; a multiple of colGroup but for the last ones, which are widened
}

func (e *Engine) blockTiled(worker int, p *Product, n0, n1 int) {
	b := tiledBlock{m: &e.level.mat, s: &e.scratch[worker], p: p, f: p.W.format(), size: p.W.DType.Size()}
	for t := 0; t < p.X.Rows; t += blockRows {
		b.t0, b.rows = t, min(blockRows, p.X.Rows-t)
		b.tiling = tile(b.rows, b.m.rows)
		b.fillTails()
		step := blockCols
		if b.nBig+b.nSmall > 1 && b.rows*p.W.Cols*4 <= xCache {
			step = subCols // weights of few rows pass once, whole rows at a time
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
}

// run computes the block: every range of k over every group of columns, then the sums of lanes.
func (b *tiledBlock) run() {
	kk := b.p.W.Cols / b.m.lanes * b.m.lanes
	tiles, partial := b.nBig+b.nSmall, b.cols < colGroup
	wide := tiles >= b.m.widenFrom[b.f] || partial
	span, sub := depth, subCols
	if tiles == 1 && !wide {
		span, sub = depthOne, blockCols
	}
	for k := 0; k == 0 || k < kk; k += span {
		d := min(span, kk-k)
		for n := 0; n < b.cols; n += sub {
			c := min(sub, b.cols-n)
			if wide {
				b.passWidened(n, c, k, d)
			} else {
				b.passDirect(n, c, k, d, span)
			}
		}
	}
	for n := 0; n < b.cols; n += sub {
		c := min(sub, b.cols-n)
		if kk < b.p.W.Cols {
			b.passTail(n, c)
		}
		b.finish(n, c)
	}
}

// weights is the address of element k of the row of column n of the block.
func (b *tiledBlock) weights(n, k int) []byte {
	return b.p.W.Data[(b.n+n)*b.p.W.rowBytes()+k*b.size:]
}

// passDirect multiplies depth d at k with c columns from n, weights straight from the map.
func (b *tiledBlock) passDirect(n, c, k, d, span int) {
	row := b.p.W.rowBytes()
	a := b.s.args
	a.w, a.wStride = pointer(b.weights(n, k)), row
	turn := max(64, 2*b.m.lanes*b.size)
	if b.nBig+b.nSmall == 1 {
		b.prefetch(uintptr(a.w)+uintptr(max(colGroup*row, farAhead)), d, turn)
		if row >= 2*nearAhead {
			a.prefetch, a.prefetchEnd = uintptr(a.w)+nearAhead, uintptr(a.w)+uintptr(row)
		}
	} else {
		ahead := span * b.size // the next range of these rows, at the end the first of the next
		if k+d >= b.p.W.Cols/b.m.lanes*b.m.lanes {
			ahead = subCols*row - k*b.size
		}
		b.prefetch(uintptr(a.w)+uintptr(max(ahead, farAhead)), d, turn)
	}
	b.tiles(b.f, n, c, k, d, pointer32(b.p.X.Data[b.t0*b.p.X.Stride+k:]), b.p.X.Stride)
}

// prefetch makes the tiles of a pass fetch d elements of as many rows at p as the pass multiplies: bytes for every turn
// of the kernel's loop. Few tiles share it evenly, so that memory works all the time; of many the first does it.
func (b *tiledBlock) prefetch(p uintptr, d, bytes int) {
	a, tiles := b.s.args, b.nBig+b.nSmall
	a.prefetch, a.prefetchStride = p, b.p.W.rowBytes()
	a.prefetchStep, a.prefetchTile, a.prefetchEnd = bytes, 0, ^uintptr(0)
	if tiles > 1 && tiles <= sharedPrefetch {
		a.prefetchStep, a.prefetchTile = bytes/tiles, d*b.size/tiles
	}
}

// passWidened does the same through a widened copy; rows that the block lacks count as zeros.
func (b *tiledBlock) passWidened(n, c, k, d int) {
	for i := range ceilDiv(c, colGroup) * colGroup {
		w := b.s.w[i*wStride : i*wStride+d]
		if i >= c {
			clear(w)
			continue
		}
		b.m.widen[b.f](w, b.weights(n+i, k)[:d*b.size])
	}
	a := b.s.args
	a.w, a.wStride = pointer32(b.s.w), wStride*4
	next := uintptr(pointer(b.weights(n, k))) + uintptr(subCols*b.p.W.rowBytes())
	b.prefetch(next, d, 2*b.m.lanes*b.size)
	b.tiles(f32, n, c, k, d, pointer32(b.p.X.Data[b.t0*b.p.X.Stride+k:]), b.p.X.Stride)
}

// passTail adds the elements after the last whole register of a row, padded with zeros.
func (b *tiledBlock) passTail(n, c int) {
	k := b.p.W.Cols / b.m.lanes * b.m.lanes
	left, lanes := b.p.W.Cols-k, b.m.lanes
	clear(b.s.wTail)
	for i := range c {
		widenGeneric(b.s.wTail[i*lanes:i*lanes+left], b.weights(n+i, k)[:left*b.size], b.f)
	}
	a := b.s.args
	a.w, a.wStride = pointer32(b.s.wTail), lanes*4
	a.prefetchStep = 0
	b.tiles(f32, n, c, 1, lanes, pointer32(b.s.xTail), lanes)
}

// fillTails copies what passTail needs of X.
func (b *tiledBlock) fillTails() {
	lanes := b.m.lanes
	k := b.p.W.Cols / lanes * lanes
	left := b.p.W.Cols - k
	if left == 0 {
		return
	}
	for t := range b.rows {
		x := b.s.xTail[t*lanes : (t+1)*lanes]
		clear(x)
		copy(x, b.p.X.Row(b.t0 + t)[k:])
	}
}

// tiles runs the kernels of a format over all rows for c columns from n and d elements; k says whether sums go on.
func (b *tiledBlock) tiles(f format, n, c, k, d int, x unsafe.Pointer, xStride int) {
	a := b.s.args
	a.acc, a.x = b.accs(n), x
	a.xStride, a.steps, a.more = xStride*4, d/b.m.lanes, k
	a.groups = ceilDiv(c, colGroup)
	if b.nBig > 0 {
		a.tiles = b.nBig
		b.m.tile[f][b.big](a)
		a.x = unsafe.Add(a.x, b.big*b.nBig*a.xStride)
		a.acc = unsafe.Add(a.acc, b.big*b.nBig*a.groups*colGroup*b.m.lanes*4)
		a.prefetch += uintptr(b.nBig * a.prefetchTile)
		if a.prefetchTile == 0 {
			a.prefetchStep = 0
		}
	}
	a.tiles = b.nSmall
	b.m.tile[f][b.small](a)
}

// accs is where the accumulators of the columns from n of the block begin.
func (b *tiledBlock) accs(n int) unsafe.Pointer { return pointer32(b.s.acc[n*b.rows*b.m.lanes:]) }

// finish adds lanes and bias for c columns from n and stores them.
func (b *tiledBlock) finish(n, c int) {
	r, p := b.s.reduce, b.p
	*r = reduceArgs{acc: b.accs(n), dst: pointer32(p.Dst.Data[b.t0*p.Dst.Stride+b.n+n:]), dstStride: p.Dst.Stride * 4,
		bias: pointer32(b.s.noBias), groups: ceilDiv(c, colGroup)}
	if c < colGroup {
		r.dst, r.dstStride = pointer32(b.s.narrow), colGroup*4
	}
	if p.Bias != nil && c >= colGroup {
		r.bias = pointer32(p.Bias[b.n+n:])
	}
	if b.nBig > 0 {
		r.rows, r.tiles = b.big, b.nBig
		b.m.reduce(r)
		r.dst = unsafe.Add(r.dst, b.big*b.nBig*r.dstStride)
		r.acc = unsafe.Add(r.acc, b.big*b.nBig*r.groups*colGroup*b.m.lanes*4)
	}
	r.rows, r.tiles = b.small, b.nSmall
	b.m.reduce(r)
	if c < colGroup {
		b.copyNarrow(c)
	}
}

// copyNarrow stores fewer than 4 columns.
func (b *tiledBlock) copyNarrow(c int) {
	for t := range b.rows {
		dst := b.p.Dst.Row(b.t0 + t)[b.n : b.n+c]
		copy(dst, b.s.narrow[t*colGroup:])
		for i := range dst {
			if b.p.Bias != nil {
				dst[i] += b.p.Bias[b.n+i]
			}
		}
	}
}

func pointer(b []byte) unsafe.Pointer      { return unsafe.Pointer(unsafe.SliceData(b)) }
func pointer32(x []float32) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(x)) }
