package kernels

import (
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// packedArgs is what tile kernels on packed weights read; offsets known to internal/gen.
type packedArgs struct {
	x             unsafe.Pointer
	xStride       int // bytes
	w, scale, dst [2]unsafe.Pointer
	dstStride     int        // bytes
	prefetch      [2]uintptr // pair kernels: what to prefetch; others: where to go on at the end of the panel
	lines         int        // that pair kernels prefetch of each in a step
	steps         int
	more          int // of pair kernels: 0: start sums at zero, else go on from sum
	panelBytes    int
	sum           [2]unsafe.Pointer
	sumStride     int // bytes
}

// packedTiles are the tile kernels of a level, by rows of X. widen prepares steps of a panel (the first at p, its head
// apart) for pair kernels and gives the address of the weights they read.
type packedTiles struct {
	panel [numPackFormats][]func(*packedArgs)
	group [numPackFormats][numGroups][]func(*packedArgs)
	pair  [numPackFormats][]func(*packedArgs)
	fetch func(p uintptr, lines int)
	widen [numPackFormats]func(b *pairBuffer, p, head unsafe.Pointer, steps int) unsafe.Pointer
}

// pairSteps is how many steps of a pair of panels are multiplied with all rows before the next: 512 k, whose
// weights stay in L1.
const pairSteps = 8

// pairBuffer is a worker's room for the widened weights of a panel.
type pairBuffer struct {
	scale []float32 // [pairSteps][2 blocks][ws, magic·ws, wm][16]
	data  []byte    // [pairSteps][2][8][16][4]
}

func newPairBuffer() pairBuffer {
	return pairBuffer{aligned(pairSteps * 2 * 3 * panelRows), bytesOf(aligned(pairSteps * stepDepth * panelRows / 4))}
}

func bytesOf(f []float32) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), 4*len(f)) }

// runPanel multiplies all rows with one panel, in tiles of equal height.
func (k *packedTiles) runPanel(s *scratch, t *panelTask) { s.packed.run(t, k.panel[t.f]) }

// run multiplies all rows of a task, in tiles of equal height; kernels[n] takes n rows.
func (a *packedArgs) run(t *panelTask, kernels []func(*packedArgs)) {
	a.w[0] = unsafe.Pointer(unsafe.SliceData(t.w[0]))
	a.follow(t)
	a.xStride, a.dstStride, a.steps = t.x.stride, 4*t.dst[0].Stride, t.k
	c := tile(t.x.Rows, len(kernels)-1)
	for r := 0; r < t.x.Rows; {
		n := c.height(r)
		a.x, a.dst[0] = unsafe.Pointer(&t.x.data[r*t.x.stride]), unsafe.Pointer(&t.dst[0].Data[r*t.dst[0].Stride])
		kernels[n](a)
		r += n
	}
}

// groupPanels is how many panels are read side by side for few rows, the more the better: one stream leaves part of the
// memory idle.
var groupPanels = [numGroups]int{4, 2}

const numGroups = 2

// runGroup multiplies up to groupRows rows with neighbouring panels, columns side by side in dst[0]. Tiles of rows behind the
// first find the panels in the caches.
func (k *packedTiles) runGroup(s *scratch, t *panelTask, group int) {
	s.packed.run(t, k.group[t.f][group])
}

// follow tells panel kernels where prefetches go on; without a next, where they are cheap.
func (a *packedArgs) follow(t *panelTask) {
	a.panelBytes, a.prefetch[0] = len(t.w[0]), uintptr(a.w[0])
	if t.next[0] != nil {
		a.prefetch[0] = uintptr(unsafe.Pointer(unsafe.SliceData(t.next[0])))
	}
}

// height is how tall the tile at row r is.
func (c tiling) height(r int) int {
	if r < c.big*c.nBig {
		return c.big
	}
	return c.small
}

// runPair multiplies all rows with two panels: pairSteps at a time their scales are widened, then all tiles pass. Sums
// stand in scratch until the last ones go to their place, whose rows may lie a power of two apart.
func (k *packedTiles) runPair(s *scratch, t *panelTask) {
	a := &s.packed
	p := packings[t.f]
	c := tile(t.x.Rows, len(k.pair[t.f])-1)
	tiles := c.nBig + c.nSmall
	a.xStride, a.sumStride = t.x.stride, 4*panelRows
	if t.cold {
		t.start(k.fetch)
		t.cold = false
	}
	for from := 0; from < t.k; from += pairSteps {
		a.steps, a.more = min(pairSteps, t.k-from), from
		for i := range 2 {
			head := unsafe.Pointer(unsafe.SliceData(t.w[i]))
			at := unsafe.Add(head, p.head+from*p.step)
			a.w[i] = k.widen[t.f](&s.pairs[i], at, head, a.steps)
			a.scale[i] = unsafe.Pointer(unsafe.SliceData(s.pairs[i].scale))
		}
		a.prefetch, a.lines = t.ahead(from, tiles)
		dst := s.sums
		if from+pairSteps >= t.k {
			dst = t.dst
		}
		k.tiles(a, t, c, from, &s.sums, &dst)
	}
}

// ahead spreads the prefetches of the slice behind the one at from over the tiles: of the same panels, at their end of
// the next ones.
func (t *panelTask) ahead(from, tiles int) (prefetch [2]uintptr, lines int) {
	p, w, at := packings[t.f], t.w, from+pairSteps
	if at >= t.k {
		w, at = t.next, 0
	}
	if w[0] == nil || w[1] == nil {
		return prefetch, 0
	}
	for i := range 2 {
		prefetch[i] = uintptr(unsafe.Pointer(unsafe.SliceData(w[i]))) + uintptr(p.head+at*p.step)
	}
	return prefetch, ceilDiv(p.step/64, tiles)
}

// start asks for the first slice of the first pair of a call.
func (t *panelTask) start(fetch func(p uintptr, lines int)) {
	p := packings[t.f]
	for i := range 2 {
		fetch(uintptr(unsafe.Pointer(unsafe.SliceData(t.w[i]))), (p.head+min(pairSteps, t.k)*p.step)/64)
	}
}

func (k *packedTiles) tiles(a *packedArgs, t *panelTask, c tiling, from int, sum, dst *[2]tensor.Mat) {
	a.dstStride = 4 * dst[0].Stride
	for r := 0; r < t.x.Rows; {
		n := c.height(r)
		a.x = unsafe.Pointer(&t.x.data[r*t.x.stride+from*2*t.block])
		for i := range 2 {
			a.dst[i] = unsafe.Pointer(&dst[i].Data[r*dst[i].Stride])
			a.sum[i] = unsafe.Pointer(&sum[i].Data[r*panelRows])
		}
		k.pair[t.f][n](a)
		for i := range 2 {
			a.prefetch[i] += uintptr(64 * a.lines * a.steps)
		}
		r += n
	}
}
