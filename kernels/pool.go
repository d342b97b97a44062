package kernels

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Job is work in chunks; a chunk owns its outputs, so results never depend on who runs it.
type Job interface{ Do(worker, chunk int) }

// ChunkPanic is what Run panics with when a chunk panicked: the value and the stack of the worker.
type ChunkPanic struct {
	Value any
	Stack []byte
}

func (p *ChunkPanic) Error() string { return fmt.Sprintf("panic in a chunk: %v\n%s", p.Value, p.Stack) }

const (
	maxThreads = 1024
	spinFor    = time.Millisecond // how long a worker spins after the last work before it parks
)

// pool hands chunks to workers that spin for a while between jobs. Everything hangs on word: the generation in the
// upper half, the chunks not yet claimed in the lower one. Whoever swaps in a word with one chunk less owns that
// chunk. The caller claims too and only waits for chunks that somebody owns: a worker that did not start, because it
// is parked or its core was stolen, costs nothing.
//
// job and total are written before word opens a generation and read only by owners of a chunk of that generation,
// for whom the caller waits: no lock is needed.
type pool struct {
	word   atomic.Uint64
	_      [56]byte
	done   atomic.Int64 // chunks of this generation that have ended
	_      [56]byte
	job    Job
	total  int
	failed atomic.Pointer[ChunkPanic]
	busy   atomic.Bool
	closed atomic.Bool

	workers []worker // all but the caller
	spin    time.Duration
	wg      sync.WaitGroup
}

type worker struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [40]byte
}

func (p *pool) start(threads int) {
	p.workers = make([]worker, threads-1)
	if threads <= runtime.GOMAXPROCS(0) { // else a spinning worker would take the place of a working one
		p.spin = spinFor
	}
	for i := range p.workers {
		p.workers[i].wake = make(chan struct{}, 1)
		p.wg.Add(1)
		go p.loop(i)
	}
}

func (p *pool) stop() {
	if p.closed.Swap(true) {
		return
	}
	p.rouse(len(p.workers))
	p.wg.Wait()
}

func (p *pool) run(chunks int, j Job) {
	if chunks <= 0 {
		return
	}
	if p.busy.Swap(true) {
		panic("kernels.Run: the engine is already running a job")
	}
	p.job, p.total = j, chunks
	p.done.Store(0)
	if chunks == 1 || len(p.workers) == 0 { // nobody else is needed
		for c := range chunks {
			p.chunk(0, c)
		}
		p.ended()
		return
	}
	p.word.Store((p.word.Load()>>32+1)<<32 | uint64(uint32(chunks)))
	p.rouse(chunks - 1)
	p.work(0)
	for turn := 0; p.done.Load() < int64(chunks); turn++ {
		pause(turn)
	}
	p.ended()
}

// ended closes a run.
func (p *pool) ended() {
	p.job = nil
	failed := p.failed.Swap(nil)
	p.busy.Store(false)
	if failed != nil {
		panic(failed)
	}
}

// rouse wakes up to n parked workers.
func (p *pool) rouse(n int) {
	for i := range p.workers {
		if n == 0 {
			return
		}
		w := &p.workers[i]
		if w.asleep.CompareAndSwap(true, false) {
			w.wake <- struct{}{} // room for one: whoever clears asleep sends, and only once
		}
		n--
	}
}

// work claims and runs chunks until none is left; it says whether there was one.
func (p *pool) work(id int) (any bool) {
	for {
		w := p.word.Load()
		left := int(uint32(w))
		if left == 0 {
			return any
		}
		if p.word.CompareAndSwap(w, w-1) {
			p.chunk(id, p.total-left)
			any = true
		}
	}
}

func (p *pool) chunk(id, c int) {
	defer p.end()
	if p.failed.Load() == nil {
		p.job.Do(id, c)
	}
}

func (p *pool) end() {
	if v := recover(); v != nil {
		p.failed.CompareAndSwap(nil, &ChunkPanic{Value: v, Stack: debug.Stack()})
	}
	p.done.Add(1)
}

// loop is the life of worker i+1.
func (p *pool) loop(i int) {
	defer p.wg.Done()
	w, last := &p.workers[i], time.Now()
	for !p.closed.Load() {
		if p.work(i + 1) {
			last = time.Now()
			continue
		}
		if time.Since(last) < p.spin {
			for turn := 0; turn < 32 && uint32(p.word.Load()) == 0; turn++ {
				pause(turn)
			}
			continue
		}
		w.asleep.Store(true)
		// Work that was published before asleep was seen has to be looked for once more.
		if (uint32(p.word.Load()) != 0 || p.closed.Load()) && w.asleep.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
		last = time.Now()
	}
}

// pause waits for some tens of nanoseconds, and now and then lets other goroutines run.
func pause(turn int) {
	if turn&31 == 31 {
		runtime.Gosched()
		return
	}
	spinPause()
}
