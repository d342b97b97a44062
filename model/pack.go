package model

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
)

const (
	panelRows  = 16        // rows of a packed panel
	packElems  = 512 << 10 // elements of a chunk of packing: some milliseconds
	packAtOnce = 256 << 20 // bytes of a checkpoint that are read before their pages are given back
	turnedRows = 64        // least rows of a chunk of a transposed weight: a cache line and more of each of the file's rows
)

func panelsOf(rows int) int { return (rows + panelRows - 1) / panelRows }

// packer quantises rows of weights, a chunk of panels at a time, in parallel. Bits do not depend on the number of threads.
type packer struct {
	ctx      context.Context
	eng      *kernels.Engine
	ckpt     *loader.Checkpoint // its pages are given back behind the reading
	progress func(done, total int64)

	chunks      []packChunk
	strips      [][]byte // of each worker: rows of a transposed weight, put in order
	done, total int64    // bytes of the checkpoint; done is atomic

	failed atomic.Bool
	mu     sync.Mutex
	at     int // the chunk that err is of
	err    error
}

// packChunk packs rows [first, first+dst.Rows) of a weight into dst.
type packChunk struct {
	w     *weight
	dst   kernels.Matrix
	first int
}

func newPacker(ctx context.Context, eng *kernels.Engine, ckpt *loader.Checkpoint, progress func(done, total int64)) *packer {
	return &packer{ctx: ctx, eng: eng, ckpt: ckpt, progress: progress, strips: make([][]byte, eng.Threads())}
}

// add plans rows [first, first+dst.Rows) of a weight; first is a multiple of panelRows.
func (p *packer) add(w *weight, dst kernels.Matrix, first int) {
	step := max(packElems/max(w.cols, 1)/panelRows*panelRows, panelRows)
	if w.turned != nil {
		step = max(step, turnedRows)
	}
	for a := 0; a < dst.Rows; a += step {
		p.chunks = append(p.chunks, packChunk{w, dst.RowRange(a, min(a+step, dst.Rows)), first + a})
	}
}

// run packs what has been planned since the last run. The error names the tensor; of several faults it is the first in
// the order of the plan.
func (p *packer) run() error {
	p.eng.Run(len(p.chunks), p)
	var spent [][]byte
	for _, c := range p.chunks {
		switch {
		case c.w.keep:
		case c.w.turned != nil:
			spent = append(spent, c.w.turned.T.Data)
		default:
			spent = append(spent, c.w.dst.RowRange(c.first, c.first+c.dst.Rows).Data)
		}
	}
	p.ckpt.Release(spent...)
	p.chunks = p.chunks[:0]
	return p.err
}

// Do implements kernels.Job.
func (p *packer) Do(worker, chunk int) {
	if p.failed.Load() {
		return
	}
	if err := p.pack(worker, &p.chunks[chunk]); err != nil {
		p.fail(chunk, err)
	}
	if worker == 0 && p.progress != nil {
		p.progress(atomic.LoadInt64(&p.done), p.total)
	}
}

func (p *packer) pack(worker int, c *packChunk) error {
	if err := p.ctx.Err(); err != nil {
		return err
	}
	src := p.rows(worker, c)
	if err := p.eng.PackPanels(c.dst, src, 0, panelsOf(c.dst.Rows)); err != nil {
		return fmt.Errorf("%s: %w", c.w.source, err)
	}
	atomic.AddInt64(&p.done, int64(len(src.Data)))
	return nil
}

// rows are the rows of a chunk as the checkpoint has them.
func (p *packer) rows(worker int, c *packChunk) kernels.Matrix {
	w, n := c.w, c.dst.Rows
	if w.turned == nil {
		return w.dst.RowRange(c.first, c.first+n)
	}
	d := w.turned.T.DType
	size := n * w.cols * d.Size()
	if cap(p.strips[worker]) < size {
		p.strips[worker] = loader.Aligned(size)
	}
	strip := p.strips[worker][:size]
	w.turned.Fill(strip, c.first, c.first+n)
	return kernels.Matrix{DType: d, Rows: n, Cols: w.cols, Data: strip}
}

// fail keeps the error of the earliest chunk: chunks are claimed in order, so all earlier ones come to their end.
func (p *packer) fail(chunk int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil || chunk < p.at {
		p.err, p.at = err, chunk
	}
	p.failed.Store(true)
}

// quantise puts every weight of the list into the form of a scheme. The checkpoint's own bytes are read once and never
// copied whole. free gives back what the weights then lie in; it is not nil where anything was allocated, also beside an error.
func (p *packer) quantise(list []weight, scheme string) (free func() error, err error) {
	packed, free, err := roomFor(list, scheme)
	if err != nil {
		return free, err
	}
	for i := range list {
		p.total += int64(list[i].size())
	}
	for i, planned := 0, 0; i < len(list); i++ {
		p.add(&list[i], packed[i], 0)
		if planned += list[i].size(); planned < packAtOnce && i+1 < len(list) {
			continue
		}
		if err := p.run(); err != nil {
			return free, err
		}
		planned = 0
	}
	for i := range list {
		*list[i].dst = packed[i]
	}
	return free, nil
}

// roomFor allocates the packed forms of all weights at once.
func roomFor(list []weight, scheme string) (packed []kernels.Matrix, free func() error, err error) {
	sizes, total := make([]int, len(list)), 0
	for i := range list {
		n, err := list[i].packedSize(scheme)
		if err != nil {
			return nil, nil, err
		}
		sizes[i] = n
		total += n
	}
	room, free, err := loader.Alloc(total)
	if err != nil {
		return nil, nil, err
	}
	packed = make([]kernels.Matrix, len(list))
	for i := range list {
		w := &list[i]
		packed[i], err = kernels.PackedMatrix(packedDType(scheme, w.part), w.rows, w.cols, room[:sizes[i]:sizes[i]])
		if err != nil {
			return nil, free, fmt.Errorf("%s: %w", w.source, err)
		}
		room = room[sizes[i]:]
	}
	return packed, free, nil
}
