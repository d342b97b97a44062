package kernels

import (
	"fmt"
	"runtime"
	"sync"
)

// Options choose an Engine; the zero value is the best level on all CPUs.
type Options struct {
	Level   string // a name of [Levels]; "" is the best
	Threads int    // workers including the caller; 0 is all of GOMAXPROCS

	// BF16 rounds activations to bfloat16 (ties to even) before a product with BF16 weights; sums stay f32. Where the
	// CPU has a bf16 dot product, or the level tiles, it is used, in the order of its definition; else the result is that of a Product whose X
	// was rounded. Products marked Exact, and those with other weights, are as without the option. See [BF16Pays].
	BF16 bool

	// Parts takes products with BF16 weights, all but those marked Exact, through tiles where the level has them, X cut
	// exactly into three parts: f32 accuracy, in another order than without. Many rows are then more than twice as fast,
	// few read weights a little slower. Without effect where BF16 is set.
	Parts bool
}

// Engine is a level and the workers that run it. It is not safe for concurrent use: one caller at a time, who also
// works as worker 0. The methods that take a worker number are for use inside a [Job].
type Engine struct {
	level   level
	ops     Ops
	pool    pool
	scratch []scratch // one per worker
	mm      matMulJob
	lanes   lanesJob
	bf16    bool
	inParts bool

	xq      []QuantRows // of the products of MatMul with packed weights
	qr      quantJob
	split   splitJob  // of the products of MatMul through tiles
	packing sync.Pool // of *panelPacking
}

// New starts an engine. The error names the levels that are available.
func New(o Options) (*Engine, error) {
	l, err := pick(o.Level)
	if err != nil {
		return nil, err
	}
	if o.Threads < 0 || o.Threads > maxThreads {
		return nil, fmt.Errorf("kernels: %d threads, want 0 (all) to %d", o.Threads, maxThreads)
	}
	if o.Threads == 0 {
		o.Threads = min(runtime.GOMAXPROCS(0), maxThreads)
	}
	e := &Engine{level: l, ops: Ops{p: l.prims}, scratch: make([]scratch, o.Threads), bf16: o.BF16, inParts: o.Parts}
	for i := range e.scratch {
		e.scratch[i] = newScratch(&e.level)
	}
	e.mm.e, e.lanes.e = e, e
	e.pool.start(o.Threads)
	return e, nil
}

// Close stops the workers and waits until they are gone. No method may be called afterwards except Close.
func (e *Engine) Close() { e.pool.stop() }

// Level is the name of the level in use.
func (e *Engine) Level() string { return e.level.name }

// Threads is the number of workers, the caller included.
func (e *Engine) Threads() int { return len(e.scratch) }

// Ops are the serial primitives of the level.
func (e *Engine) Ops() *Ops { return &e.ops }

// Run calls j.Do(worker, chunk) once for every chunk in [0, chunks) and returns when all are done. Worker numbers are
// below Threads; worker 0 is the caller. A chunk must write only what it owns, so that results do not depend on who
// runs it. Run allocates nothing. A panic in a chunk makes the remaining chunks be skipped and comes up in the caller
// as a *ChunkPanic. Run must not be called from inside a job.
func (e *Engine) Run(chunks int, j Job) { e.pool.run(chunks, j) }
