package kernels

import "github.com/seed2fbf7788/switchyard/tensor"

// Products with packed weights. With xq the quantised row of X (see [QuantRows]), ws and wm the scale and min of a
// weight row's block, and S = Σ q·xq over a block in integers, an output is, block by block in ascending order,
//
//	g   = fma(magic+S, ws, -(magic·ws))     which is S·ws, rounded once
//	acc = fma(g, scale of xq, acc)
//	acc = fma(wm, share of xq, acc)         Q4P only: share = scale·Σxq
//
// starting from zero; then the bias is added. Q8P: ws is the stored scale. Q4P: ws = scale·D and wm = min·M, each
// rounded. Every level computes exactly this, whatever rows and columns it takes together.

// packKernels are the kernels of a level for packed weights.
type packKernels struct {
	block int                                   // bytes of a quantised block
	macs  int                                   // multiply-adds of a chunk of some tens of microseconds
	quant func(dst *byte, x *float32, n int)    // n blocks
	panel func(s *scratch, t *panelTask)        // one panel
	pair  func(s *scratch, t *panelTask)        // two panels; nil: one after the other
	pack  [numPackFormats]func(p *panelPacking) // weights
	room  bool                                  // pair needs a tileRoom

	claim     func(p uintptr, stride, rows int) // asks for rows that are written soon; may be nil
	groupRows [numGroups]int
	group     func(s *scratch, t *panelTask, group int) // groupPanels[group] panels, up to groupRows[group] rows; nil: one by one
}

// panelTask multiplies all rows of x with one or two panels.
type panelTask struct {
	f     packFormat
	k     int // steps of 64
	block int // bytes of a quantised block
	x     QuantRows
	w     [2][]byte
	dst   [2]tensor.Mat // [rows of x, 16]
	next  [2][]byte     // what will be wanted next, to prefetch; may be nil
	cold  bool          // no weights have been asked for yet
}

func packedGeneric() packKernels {
	return packKernels{
		block: 48, macs: 1 << 18, quant: quantGeneric, panel: panelGeneric,
		pack: [numPackFormats]func(*panelPacking){packQ8Generic, packQ4Generic},
	}
}

// blockPacked computes columns [n0,n1) of p.Dst.
func (e *Engine) blockPacked(worker int, p *Product, n0, n1 int) {
	q := *p
	q.Dst = p.Dst.ColSlice(n0, n1)
	if p.Bias != nil {
		q.Bias = p.Bias[n0:n1]
	}
	e.blockPackedAt(worker, &q, n0, n1, e.then(p.Then, &p.W, n0, n1))
}

// then are the weights that the worker of columns [n0,n1) of w will most likely want afterwards, unless the caller knows.
// Chunks are claimed in turn.
func (e *Engine) then(known []byte, w *Matrix, n0, n1 int) []byte {
	if known != nil {
		return known
	}
	return w.From(n1 + (len(e.scratch)-1)*(n1-n0))
}

// blockPackedAt computes the columns [n0,n1) of a packed product, p.Dst and p.Bias beginning with column n0. What comes
// after is prefetched at the end.
func (e *Engine) blockPackedAt(worker int, p *Product, n0, n1 int, after []byte) {
	s := &e.scratch[worker]
	x := p.XQ
	if x.data == nil {
		x = e.quantiseInto(&s.xq, p.X)
	}
	t := s.task
	*t = panelTask{k: ceilDiv(x.Cols, stepDepth), block: e.level.packed.block, cold: true}
	t.f, _ = packFormatOf(p.W.DType)
	for r := 0; r < x.Rows; r += packedRows {
		part := p.Dst.Slice(r, min(r+packedRows, x.Rows))
		t.x = x.Slice(r, r+part.Rows)
		e.panels(s, t, p.W, part, n0, n1, after)
	}
	e.addBias(p, 0, n1-n0)
}

// addBias adds the bias to columns [a,b) of all rows.
func (e *Engine) addBias(p *Product, a, b int) {
	if p.Bias == nil {
		return
	}
	for i := range p.Dst.Rows {
		e.ops.p.add(p.Dst.Row(i)[a:b], p.Bias[a:b])
	}
}

// packedRows is how many rows of X share a pass over panels: their blocks stay in L2. A multiple of the tile heights.
const packedRows = 96

