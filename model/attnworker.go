package model

import (
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// attnWorker is one worker's scratch of attention, and the part that it works on. A row is a query head of a token.
type attnWorker struct {
	st   *state
	a    *gqa
	ops  *kernels.Ops
	job  *attnJob
	part *attnPart
	kv   int
	head kvHead
	per  int // rows of a token

	q      tensor.Mat  // [rows,D] queries times scale
	scores tensor.Mat  // [rows,pageTokens]
	seg    softmaxRows // of the segment at work
	total  softmaxRows // of the segments before

	shrink []float32 // [rows]

	buf  []float32 // of the above
	wide []float32 // keys and values of a page of halves
	half []uint16  // [D]
}

// softmaxRows are unfinished softmaxes: out[r] = Σ e^(score-top)·value and sum[r] = Σ e^(score-top).
type softmaxRows struct {
	top, sum []float32
	out      tensor.Mat // [rows, D rounded up]
}

// partialSize is the floats of softmaxRows for n tokens.
func (a *gqa) partialSize(n int) int {
	return n * (a.spec.Heads / a.spec.KVHeads) * (2 + roundUp(a.spec.HeadDim, kernels.ColBlock))
}

// softmaxOf lays softmaxRows over memory.
func softmaxOf(buf []float32, rows, wide int) softmaxRows {
	return softmaxRows{top: buf[:rows], sum: buf[rows : 2*rows], out: tensor.MatOf(buf[2*rows:rows*(2+wide)], rows, wide)}
}

// store prepares the tokens of a tile and writes their keys and values, head by head: they share cache lines.
func (w *attnWorker) store(j *attnJob, tile attnTile) {
	st, a := j.st, j.a
	d := a.spec.HeadDim
	if len(w.half) < d {
		w.half = make([]uint16, d)
	}
	for t := tile.t; t < tile.t+tile.n; t++ {
		a.prepare(st, t)
	}
	page, at := st.seqs[tile.t].pages[st.pos[tile.t]/pageTokens], int(st.pos[tile.t]%pageTokens)
	for h := range a.spec.KVHeads {
		kv := a.spec.head(j.offset, h).in(page, st.layout.half)
		for i := range tile.n {
			key, value := st.k.Row(tile.t + i)[h*d:(h+1)*d], st.v.Row(tile.t + i)[h*d:(h+1)*d]
			kv.put(st.eng.Ops(), at+i, key, value, w.half[:d])
		}
	}
}

// begin takes on a part for a KV head.
func (w *attnWorker) begin(j *attnJob, part *attnPart, kv int) {
	w.st, w.a, w.ops, w.job, w.part, w.kv = j.st, j.a, j.st.eng.Ops(), j, part, kv
	s := &j.a.spec
	w.head, w.per = s.head(j.offset, kv), s.Heads/s.KVHeads
	rows, d, wide := part.n*w.per, s.HeadDim, w.head.wide
	need := rows*(d+pageTokens+1) + 2*j.a.partialSize(part.n)
	if len(w.buf) < need {
		w.buf = make([]float32, need)
	}
	buf := w.buf
	w.q, buf = tensor.MatOf(buf[:rows*d], rows, d), buf[rows*d:]
	w.scores, buf = tensor.MatOf(buf[:rows*pageTokens], rows, pageTokens), buf[rows*pageTokens:]
	w.shrink, buf = buf[:rows], buf[rows:]
	w.seg, buf = softmaxOf(buf, rows, wide), buf[j.a.partialSize(part.n):]
	w.total = softmaxOf(buf, rows, wide)
	for t := range part.n {
		q := w.q.Data[t*w.per*d : (t+1)*w.per*d]
		copy(q, w.st.q.Row(part.t + t)[kv*w.per*d:])
		w.ops.Scale(q, w.a.scale())
	}
}

// work attends over the part's segments. The last part of a split unit merges all of them.
func (w *attnWorker) work() {
	p := w.part
	if p.split < 0 {
		for seg := p.from; seg < p.to; seg++ {
			w.segment(seg)
			w.merge(seg, &w.seg)
		}
		w.finish()
		return
	}
	split, size := &w.job.splits[p.split+w.kv], w.a.partialSize(p.n)
	saved := func(seg int) softmaxRows {
		return softmaxOf(w.job.partial[split.at+(seg-split.first)*size:], p.n*w.per, w.head.wide)
	}
	for seg := p.from; seg < p.to; seg++ {
		w.seg = saved(seg)
		w.segment(seg)
	}
	if split.left.Add(-1) > 0 {
		return
	}
	for seg := split.first; seg < split.last; seg++ {
		w.seg = saved(seg)
		w.merge(seg, &w.seg)
	}
	w.finish()
}

// look is where token i of the part looks in a page: positions [lo,hi) of it, counted from the page's first.
func (w *attnWorker) look(i, page int) (lo, hi int) {
	pos := int(w.st.pos[w.part.t]) + i
	return max(w.a.first(pos)-page*pageTokens, 0), min(pos+1-page*pageTokens, pageTokens)
}

// seeing is how many tokens of the part see anything before position end: with a window, later ones may not.
func (w *attnWorker) seeing(end int) int {
	n := w.part.n
	for n > 0 && w.a.first(int(w.st.pos[w.part.t])+n-1) >= end {
		n--
	}
	return n
}

// segment attends over one segment into w.seg.
func (w *attnWorker) segment(seg int) {
	for r := range w.seg.top {
		w.seg.top[r] = float32(math.Inf(-1))
	}
	clear(w.seg.sum)
	clear(w.seg.out.Data)
	pos := int(w.st.pos[w.part.t])
	from := max(seg*segmentPages, w.a.first(pos)/pageTokens)
	last := (pos + w.part.n - 1) / pageTokens
	to := min((seg+1)*segmentPages, last+1)
	pages := w.st.seqs[w.part.t].pages
	for p := from; p < to; p++ {
		first, n := max(0, p*pageTokens-pos)*w.per, w.seeing((p+1)*pageTokens)*w.per
		kv := w.head.in(pages[p], w.st.layout.half)
		values, next := kv.values(0), kernels.ColBlocks{}
		if p < last {
			behind := w.head.in(pages[p+1], w.st.layout.half)
			next = behind.keys(0)
		}
		if kv.f16 != nil && n-first > rowBlock {
			kv = w.widen(kv)
		}
		if first == 0 && w.whole(p, n) {
			w.page(n, ahead(kv.keys(0), &values), ahead(kv.values(0), &next))
			continue
		}
		w.score(p, first, n, &kv)
		w.mix(p, first, n, &kv)
	}
}

// widen turns a page of halves into f32, which pays where several blocks of rows share it.
func (w *attnWorker) widen(kv kvView) kvView {
	k, v := pageTokens*kv.dim, pageTokens*kv.wide
	if len(w.wide) < k+v {
		w.wide = make([]float32, k+v)
	}
	w.ops.WidenF16(w.wide[:k], kv.f16[kv.kvHead.keys:][:k])
	w.ops.WidenF16(w.wide[k:k+v], kv.f16[kv.kvHead.values:][:v])
	return kvHead{0, k, kv.dim, kv.wide}.in(w.wide[:k+v], false)
}

// whole says whether n rows see all of page p.
func (w *attnWorker) whole(p, n int) bool {
	_, hi := w.look(0, p)
	lo, _ := w.look((n-1)/w.per, p)
	return lo == 0 && hi == pageTokens
}

// page attends with n rows over a page that they all see.
func (w *attnWorker) page(n int, keys, values kernels.ColBlocks) {
	s := w.scores.Slice(0, n)
	w.ops.MulColBlocks(s, w.q.Slice(0, n), keys, false)
	w.step(s, 0, n)
	w.ops.MulColBlocks(w.seg.out.Slice(0, n), s, values, true)
}

// rowBlock is how many rows the kernels take at once.
const rowBlock = 6

// score fills e^(score-top) of rows [r,n) over page p, having scaled what the rows have gathered where top rises.
func (w *attnWorker) score(p, r, n int, kv *kvView) {
	for r < n {
		end := r + blockOf(n-r)
		lo, _ := w.look(r/w.per, p)
		_, hi := w.look((end-1)/w.per, p)
		c, to := lo/kvBlock, roundUp(hi, kvBlock)
		s := w.scores.Slice(r, end)
		s.Data, s.Cols = s.Data[c*kvBlock:], to-c*kvBlock
		w.ops.MulColBlocks(s, w.q.Slice(r, end), kv.keys(c), false)
		w.soften(p, r, end)
		r = end
	}
}

// soften takes a step of online softmax with the scores of rows [r,end), together where they see the same positions.
func (w *attnWorker) soften(p, r, end int) {
	for r < end {
		lo, hi := w.look(r/w.per, p)
		to := r + 1
		for to < end {
			if l, h := w.look(to/w.per, p); l != lo || h != hi {
				break
			}
			to++
		}
		s := w.scores.Slice(r, to)
		s.Data, s.Cols = s.Data[lo:], hi-lo
		w.step(s, r, to)
		r = to
	}
}

// step is a step of online softmax of rows [r,end) with their scores s.
func (w *attnWorker) step(s tensor.Mat, r, end int) {
	w.ops.SoftmaxStep(s, w.seg.top[r:end], w.seg.sum[r:end], w.shrink[r:end])
	for ; r < end; r++ {
		if by := w.shrink[r]; by != 1 {
			w.ops.Scale(w.seg.out.Row(r), by)
		}
	}
}

// blockOf is how many of n rows come next: nearly equal blocks.
func blockOf(n int) int {
	blocks := (n + rowBlock - 1) / rowBlock
	return (n + blocks - 1) / blocks
}

// mix adds the values of page p, weighted by the scores, to rows [r,n). Where the rows of a block see different positions,
// each goes alone, so that every row adds its own positions in order and nothing else.
func (w *attnWorker) mix(p, r, n int, kv *kvView) {
	for r < n {
		end := r + blockOf(n-r)
		_, to := w.look(r/w.per, p)
		from, _ := w.look((end-1)/w.per, p)
		if from < to { // all see [from,to)
			w.mixEach(p, r, end, 0, from, kv)
			w.mixRows(r, end, from, to, kv)
			w.mixEach(p, r, end, to, pageTokens, kv)
		} else {
			w.mixEach(p, r, end, 0, pageTokens, kv)
		}
		r = end
	}
}

// mixEach adds to each of the rows [r,end) what it sees of positions [from,to) of the page.
func (w *attnWorker) mixEach(p, r, end, from, to int, kv *kvView) {
	for ; r < end; r++ {
		lo, hi := w.look(r/w.per, p)
		w.mixRows(r, r+1, max(lo, from), min(hi, to), kv)
	}
}

// mixRows adds positions [lo,hi) of the page to rows [r,end).
func (w *attnWorker) mixRows(r, end, lo, hi int, kv *kvView) {
	if lo >= hi {
		return
	}
	s := w.scores.Slice(r, end)
	s.Data, s.Cols = s.Data[lo:], hi-lo
	w.ops.MulColBlocks(w.seg.out.Slice(r, end), s, kv.values(lo), true)
}

// merge adds a segment's softmaxes to the total, those of segments before it.
func (w *attnWorker) merge(seg int, part *softmaxRows) {
	pos := int(w.st.pos[w.part.t])
	for r := range w.seeing((seg+1)*segmentTokens) * w.per {
		t := &w.total
		if w.a.first(pos+r/w.per)/segmentTokens == seg {
			t.top[r], t.sum[r] = part.top[r], part.sum[r]
			copy(t.out.Row(r), part.out.Row(r))
			continue
		}
		top := max(t.top[r], part.top[r])
		old, add := exp(t.top[r]-top), exp(part.top[r]-top)
		t.top[r], t.sum[r] = top, float32(t.sum[r]*old)+float32(part.sum[r]*add)
		w.ops.Scale(t.out.Row(r), old)
		w.ops.Axpy(t.out.Row(r), add, part.out.Row(r))
	}
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }

// finish divides the totals by their sums and writes them where the output product reads them.
func (w *attnWorker) finish() {
	d := w.head.dim
	for r := range w.part.n * w.per {
		dst := w.st.mixed.Row(w.part.t + r/w.per)[(w.kv*w.per+r%w.per)*d:][:d]
		copy(dst, w.total.out.Row(r))
		w.ops.Scale(dst, 1/w.total.sum[r])
	}
}
