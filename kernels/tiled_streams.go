package kernels

// Products of one or two tiles wait for memory. Columns are then taken in streams: a group is not neighbouring rows of
// W but rows far apart, and the next group the rows after those, so that each row of a group begins a long stream of its
// own pages. One or two long streams leave half of the memory idle, and prefetchers of CPUs lose the thread where two
// streams share a page.
const (
	streamTiles = 2         // most tiles that go in streams
	rowCols     = 8         // weight rows that a row kernel takes at once
	streamCols  = 128       // most columns of a block
	streamBytes = 512 << 10 // about as many bytes of weights go with a call
	rowAhead    = 512       // distance of the row kernel's prefetches, in bytes
	streamAhead = 1024      // and of one tile
	directTurn  = 128       // bytes of a row of W that go with one prefetch where a tile is alone
)

// streams says how the columns of a block are taken: column i of the group j is j + i·apart. Zero: one after the other.
type streams struct {
	width, apart int // columns of a group, and from one to the next
	group        int // the first one that runs

	after uintptr // weights that are read after all columns of the call, 0 where that is not known
}

// column is where in the block the column is that stands at i of the groups that run.
func (s *streams) column(i int) int {
	if s.width == 0 {
		return i
	}
	return s.group + i/s.width + i%s.width*s.apart
}

// after is the address of the weights that the worker of columns [n0,n1) will most likely want afterwards, or 0.
func (e *Engine) after(p *Product, n0, n1 int) uintptr {
	then := e.then(p.Then, &p.W, n0, n1)
	if len(then) == 0 {
		return 0
	}
	return uintptr(pointerOf(then))
}

// allStreams computes columns [n0,n1), a multiple of colGroup.
func (b *tiledBlock) allStreams(n0, n1 int) {
	most := min(streamCols, streamBytes/max(b.p.W.rowBytes(), 1))
	for n := n0; n < n1; n += b.cols {
		width := colGroup
		if b.rows == 1 && !b.dot && n1-n >= rowCols && b.m.row[b.f][1] != nil {
			width = rowCols
		}
		b.n, b.cols = n, max(min(most, n1-n)/width, 1)*width
		b.width, b.apart, b.group = width, b.cols/width, 0
		b.stream(n+b.cols == n1)
	}
}

// stream computes the block through the scratch and puts the columns where they belong.
func (b *tiledBlock) stream(last bool) {
	a, row, runs := b.s.args, b.p.W.rowBytes(), 1
	width := b.width
	a.wNext, a.dstStride, a.bias = row, b.cols*4, pointerOf(b.s.noBias)
	a.prefetchEnd = ^uintptr(0)
	if last && b.after != 0 {
		a.prefetchEnd = uintptr(pointerOf(b.weights(0, 0))) + uintptr(b.apart*row)
		a.prefetchJump = int(b.after - a.prefetchEnd)
	}
	if b.tiles() > 1 {
		runs = b.apart
	}
	for j := range runs {
		b.group, b.width = j, width
		a.groups, a.wNext = b.apart/runs, row
		b.dst = pointerOf(b.s.narrow[j*width:])
		b.ranges()
	}
	b.spread(width)
}

// passStreams prepares d elements at k of the groups.
func (b *tiledBlock) passStreams(k, d int) {
	a, row := b.s.args, b.p.W.rowBytes()
	a.w, a.wStride, a.wNext = pointerOf(b.weights(0, k)), b.apart*row, row
	w := uintptr(a.w)
	switch {
	case b.width == rowCols:
		a.prefetch, a.prefetchNext = w+rowAhead, row-d*b.size/64*64
	case b.tiles() == 1:
		b.prefetch(w+streamAhead, a.wStride, d)
		if !b.dot {
			a.prefetchStep = directTurn
		}
	default:
		b.prefetch(w+uintptr(max(d*b.size, farAhead)), a.wStride, d)
	}
}

// spread stores the columns of the groups and adds the bias.
func (b *tiledBlock) spread(width int) {
	for t := range b.rows {
		dst, from := b.p.Dst.Row(b.t0 + t)[b.n:b.n+b.cols], b.s.narrow[t*b.cols:(t+1)*b.cols]
		for c := range width {
			for j, to := 0, dst[c*b.apart:(c+1)*b.apart]; j < len(to); j++ {
				to[j] = from[j*width+c]
			}
		}
		if b.p.Bias == nil {
			continue
		}
		for i, v := range b.p.Bias[b.n : b.n+b.cols] {
			dst[i] += v
		}
	}
}