// panels runs the panels that hold columns [n0,n1) of w, dst beginning with column n0: several at once where all are
// whole and the level has such kernels. Panels that lie inside go straight to their place, others through scratch.
func (e *Engine) panels(s *scratch, t *panelTask, w Matrix, dst tensor.Mat, n0, n1 int, after []byte) {
	k := &e.level.packed
	for n := n0; n < n1; {
		p, end := n/panelRows, n/panelRows*panelRows+panelRows
		t.w[0], t.next[0] = w.panel(p), after
		if n%panelRows != 0 || end > n1 {
			end = min(end, n1)
			t.dst[0] = tensor.MatOf(s.panel, t.x.Rows, panelRows)
			k.panel(s, t)
			for i := range t.x.Rows {
				copy(dst.Row(i)[n-n0:end-n0], t.dst[0].Row(i)[n%panelRows:])
			}
			n = end
			continue
		}
		group, size := k.several(t.x.Rows, (n1-n)/panelRows)
		if end = n + size*panelRows; end < n1 {
			t.next[0] = w.from(p + size)
		}
		t.dst[0] = dst.ColSlice(n-n0, end-n0)
		switch {
		case size == 1:
			k.panel(s, t)
		case group == numGroups:
			k.twoPanels(s, t, w, p, after, end < n1)
		default:
			k.group(s, t, group)
		}
		n = end
	}
}

// several says how many of the whole panels left to take at once: a group of them, or a pair (group is numGroups).
func (k *packKernels) several(rows, left int) (group, size int) {
	if rows > pairRows && k.pair != nil && left >= 2 {
		return numGroups, 2
	}
	if k.group != nil {
		for g, n := range groupPanels {
			if rows <= k.groupRows[g] && left >= n {
				return g, n
			}
		}
	}
	return 0, 1
}

// twoPanels runs panels p and p+1, whose columns are those of t.dst[0].
func (k *packKernels) twoPanels(s *scratch, t *panelTask, w Matrix, p int, after []byte, more bool) {
	t.w[1] = w.panel(p + 1)
	t.next[0], t.next[1] = after, second(after, len(t.w[0]))
	if more {
		t.next[0], t.next[1] = w.from(p+2), w.from(p+3)
	}
	t.dst[0], t.dst[1] = t.dst[0].ColSlice(0, panelRows), t.dst[0].ColSlice(panelRows, 2*panelRows)
	k.pair(s, t)
}

// second is the panel behind the first of panels of size bytes.
func second(panels []byte, size int) []byte {
	if len(panels) <= size {
		return nil
	}
	return panels[size:]
}

// pairRows is up to how many rows of X one panel at a time is best: a single tile, and memory sets the pace.
const pairRows = 12

// from is the panels from p on, nil behind the last one.
func (m Matrix) from(p int) []byte {
	n := int(m.packing().panel(m.Cols))
	if p*n >= len(m.Data) {
		return nil
	}
	return m.Data[p*n:]
}

// quantiseInto quantises x into a worker's own rows.
func (e *Engine) quantiseInto(q *QuantRows, x tensor.Mat) QuantRows {
	q.Resize(e, x.Rows, x.Cols)
	for i := range x.Rows {
		e.Quantise(*q, i, 0, x.Row(i))
	}
	return *q
}

// quantiseParts quantises X of every packed product that has none yet, each distinct X once.
func (e *Engine) quantiseParts(parts []matMulPart) {
	e.qr = e.qr[:0]
	for i := range parts {
		p := &parts[i].Product
		if !p.W.Packed() || p.XQ.data != nil || p.X.Rows == 0 || p.W.Rows == 0 {
			continue
		}
		for j := range e.qr {
			if sameMat(e.qr[j].x, p.X) {
				p.XQ = e.qr[j].dst
			}
		}
		if p.XQ.data == nil {
			n := len(e.qr)
			if n == len(e.xq) {
				e.xq = append(e.xq, QuantRows{})
			}
			e.xq[n].Resize(e, p.X.Rows, p.X.Cols)
			p.XQ = e.xq[n]
			e.qr = append(e.qr, quantPart{dst: p.XQ, x: p.X})
		}
	}
	if len(e.qr) > 0 {
		e.qr.run(e)
	}
}

func sameMat(a, b tensor.Mat) bool {
	return a.Rows == b.Rows && a.Cols == b.Cols && a.Stride == b.Stride && len(a.Data) > 0 && len(b.Data) > 0 && &a.Data[0] == &b.Data[0]
}

// chunksEach is about how many chunks a worker should find at least.
const chunksEach = 6

// packedCols is [Engine.BlockCols] of packed weights: whole groups of panels, or pairs of a small weight.
func (e *Engine) packedCols(rowsOfX, n, k int) int {
	k, rowsOfX = max(k, 1), max(rowsOfX, 1)
	cols := min(e.level.packed.macs/(k*rowsOfX), chunkElems/k*2, n/(chunksEach*len(e.scratch)))
	if grain := groupPanels[0] * panelRows; cols > grain/2 && n >= grain*chunksEach*len(e.scratch) {
		return max(cols/grain*grain, grain)
	}
	return max(cols/(2*panelRows)*2*panelRows, 2*panelRows)
}
