package kernels

import (
	"math/bits"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Products of many rows, one lane of the sums at a time. A tile kernel of tiled.go keeps all lanes of a sum in a
// register, which costs 16 times the memory where k is cut, and a tree for every sum. Here a register holds a lane of 16
// columns: for each lane, in the order in which the tree adds them, a kernel multiplies every 16th k of a tile of X with
// a panel of columns and adds what is on top of a stack of such sums. The numbers and their order are those of the
// tile kernels, so the bits are.
//
// X and W are transposed for that: X once for a call of MatMul ([slot][tile][k/16][12 rows]), W for every panel of 32
// columns ([slot][k/16][32 columns]), which pays from some tens of rows on. Slots are lanes in the order of the tree:
// 0, 8, 1, 9, … 7, 15.
const (
	laneRows    = 12 // rows of X of the largest kernel, and of a packed tile; from laneMinRows on no tile has fewer than 10
	laneCols    = 32 // columns of a panel
	laneWidth   = 16 // columns that a packing kernel takes
	laneSlots   = 16
	laneLevels  = 5                   // of the stack, and one that only begins above the last sum
	laneTile    = laneRows * laneCols // floats of a tile on the stack
	laneUnroll  = 4                   // steps that go with a prefetch
	laneMinRows = 96                  // fewer do not pay for W
	laneMinCols = 256                 // fewer do not pay for X
	laneMinK    = 256                 // less is mostly stack
	laneMaxK    = 16 << 10            // more would make calls too long
	laneBytes   = 1280 << 10          // of X that stays in the second-level cache
	laneTiles   = 16                  // most tiles of a call
	laneMost    = 44                  // and of a chunk
)

// laneKernels are the kernels of a level for that; nil where there are none.
type laneKernels struct {
	tile  [laneRows + 1]func(*laneArgs) // by rows
	packX lanePacker
	packW [numFormats]lanePacker // nil: widened to f32 first
	unit  [numFormats]int        // weights of a row that a step of packW takes
}

// lanePacker transposes n steps of its rows, stride bytes apart, into slots of so many bytes.
type lanePacker func(dst *float32, src *byte, stride, n, slot int)

// laneArgs is what a kernel reads; strides and steps in bytes, offsets known to internal/gen. It runs over tiles of X,
// which lie one after the other, x, stack and dst moving along.
type laneArgs struct {
	x, w         unsafe.Pointer
	stack        unsafe.Pointer // above the sums to add, level by level
	stackStep    int            // from a level to the next
	dst, bias    unsafe.Pointer
	dstStride    int
	prefetch     uintptr // may lie outside of everything
	prefetchStep int     // moves it after each laneUnroll steps
	steps        int     // of k, 16 apart
	tiles        int
	merges       int // sums to add from the stack
	last         int // 0: leave the sum on the stack, else add bias and store to dst
}

// laneX is X transposed.
type laneX struct {
	x     tensor.Mat
	data  []float32
	steps int
	slot  int // bytes of a slot
	tiling
}

// start is the first row of a tile.
func (t tiling) start(i int) int { return i*t.small + min(i, t.nBig) }

// lanesPay says whether a product is better taken lane by lane.
func (e *Engine) lanesPay(p *Product) bool {
	if e.level.mat.lane.packX == nil || p.W.Packed() || e.bf16 && !p.Exact && p.W.DType == tensor.BF16 {
		return false
	}
	return p.X.Rows >= laneMinRows && p.W.Rows >= laneMinCols && p.W.Cols >= laneMinK && p.W.Cols <= laneMaxK
}

// cutLanes cuts a product into chunks of tiles and panels.
func (e *Engine) cutLanes(p Product, first int) matMulPart {
	tiles, n := ceilDiv(p.X.Rows, laneRows), p.W.Rows
	cut := func(high, cols int) matMulPart {
		m := matMulPart{Product: p, lanes: true, first: first, cols: cols}
		m.height = ceilDiv(tiles, ceilDiv(tiles, high))
		m.rowBlocks = ceilDiv(tiles, m.height)
		m.end = first + m.rowBlocks*ceilDiv(n, cols)
		return m
	}
	m := cut(laneMost, 2*laneCols)
	if few := chunksEach * len(e.scratch); m.end-first < few {
		if m = cut(laneMost, laneCols); m.end-first < few {
			m = cut(laneTiles/2, laneCols)
		}
	}
	return m
}

// packLanes transposes X of every product that goes lane by lane, each distinct X once.
func (e *Engine) packLanes(parts []matMulPart) {
	j := &e.lanes
	j.used = 0
	for i := range parts {
		if parts[i].lanes {
			parts[i].laneX = j.add(parts[i].X)
		}
	}
	chunks := 0
	for _, x := range j.xs[:j.used] {
		chunks += x.tiles()
	}
	if chunks > 0 {
		e.Run(chunks, j)
	}
	for i := range j.used {
		j.xs[i].x = tensor.Mat{} // the caller's
	}
}

// lanesJob transposes tiles of X.
type lanesJob struct {
	e    *Engine
	xs   []laneX // their memory is kept
	used int
}

// add finds x among those to transpose, or adds it; it returns its number.
func (j *lanesJob) add(x tensor.Mat) int {
	for i := range j.used {
		if sameMat(j.xs[i].x, x) {
			return i
		}
	}
	if j.used == len(j.xs) {
		j.xs = append(j.xs, laneX{})
	}
	l := &j.xs[j.used]
	l.x, l.steps, l.tiling = x, ceilDiv(x.Cols, laneSlots), tile(x.Rows, laneRows)
	l.slot = oddLines(l.tiles() * l.steps * laneRows * 4)
	if need := laneSlots * l.slot / 4; len(l.data) < need {
		l.data = aligned(need)
	}
	j.used++
	return j.used - 1
}

// oddLines rounds bytes up to an odd number of cache lines, so that slots do not fall on the same cache sets.
func oddLines(bytes int) int { return (ceilDiv(bytes, 64) | 1) * 64 }

// Do transposes one tile of one X.
func (j *lanesJob) Do(worker, chunk int) {
	i := 0
	for ; chunk >= j.xs[i].tiles(); i++ {
		chunk -= j.xs[i].tiles()
	}
	j.xs[i].pack(j.e.level.mat.lane.packX, &j.e.scratch[worker], chunk)
}

// pack transposes a tile; rows that a small tile lacks are others of X, which no kernel looks at, or zeros.
func (l *laneX) pack(packX lanePacker, s *scratch, tile int) {
	first, whole := l.start(tile), l.x.Cols/laneSlots
	dst := l.data[tile*l.steps*laneRows:]
	if first+laneRows <= l.x.Rows && whole > 0 {
		packX(&dst[0], (*byte)(unsafe.Pointer(&l.x.Row(first)[0])), l.x.Stride*4, whole, l.slot)
	} else {
		whole = 0
	}
	for k := whole * laneSlots; k < l.x.Cols; k += depth {
		d := min(depth, l.x.Cols-k)
		clear(s.wide[:laneRows*depth])
		for r := range min(laneRows, l.x.Rows-first) {
			copy(s.wide[r*depth:], l.x.Row(first + r)[k:k+d])
		}
		packX(&dst[k/laneSlots*laneRows], (*byte)(pointerOf(s.wide)), depth*4, ceilDiv(d, laneSlots), l.slot)
	}
}

// blockLanes computes tiles [t0,t1) and columns [n0,n1).
func (e *Engine) blockLanes(worker int, p *matMulPart, t0, t1, n0, n1 int) {
	x := &e.lanes.xs[p.laneX]
	b := lanesBlock{m: &e.level.mat, s: &e.scratch[worker], p: &p.Product, x: x, slot: oddLines(x.steps * laneCols * 4)}
	panels := (n1 - n0) / laneCols
	b.pack(n0, panels)
	high := b.height(t1 - t0)
	for t := t0; t < t1; t += high {
		b.t0, b.t1 = t, min(t+high, t1)
		if b.t1 == t1 {
			b.ahead((n1 + (len(e.scratch)-1)*(n1-n0)) % p.W.Rows)
		}
		for i := range panels {
			b.run(n0+i*laneCols, i)
		}
	}
	if n := n0 + panels*laneCols; n < n1 {
		part := p.Product
		r0, r1 := x.start(t0), x.start(t1)
		part.X, part.Dst = p.X.Slice(r0, r1), p.Dst.Slice(r0, r1)
		e.block(worker, &part, n, n1)
	}
}

// lanesBlock is a chunk of a product.
type lanesBlock struct {
	m      *matKernels
	s      *scratch
	p      *Product
	x      *laneX
	slot   int // bytes of a slot of a panel
	t0, t1 int // the tiles that run

	next uintptr // of weights that are wanted afterwards
	left int     // bytes of them
}

// height cuts tiles into blocks of equal height whose X stays in the second-level cache.
func (b *lanesBlock) height(tiles int) int {
	most := min(max(laneBytes/(4*b.x.steps*laneSlots*laneRows), laneTiles/2), laneTiles)
	return ceilDiv(tiles, ceilDiv(tiles, most))
}

// run computes the panel of columns from n on, the i-th of the chunk.
func (b *lanesBlock) run(n, i int) {
	a, x := b.s.lane, b.x
	a.steps, a.dstStride, a.bias = x.steps, b.p.Dst.Stride*4, pointerOf(b.s.noBias)
	if b.p.Bias != nil {
		a.bias = pointerOf(b.p.Bias[n:])
	}
	a.stackStep = (b.t1 - b.t0) * laneTile * 4
	for s := range laneSlots {
		a.w = unsafe.Add(pointerOf(b.s.lanePanel), (i*laneSlots+s)*b.slot)
		a.merges, a.last = bits.TrailingZeros(uint(s+1)), flag(s == laneSlots-1)
		big := min(max(x.nBig, b.t0), b.t1)
		b.call(s, n, x.big, b.t0, big)
		b.call(s, n, x.small, big, b.t1)
	}
}

// call runs the kernel of so many rows over tiles [t0,t1) of a slot.
func (b *lanesBlock) call(slot, n, rows, t0, t1 int) {
	if t0 == t1 {
		return
	}
	a, x := b.s.lane, b.x
	at := slot*x.slot/4 + t0*x.steps*laneRows
	a.x = pointerOf(x.data[at:])
	a.stack = pointerOf(b.s.laneStack[(bits.OnesCount(uint(slot))*(b.t1-b.t0)+t0-b.t0)*laneTile:])
	a.dst = pointerOf(b.p.Dst.Data[x.start(t0)*b.p.Dst.Stride+n:])
	a.tiles, a.prefetch, a.prefetchStep = t1-t0, b.next, 0
	if b.left > 0 {
		a.prefetchStep = 64
		done := a.tiles * (x.steps / laneUnroll) * 64
		b.next, b.left = b.next+uintptr(done), b.left-done
	}
	b.m.lane.tile[rows](a)
}

// ahead makes the kernels prefetch the weights of a panel from column n on; more would push X out of the cache.
func (b *lanesBlock) ahead(n int) {
	w := b.p.W.Data[n*b.p.W.rowBytes():]
	b.next, b.left = uintptr(pointerOf(w)), min(len(w), laneCols*b.p.W.rowBytes())
}

// pack transposes the weights of panels from column n on into the scratch.
func (b *lanesBlock) pack(n, panels int) {
	b.s.lanePanel = grownAligned(b.s.lanePanel, panels*laneSlots*b.slot/4)
	f, w := b.p.W.format(), &b.p.W
	for i := range panels * laneCols / laneWidth {
		n, dst := n+i*laneWidth, b.s.lanePanel[i/2*laneSlots*b.slot/4+i%2*laneWidth:]
		whole := 0
		if packW := b.m.lane.packW[f]; packW != nil && w.Cols >= b.m.lane.unit[f] {
			whole = w.Cols / b.m.lane.unit[f]
			packW(&dst[0], &w.Data[n*w.rowBytes()], w.rowBytes(), whole, b.slot)
		}
		b.packWide(dst, n, whole*b.m.lane.unit[f])
	}
}

// packWide transposes laneWidth columns from n on, the weights from k on, through a widened copy.
func (b *lanesBlock) packWide(dst []float32, n, k int) {
	f, size, row := b.p.W.format(), b.p.W.DType.Size(), b.p.W.rowBytes()
	for ; k < b.p.W.Cols; k += depth {
		d := min(depth, b.p.W.Cols-k)
		steps := ceilDiv(d, laneSlots)
		for r := range laneWidth {
			to := b.s.wide[r*depth : (r+1)*depth]
			clear(to[d : steps*laneSlots])
			b.m.widen[f](to[:d], b.p.W.Data[(n+r)*row+k*size:][:d*size])
		}
		b.m.lane.packW[f32](&dst[k/laneSlots*laneCols], (*byte)(pointerOf(b.s.wide)), depth*4, steps, b.slot)
	}
}

// grownAligned is a slice of at least n elements that starts at a multiple of 64 bytes, s itself where that is long enough.
func grownAligned(s []float32, n int) []float32 {
	if len(s) >= n {
		return s
	}
	return aligned(n)
}
