package kernels

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// ErrNotFinite is wrapped by errors about weights that are NaN or infinite and so cannot be quantised.
var ErrNotFinite = errors.New("not a finite number")

// Pack quantises src, row-major F32, F16 or BF16, into dst, packed and of the same shape, in parallel. The bytes depend
// on src and the format alone. The error names the first row that is not finite; dst is then of no use.
func (e *Engine) Pack(dst, src Matrix) error {
	checkPack(dst, src)
	panels := dst.Panels()
	j := &packJob{e: e, dst: dst, src: src, panels: max(1, min(8, panels/(4*e.Threads())))}
	e.Run(ceilDiv(panels, j.panels), j)
	return j.err
}

type packJob struct {
	e        *Engine
	dst, src Matrix
	panels   int // of a chunk
	mu       sync.Mutex
	first    int // chunk of err
	err      error
}

func (j *packJob) Do(_, chunk int) {
	a := chunk * j.panels
	if err := j.e.PackPanels(j.dst, j.src, a, min(a+j.panels, j.dst.Panels())); err != nil {
		j.mu.Lock()
		defer j.mu.Unlock()
		if j.err == nil || chunk < j.first {
			j.first, j.err = chunk, err
		}
	}
}

func checkPack(dst, src Matrix) {
	if dst.Rows != src.Rows || dst.Cols != src.Cols || !dst.Packed() {
		panic(fmt.Sprintf("kernels.Pack: dst %v [%d %d] of src [%d %d]", dst.DType, dst.Rows, dst.Cols, src.Rows, src.Cols))
	}
	src.format()
}

// PackPanels quantises panels [p0,p1) of dst, rows 16·p0 and on of src, on the calling goroutine; for use inside a
// [Job]. Bits and error are those of Pack.
func (e *Engine) PackPanels(dst, src Matrix, p0, p1 int) error {
	checkPack(dst, src)
	f, _ := packFormatOf(dst.DType)
	p, _ := e.packing.Get().(*panelPacking)
	if p == nil {
		p = new(panelPacking)
	}
	defer e.packing.Put(p)
	p.resize(src.Cols)
	for i := p0; i < p1; i++ {
		if err := p.widen(e, src, i*panelRows); err != nil {
			return err
		}
		p.dst = dst.panel(i)
		e.level.packed.pack[f](p)
	}
	return nil
}

// panelPacking is the work on one panel.
type panelPacking struct {
	dst   []byte
	steps int       // of 64 k
	w     []float32 // [16][64·steps] weights; zero where there are none
	zero  []float32 // [64·steps]
	tmp   []float32 // [32][16] of kernels
	fit   []float32 // [2·steps][2][16] scale and min of the blocks of a Q4P panel, before they are rounded

}

func (p *panelPacking) resize(cols int) {
	p.steps = ceilDiv(cols, stepDepth)
	n := p.steps * stepDepth
	p.w, p.zero, p.fit = grow(p.w, panelRows*n), grow(p.zero, n), grow(p.fit, 4*panelRows*p.steps)
	p.tmp = grow(p.tmp, blockDepth*panelRows)
	clear(p.zero)
}

func grow(s []float32, n int) []float32 {
	if cap(s) < n {
		return aligned(n)
	}
	return s[:n]
}

// stride is the length of a row of w.
func (p *panelPacking) stride() int { return p.steps * stepDepth }

// widen fills w from rows n and on of src.
func (p *panelPacking) widen(e *Engine, src Matrix, n int) error {
	size := src.rowBytes()
	for r := range panelRows {
		row := p.w[r*p.stride() : (r+1)*p.stride()]
		if n+r >= src.Rows {
			clear(row)
			continue
		}
		clear(row[src.Cols:])
		widenRow(e, row[:src.Cols], src.Data[(n+r)*size:(n+r+1)*size], src.format())
		if x := e.ops.p.dot(row[:src.Cols], p.zero[:src.Cols]); x != x { // 0·w of what is not finite
			return fmt.Errorf("kernels: row %d of a weight %v [%d %d]: %w", n+r, src.DType, src.Rows, src.Cols, ErrNotFinite)
		}
	}
	return nil
}

func widenRow(e *Engine, dst []float32, src []byte, f format) {
	switch f {
	case f32:
		copy(dst, as[float32](src))
	case bf16:
		e.ops.p.widenBF16(dst, as[uint16](src))
	case f16:
		e.ops.p.widenF16(dst, as[uint16](src))
	}
}

// packQ8Generic is the specification of Q8P: scale = f16(max|w|/127), q = w/scale as stored, ties to even.
func packQ8Generic(p *panelPacking) {
	for step := range p.steps {
		s := p.dst[step*q8Step:][:q8Step]
		for b := range 2 {
			for r := range panelRows {
				w := p.w[r*p.stride()+step*stepDepth+b*blockDepth:][:blockDepth]
				half := tensor.F32ToF16(maxAbs(w) / 127)
				as[uint16](s[:64])[b*panelRows+r] = half
				scale := halfToF32(half)
				if scale == 0 {
					scale = 1
				}
				for k, v := range w {
					q := nearest(min(max(v/scale, -127), 127))
					s[64+b*512+k/4*64+r*4+k%4] = byte(q + 128)
				}
			}
		}
	}
}

func maxAbs(w []float32) float32 {
	var top float32
	for _, v := range w {
		top = max(top, float32(math.Abs(float64(v))))
	}
	return top
}
