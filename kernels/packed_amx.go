package kernels

import (
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// tileRoom is where kernels of tiles find their weights and leave sums: all that they touch over and over, but X, in the
// first cache. Sizes known to internal/gen.
//
//	twice:                                       of one step, and of the next one
//	  [2 blocks][2 panels][16 rows of X][16] i32   sums, as they come from tiles
//	  [16] u32                                     the bits of magic, which sums start from
//	[64] bytes                                   configuration of the tiles
//	[pairSteps][2 blocks] records                [2 panels][8][16 rows][4 k] i8, then [2 panels][ws, magic·ws, wm][16] f32
//	[packedRows][2 panels][16] f32               outputs so far
type tileRoom struct{ data []byte }

const (
	roomMagic   = 4096
	roomHalf    = roomMagic + 64
	roomConfig  = 2 * roomHalf
	roomRecords = roomConfig + 64
	roomOut     = roomRecords + pairSteps*2*recordBytes
	roomBytes   = roomOut + packedRows*outBytes

	recordPanel, recordScales, recordBytes = 512, 1024, 1408

	outBytes = 2 * panelRows * 4
)

func newTileRoom() tileRoom {
	r := tileRoom{bytesOf(aligned(roomBytes / 4))}
	for _, half := range []int{0, roomHalf} {
		start := as[uint32](r.data[half+roomMagic : half+roomHalf])
		for i := range start {
			start[i] = magicBits
		}
	}
	return r
}

// configure lays out tiles for so many rows of X: 0..3 are sums [rows, 16] i32, 4 and 5 are X [rows, 32] i8, 6 and 7
// are weights [8, 64] i8.
func (r tileRoom) configure(rows int) {
	c := r.data[roomConfig:roomRecords]
	c[0] = 1 // palette
	for t, width := range [8]uint16{64, 64, 64, 64, blockDepth, blockDepth, 64, 64} {
		as[uint16](c[16:48])[t] = width
		c[48+t] = byte(rows)
		if t >= 6 {
			c[48+t] = blockDepth / 4
		}
	}
}

// records are what widen fills for panel i of a pair: its scales and its weights.
func (r tileRoom) records(i int) (scales, data *byte) {
	return &r.data[roomRecords+recordScales+i*3*4*panelRows], &r.data[roomRecords+i*recordPanel]
}

// at is the address of a place in the room.
func (r tileRoom) at(place int) uintptr { return uintptr(unsafe.Pointer(&r.data[place])) }

// tilesArgs is what kernels of tiles read and count down; offsets known to internal/gen. Addresses move on to what comes
// next and are no pointers then; scratch and task keep what they point at.
type tilesArgs struct {
	x                      uintptr
	xStride                int // bytes
	steps                  int
	tiles                  int // of X's rows, one after the other
	out, records           uintptr
	half                   [2]uintptr
	config                 uintptr
	dst                    [2]uintptr
	dstStride              int // bytes
	prefetch               [2]uintptr
	lines                  int // to prefetch of each in a step
	more                   int // 0: outputs start at zero
	last                   int // not 0: they go to dst in the end
	_                      int // steps left, counted by the kernel
	aheadX                 uintptr
	aheadSteps, aheadTiles int
}

// pairTiles are the kernels of a level with tiles, by rows of X, 11 to 16: what 32 rows or more are cut into. widen fills
// a panel's records, the first step at p.
type pairTiles struct {
	pair  [numPackFormats][]func(*tilesArgs)
	fetch func(p uintptr, lines int)
	widen [numPackFormats]func(scales, data, p, head *byte, steps int)
}

// run multiplies all rows with two panels: pairSteps at a time their weights are widened, then all rows pass, in tiles of
// equal height.
func (k *pairTiles) run(s *scratch, t *panelTask) {
	a, p := &s.tiles, packings[t.f]
	if t.cold {
		t.start(k.fetch)
		t.cold = false
	}
	c := tile(t.x.Rows, len(k.pair[t.f])-1)
	a.xStride, a.dstStride = t.x.stride, 4*t.dst[0].Stride
	a.records, a.half, a.config = s.room.at(roomRecords), [2]uintptr{s.room.at(0), s.room.at(roomHalf)}, s.room.at(roomConfig)
	for from := 0; from < t.k; from += pairSteps {
		a.steps, a.more, a.last = min(pairSteps, t.k-from), from, 0
		if from+pairSteps >= t.k {
			a.last = 1
		}
		for i := range 2 {
			scales, data := s.room.records(i)
			k.widen[t.f](scales, data, &t.w[i][p.head+from*p.step], &t.w[i][0], a.steps)
		}
		a.prefetch, a.lines = t.ahead(from, c.tiles())
		k.part(s, t, from, 0, c.big, c.nBig)
		k.part(s, t, from, c.big*c.nBig, c.small, c.nSmall)
	}
}

// part multiplies the rows of so many tiles of one height, from row r on.
func (k *pairTiles) part(s *scratch, t *panelTask, from, r, height, tiles int) {
	if tiles == 0 {
		return
	}
	a := &s.tiles
	a.x = uintptr(unsafe.Pointer(&t.x.data[r*t.x.stride+from*2*t.block]))
	a.out = s.room.at(roomOut + r*outBytes)
	for i := range 2 {
		a.dst[i] = addressOf(t.dst[i], r)
	}
	a.tiles, a.aheadX, a.aheadSteps, a.aheadTiles = tiles, a.x, a.steps, tiles
	s.room.configure(height)
	k.pair[t.f][height](a)
}

// addressOf is where row r of m is.
func addressOf(m tensor.Mat, r int) uintptr { return uintptr(unsafe.Pointer(&m.Data[r*m.Stride])) }
