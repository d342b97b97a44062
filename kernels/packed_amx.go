package kernels

import (
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// tileRoom is where kernels of tiles find their weights and leave sums: all that they touch over and over, but X, in the
// first cache. Sizes known to internal/gen.
//
//	[2 blocks][2 panels][16 rows of X][16] i32   sums, as they come from tiles
//	[16] u32                                     the bits of magic, which sums start from
//	[64] bytes                                   configuration of the tiles
//	[pairSteps][2 blocks] records                [2 panels][8][16 rows][4 k] i8, then [2 panels][ws, magic·ws, wm][16] f32
type tileRoom struct{ data []byte }

const (
	roomMagic, roomConfig, roomRecords = 4096, 4160, 4224

	recordPanel, recordScales, recordBytes = 512, 1024, 1408
)

func newTileRoom() tileRoom {
	r := tileRoom{bytesOf(aligned((roomRecords + pairSteps*2*recordBytes) / 4))}
	start := as[uint32](r.data[roomMagic:roomConfig])
	for i := range start {
		start[i] = magicBits
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

// pairTiles are the kernels of a level with tiles, by rows of X. widen fills a panel's records, the first step at p.
type pairTiles struct {
	pair  [numPackFormats][]func(*packedArgs)
	fetch func(p uintptr, lines int)
	widen [numPackFormats]func(scales, data, p, head *byte, steps int)
}

// run multiplies all rows with two panels: pairSteps at a time their weights are widened, then all rows pass, in tiles of
// equal height. Sums stand in scratch until the last ones go to their place.
func (k *pairTiles) run(s *scratch, t *panelTask) {
	a, p := &s.packed, packings[t.f]
	if t.cold {
		t.start(k.fetch)
		t.cold = false
	}
	c := tile(t.x.Rows, len(k.pair[t.f])-1)
	a.xStride, a.sumStride, a.room = t.x.stride, 4*panelRows, unsafe.Pointer(&s.room.data[0])
	for from := 0; from < t.k; from += pairSteps {
		a.steps, a.more = min(pairSteps, t.k-from), from
		for i := range 2 {
			scales, data := s.room.records(i)
			k.widen[t.f](scales, data, &t.w[i][p.head+from*p.step], &t.w[i][0], a.steps)
		}
		t.ahead(a, from, c.tiles())
		dst := s.sums
		if from+pairSteps >= t.k {
			dst = t.dst
		}
		k.part(s, t, from, 0, c.big, c.nBig, &dst)
		k.part(s, t, from, c.big*c.nBig, c.small, c.nSmall, &dst)
	}
}

// part multiplies the rows of so many tiles of one height, from row r on.
func (k *pairTiles) part(s *scratch, t *panelTask, from, r, height, tiles int, dst *[2]tensor.Mat) {
	if tiles == 0 {
		return
	}
	a := &s.packed
	a.x, a.dstStride, a.tiles = unsafe.Pointer(&t.x.data[r*t.x.stride+from*2*t.block]), 4*dst[0].Stride, tiles
	for i := range 2 {
		a.dst[i] = unsafe.Pointer(&dst[i].Data[r*dst[i].Stride])
		a.sum[i] = unsafe.Pointer(&s.sums[i].Data[r*panelRows])
		a.dstAt[i], a.sumAt[i] = uintptr(a.dst[i]), uintptr(a.sum[i])
	}
	s.room.configure(height)
	k.pair[t.f][height](a)
}
