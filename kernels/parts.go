package kernels

import (
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Products with bf16 weights through tiles, which multiply bfloat16 only. Each number of X is cut into three parts,
// x = p₀ + p₁ + p₂: p₀ is x with the lower half of its bits cleared, a bfloat16, p₁ the same of x - p₀, and p₂ what is
// left. 8 + 8 + 8 significant bits are those of x, so that the parts are exact, and so are their products with a weight;
// sums are f32. That is the option Parts. With the option BF16 there is
// one part: x rounded. partsGeneric is the specification.
//
// Weights are read straight from the map: a tile of 16 rows by 32 columns. X is packed once: tiles of up to 16 rows, of
// each 32 columns after 32 columns, of each part after part, [16 pairs of columns][rows][2].
//
//   - up to 16 rows of X wait for memory: W goes in 16 streams of rows that lie far apart (see tiled_streams.go);
//   - more: pairs of tiles of X by pairs of tiles of neighbouring rows of W.
//
// One row and many take the same kernels: an element of a product does not know the others.
const (
	tileRows   = 16 // rows of W, and of X at most, in a tile
	tileCols   = 32 // columns of both
	exactParts = 3

	partsRows      = 96       // rows of X at once,
	partsBytes     = 1200_000 // which as parts stay in the second cache, but not less than two tiles
	partsAhead     = 512      // distance of prefetches of streams, in bytes
	oneAhead       = 1024     // and of those of one row
	partsMACs      = 64 << 20 // of a chunk that packs X itself
	chunkMACsTiles = 16 << 20 // and of one that does not
	partsElems     = 512 << 10
	partsRoomBytes = exactParts * 1024
	partsSums      = partsRows / tileRows * 2 // tiles of sums of a call
)

// partsKernels are the kernels of a level with tiles, zero where it has none.
type partsKernels struct {
	split [exactParts + 1]func(dst *uint16, src *float32, room *byte, stride, rows, steps int) // by parts
	mul   [exactParts + 1][3][3]func(a *partsArgs)                                             // by parts; tiles of W, of X
	turn  func(dst, sums, bias *float32, stride, rows, cols int)

	// one multiplies a row of X by rowCols rows of W a turn, wide prepares that row; both by parts.
	one  [exactParts + 1]func(a *partsArgs)
	wide [exactParts + 1]func(dst *float32, src *uint16, n int)
}

// partsArgs is what a kernel reads; it changes counts and prefetches. Strides and steps in bytes, offsets known to
// internal/gen. A turn multiplies tiles of W with tiles of X and leaves the sums, tiles of 16 rows of 64 bytes, in acc,
// which moves along.
type partsArgs struct {
	x, w, acc      unsafe.Pointer
	wStride        int
	xStride        [2]int // of the pairs of columns of both tiles of X
	xSecond        int    // from the first tile of X to the second
	steps          int    // of tileCols columns
	count          int    // turns
	wNext, xNext   int    // from a turn to the next
	more           int    // 0: sums start at zero, else they go on from acc
	prefetch       uintptr
	prefetchStride int
	prefetchNext   int
	prefetches     int     // turns that prefetch 16 rows
	prefetchEnd    uintptr // from where prefetches are prefetchJump on
	prefetchJump   int
	config         [64]byte
}

// configure lays out the tiles: sums 0..3 of both tiles of W by both of X, W in 4 and 5, X in 6 and 7, or with one tile of
// W also in 5. wRows are the rows of the last tile of W, xRows those of both tiles of X, the second 0 where there is none.
func (a *partsArgs) configure(g, wRows int, xRows [2]int) {
	a.config = [64]byte{0: 1}
	set := func(tile, rows, bytes int) {
		a.config[16+2*tile], a.config[48+tile] = byte(bytes), byte(rows)
	}
	for i := range g {
		rows := tileRows
		if i == g-1 {
			rows = wRows
		}
		set(4+i, rows, 2*tileCols)
		for t, n := range xRows {
			if n > 0 {
				set(i+2*t, rows, 4*n)
			}
		}
	}
	second := xRows[1]
	if second == 0 {
		second = xRows[0]
		if g == 1 {
			set(5, tileRows, 4*second)
		}
	}
	set(6, tileRows, 4*xRows[0])
	set(7, tileRows, 4*second)
	a.xStride = [2]int{4 * xRows[0], 4 * xRows[1]}
}

// partRows are rows of X as parts; none: not packed.
type partRows struct {
	data  []uint16
	wide  []float32 // a row alone as its kernel wants it; none: there is no such kernel
	parts int
	cols  int
}

func (x *partRows) steps() int { return ceilDiv(x.cols, tileCols) }

// row is how many words a row takes.
func (x *partRows) row() int { return x.steps() * tileCols * x.parts }

// slice is rows [a,b): a must begin a tile, and b end one.
func (x *partRows) slice(a, b int) partRows {
	n := x.row()
	return partRows{x.data[a*n : b*n], x.wide, x.parts, x.cols}
}

// tiled says whether a product goes through tiles.
func (e *Engine) tiled(p *Product) bool { return e.tiledWeight(p.W) && !p.Exact }

func (e *Engine) tiledWeight(w Matrix) bool {
	k := &e.level.mat.parts
	return k.turn != nil && (e.bf16 || e.inParts) && w.DType == tensor.BF16 && w.Cols > 0
}

// partsOf is how many parts X is cut into.
func (e *Engine) partsOf() int {
	if e.bf16 {
		return 1
	}
	return exactParts
}

// partsHeight is how many rows of X are taken at once.
func (e *Engine) partsHeight(cols int) int {
	n := partsBytes / max(2*cols*e.partsOf(), 1) / (2 * tileRows) * 2 * tileRows
	return min(max(n, 2*tileRows), partsRows)
}

// room is rows of X yet to be packed, in words where there are enough.
func (e *Engine) partRows(words *[]uint16, rows, cols int) partRows {
	x := partRows{parts: e.partsOf(), cols: cols}
	*words = grown(*words, rows*x.row())
	x.data = (*words)[:rows*x.row()]
	return x
}

// splitTile packs the tile of x that begins with row t.
func (e *Engine) splitTile(s *scratch, to *partRows, x tensor.Mat, t int) {
	rows := min(tileRows, x.Rows-t)
	split, dst := e.level.mat.parts.split[to.parts], to.data[t*to.row():]
	steps, room := x.Cols/tileCols, &s.parts.room[0]
	if steps > 0 {
		split(&dst[0], &x.Data[t*x.Stride], room, 4*x.Stride, rows, steps)
	}
	if left := x.Cols - steps*tileCols; left > 0 {
		pad := s.parts.xTail
		clear(pad)
		for r := range rows {
			copy(pad[r*tileCols:(r+1)*tileCols], x.Row(t + r)[steps*tileCols:])
		}
		split(&dst[steps*tileCols*to.parts*rows], &pad[0], room, 4*tileCols, rows, 1)
	}
}

// widens says whether a row alone has a kernel of its own: two steps at a time.
func (x *partRows) widens(rows int) bool { return rows == 1 && x.cols%(2*tileCols) == 0 }

// widen prepares the only row for its kernel.
func (e *Engine) widen(x *partRows, floats *[]float32) {
	n := x.row()
	*floats = grown(*floats, n)
	x.wide = (*floats)[:n]
	e.level.mat.parts.wide[x.parts](&x.wide[0], &x.data[0], x.steps()/2)
}

// splitRows packs rows of x into the scratch of the worker.
func (e *Engine) splitRows(worker int, x tensor.Mat) partRows {
	s := &e.scratch[worker]
	to := e.partRows(&s.parts.x, x.Rows, x.Cols)
	for t := 0; t < x.Rows; t += tileRows {
		e.splitTile(s, &to, x, t)
	}
	if to.widens(x.Rows) {
		e.widen(&to, &s.parts.wide)
	}
	return to
}

// partsBlockCols is [Engine.BlockRows] of products through tiles, with so many multiply-adds a chunk.
func (e *Engine) partsBlockCols(rowsOfX, n, k, macs int) int {
	k, rowsOfX = max(k, 1), max(rowsOfX, 1)
	elems := partsElems
	if rowsOfX == 1 {
		elems = chunkElems
	}
	cols := min(macs/(k*rowsOfX), elems/k, n/(8*len(e.scratch)))
	if rowsOfX == 1 {
		return max(cols/rowCols, 1) * rowCols
	}
	if rowsOfX > tileRows {
		return max(cols/(2*tileRows), 1) * 2 * tileRows
	}
	return max(cols/tileRows, 1) * tileRows
}

// splitParts packs the X of products through tiles, each X once.
func (e *Engine) splitParts(parts []matMulPart) {
	words := 0
	for i := range parts {
		if p := &parts[i]; p.end > p.first && e.tiled(&p.Product) {
			x := partRows{parts: e.partsOf(), cols: p.X.Cols}
			words += x.row() * p.X.Rows
		}
	}
	if words == 0 {
		return
	}
	e.split.words = grown(e.split.words, words)
	e.split.run(e, parts)
}

// splitJob packs X of several products, a chunk a tile of rows.
type splitJob struct {
	e     *Engine
	words []uint16
	wide  []float32 // of products of one row
	list  []splitItem
}

type splitItem struct {
	x   tensor.Mat
	to  partRows
	end int // chunks
}

func (j *splitJob) run(e *Engine, parts []matMulPart) {
	j.e, j.list = e, j.list[:0]
	chunks, work, words := 0, 0, j.words
	for i := range parts {
		p := &parts[i]
		if p.end == p.first || !e.tiled(&p.Product) {
			continue
		}
		if p.parts = j.find(p.X); p.parts.parts > 0 {
			continue
		}
		p.parts = partRows{parts: e.partsOf(), cols: p.X.Cols}
		n := p.parts.row() * p.X.Rows
		p.parts.data, words = words[:n:n], words[n:]
		chunks += ceilDiv(p.X.Rows, tileRows)
		work += p.X.Rows * p.X.Cols
		j.list = append(j.list, splitItem{p.X, p.parts, chunks})
	}
	if work >= serialQuant {
		e.Run(chunks, j)
	} else {
		for i := range chunks {
			j.Do(0, i)
		}
	}
	j.widen(parts)
	clear(j.list)
}

// widen prepares rows that are alone.
func (j *splitJob) widen(parts []matMulPart) {
	floats := 0
	for i := range j.list {
		if x := &j.list[i].to; x.widens(j.list[i].x.Rows) {
			floats += x.row()
		}
	}
	if floats == 0 {
		return
	}
	j.wide = grown(j.wide, floats)
	for i, rest := 0, j.wide; i < len(j.list); i++ {
		if x := &j.list[i].to; x.widens(j.list[i].x.Rows) {
			j.e.widen(x, &rest)
			rest = rest[x.row():]
		}
	}
	for i := range parts {
		if p := &parts[i]; p.parts.parts > 0 {
			p.parts = j.find(p.X)
		}
	}
}

// find is x as parts where it has been seen, else none.
func (j *splitJob) find(x tensor.Mat) partRows {
	for i := range j.list {
		if y := &j.list[i].x; &y.Data[0] == &x.Data[0] && y.Rows == x.Rows && y.Cols == x.Cols && y.Stride == x.Stride {
			return j.list[i].to
		}
	}
	return partRows{}
}

// Do packs a tile.
func (j *splitJob) Do(worker, chunk int) {
	i, first := 0, 0
	for chunk >= j.list[i].end {
		first = j.list[i].end
		i++
	}
	item := &j.list[i]
	j.e.splitTile(&j.e.scratch[worker], &item.to, item.x, (chunk-first)*tileRows)
}

// ReadyRow is a row of activations prepared once for many calls of [Engine.Block] and [Engine.Gated]: on levels that
// prepare X for bf16 weights, each call does it else. The zero value is empty; it keeps its memory.
type ReadyRow struct {
	rows  partRows
	words []uint16
	wide  []float32
}

// Fill prepares x for products with weights like w, or empties r where e does not prepare X for such or x is not one row.
// Serial; no allocation after the first call of a size.
func (r *ReadyRow) Fill(e *Engine, x tensor.Mat, w Matrix) {
	r.rows = partRows{}
	if x.Rows != 1 || !e.tiledWeight(w) {
		return
	}
	to := e.partRows(&r.words, 1, x.Cols)
	e.splitTile(&e.scratch[0], &to, x, 0)
	if to.widens(1) {
		e.widen(&to, &r.wide)
	}
	r.rows = to
}

// of is the row as parts for a product, or none.
func (r *ReadyRow) of(p *Product) partRows {
	if r == nil || r.rows.cols != p.W.Cols || p.X.Rows != 1 {
		return partRows{}
	}
	return r.rows
}

// scratchParts is what a worker needs.
type scratchParts struct {
	args  *partsArgs
	x     []uint16  // rows of X as parts; grows
	wide  []float32 // a row widened; grows
	sums  []float32 // tiles of sums
	room  []byte    // of split kernels
	xTail []float32 // [tileRows][tileCols] the last, incomplete step of X
	wTail []uint16  // [streamCols][tileCols] and of W
}

func newScratchParts() scratchParts {
	return scratchParts{
		args: new(partsArgs), sums: aligned(max(partsSums, streamCols/tileRows) * 256), room: bytesOf(aligned(partsRoomBytes / 4)),
		xTail: aligned(tileRows * tileCols), wTail: as[uint16](bytesOf(aligned(streamCols * tileCols / 2))),
	}
}

// blockParts is block through tiles.
func (e *Engine) blockParts(worker int, p *Product, n0, n1 int) {
	b := partsBlock{e: e, s: &e.scratch[worker], p: *p, after: uintptr(pointerOf(e.then(p.Then, &p.W, n0, n1)))}
	height := e.partsHeight(p.W.Cols)
	for t := 0; t < p.X.Rows; t += height {
		b.t0, b.rows = t, min(height, p.X.Rows-t)
		if ready := p.Ready.of(p); ready.parts > 0 {
			b.x = ready
		} else if p.parts.parts > 0 {
			b.x = p.parts.slice(t, t+b.rows)
		} else {
			b.x = e.splitRows(worker, p.X.Slice(t, t+b.rows))
		}
		b.columns(n0, n1)
	}
}

// partsBlock is one call of blockParts on rows that are taken at once.
type partsBlock struct {
	e     *Engine
	s     *scratch
	p     Product
	x     partRows // of the rows
	after uintptr

	t0, rows int
}

// columns computes columns [n0,n1).
func (b *partsBlock) columns(n0, n1 int) {
	n := n0
	if b.x.wide != nil {
		n = b.ones(n0, n1)
	}
	if b.rows <= tileRows {
		for most := b.streamCols(); n1-n >= tileRows; {
			cols := min(most, (n1-n)/tileRows*tileRows)
			b.stream(n, cols, n1)
			n += cols
		}
	}
	for ; n < n1; n += 2 * tileRows {
		b.set(n, min(2*tileRows, n1-n), n1)
	}
}

// streamCols is how many columns go in streams at once.
func (b *partsBlock) streamCols() int {
	cols := min(streamCols, streamBytes/max(b.p.W.rowBytes(), 1))
	return max(cols/tileRows*tileRows, tileRows)
}

// ones computes columns from n0 on of one row, as many as come in groups of rowCols, and says where it stopped.
func (b *partsBlock) ones(n0, n1 int) int {
	most := max(min(streamCols, streamBytes/b.p.W.rowBytes())/rowCols, 1) * rowCols
	n := n0
	for n1-n >= rowCols {
		cols := min(most, (n1-n)/rowCols*rowCols)
		a, row, turns := b.s.parts.args, b.p.W.rowBytes(), cols/rowCols
		b.ahead(n, cols, n1, turns*row, oneAhead)
		a.x, a.w, a.acc = pointerOf(b.x.wide), unsafe.Pointer(&b.p.W.Data[n*row]), pointerOf(b.s.parts.sums)
		a.wStride, a.steps, a.count = turns*row, b.x.steps(), turns
		b.e.level.mat.parts.one[b.x.parts](a)
		dst := b.p.Dst.Row(b.t0)[n : n+cols]
		for i := range rowCols {
			for j, to := 0, dst[i*turns:(i+1)*turns]; j < len(to); j++ {
				to[j] = b.s.parts.sums[j*rowCols+i]
			}
		}
		b.bias(dst, n)
		n += cols
	}
	return n
}

// ahead sets prefetches of streams of columns [n,n+cols), each of so many bytes: where they end they go on with what
// comes next.
func (b *partsBlock) ahead(n, cols, n1, stream, distance int) {
	a, row := b.s.parts.args, b.p.W.rowBytes()
	w := uintptr(unsafe.Pointer(unsafe.SliceData(b.p.W.Data))) + uintptr(n*row)
	next := b.after
	if n+cols < n1 {
		next = w + uintptr(cols*row)
	}
	a.prefetch, a.prefetchEnd = w+uintptr(distance), w+uintptr(stream)
	a.prefetchJump = int(next - a.prefetchEnd)
	if next == 0 {
		a.prefetchEnd = ^uintptr(0)
	}
}

// bias adds the bias to columns from n on.
func (b *partsBlock) bias(dst []float32, n int) {
	if b.p.Bias == nil {
		return
	}
	for i, v := range b.p.Bias[n : n+len(dst)] {
		dst[i] += v
	}
}

// stream computes columns [n,n+cols) in 16 streams: column i of the turn j is n + i·turns + j.
func (b *partsBlock) stream(n, cols, n1 int) {
	a, row, turns := b.s.parts.args, b.p.W.rowBytes(), cols/tileRows
	a.configure(1, tileRows, [2]int{b.rows, 0})
	a.wStride, a.wNext, a.xNext = turns*row, row, 0
	a.prefetchStride, a.prefetchNext, a.prefetches = turns*row, row, turns
	b.ahead(n, cols, n1, turns*row, partsAhead)
	b.multiply(n, cols, 0, turns, 1, 1)
	b.spread(n, turns)
}

// multiply runs a kernel of g tiles of W by t of X, from column n and row r of the block on. cols are the columns of all
// turns where these go over W, of one where they go over X.
func (b *partsBlock) multiply(n, cols, r, count, g, t int) {
	a, kernel, x := b.s.parts.args, b.e.level.mat.parts.mul[b.x.parts][g][t], &b.x
	row, whole := b.p.W.rowBytes(), b.p.W.Cols/tileCols
	at := unsafe.Pointer(&b.x.data[r*x.row()])
	step := 2 * tileCols * x.parts // bytes of a row
	wNext, wStride := a.wNext, a.wStride
	a.x, a.xSecond, a.acc, a.more, a.steps = at, tileRows*2*x.row(), pointerOf(b.s.parts.sums), 0, whole
	if whole > 0 {
		a.w, a.count = unsafe.Pointer(&b.p.W.Data[n*row]), count
		kernel(a)
	}
	if whole == x.steps() {
		return
	}
	clear(b.s.parts.wTail)
	for i := range cols {
		from := as[uint16](b.p.W.Data[(n+i)*row : (n+i+1)*row])
		copy(b.s.parts.wTail[i*tileCols:(i+1)*tileCols], from[whole*tileCols:])
	}
	a.w, a.wStride, a.wNext = pointerOf(b.s.parts.wTail), wStride/row*2*tileCols, wNext/row*2*tileCols
	a.x = unsafe.Add(at, whole*step*a.xStride[0]/4)
	a.xSecond += whole * step * (a.xStride[1] - a.xStride[0]) / 4
	a.acc, a.more, a.steps, a.count, a.prefetches = pointerOf(b.s.parts.sums), whole, 1, count, 0
	kernel(a)
}

// set computes up to two tiles of columns from n on, all rows.
func (b *partsBlock) set(n, cols, n1 int) {
	row := b.p.W.rowBytes()
	next := b.after
	if n+cols < n1 {
		next = uintptr(unsafe.Pointer(unsafe.SliceData(b.p.W.Data))) + uintptr((n+cols)*row)
	}
	pairs, rest := b.rows/(2*tileRows), b.rows%(2*tileRows)
	if pairs > 0 {
		b.tiles(n, cols, 0, pairs, [2]int{tileRows, tileRows}, next)
		next = 0
	}
	switch {
	case rest > tileRows:
		b.tiles(n, cols, b.rows-rest, 1, [2]int{tileRows, rest - tileRows}, next)
	case rest > 0:
		b.tiles(n, cols, b.rows-rest, 1, [2]int{rest, 0}, next)
	}
}

// tiles computes columns of count pairs of tiles of X, from row r of the block on; next are weights to prefetch, or 0.
func (b *partsBlock) tiles(n, cols, r, count int, xRows [2]int, next uintptr) {
	a, row := b.s.parts.args, b.p.W.rowBytes()
	g, t := ceilDiv(cols, tileRows), 2
	if xRows[1] == 0 {
		t = 1
	}
	a.configure(g, cols-(g-1)*tileRows, xRows)
	a.wStride, a.wNext, a.xNext = row, 0, 2*tileRows*2*b.x.row()
	a.prefetch, a.prefetchStride, a.prefetchNext, a.prefetchEnd, a.prefetches = next, row, tileRows*row, ^uintptr(0), 0
	if next != 0 {
		a.prefetches = min(count, 2)
	}
	b.multiply(n, cols, r, count, g, t)
	for i := range count * t * g {
		at := i % g * tileRows
		b.turn(i, n+at, min(tileRows, cols-at), r+i/g*tileRows, xRows[i/g%t])
	}
}

// turn stores tile i of the sums in columns from n on and rows from row r of the block on.
func (b *partsBlock) turn(i, n, cols, r, rows int) {
	p := &b.p
	bias := b.s.noBias
	if p.Bias != nil {
		bias = p.Bias[n:]
	}
	b.e.level.mat.parts.turn(&p.Dst.Data[(b.t0+r)*p.Dst.Stride+n], &b.s.parts.sums[i*256], &bias[0], 4*p.Dst.Stride, rows, cols)
}

// spread puts the columns of streams where they belong.
func (b *partsBlock) spread(n, turns int) {
	sums := b.s.parts.sums
	for t := range b.rows {
		dst := b.p.Dst.Row(b.t0 + t)[n : n+turns*tileRows]
		for j := range turns {
			from := sums[j*256+t : j*256+241+t]
			for i := range tileRows {
				dst[i*turns+j] = from[i*16]
			}
		}
		b.bias(dst, n)
	}
}
