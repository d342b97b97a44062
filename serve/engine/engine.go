package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
)

// Options of New; the zero value works.
type Options struct {
	Parallel int // requests that are computed at a time; 0: 16
	MaxQueue int // requests that may wait beyond them; 0: 256; -1: none
	Chunk    int // tokens of prompts that a step takes at most; 0: 256
	KVTokens int // tokens that the KV cache holds; 0: as many as fit into 1 GiB, and at least one full context

	NoPrefixes bool // pages are not kept for later texts
}

// Engine computes requests on one model. It is safe for concurrent use; Close ends it.
type Engine struct {
	m        *model.Model
	opts     Options
	pages    int // limit of the KV cache
	prefixes *model.Prefixes
	loads    *loads
	pace     pace

	cancel context.CancelFunc
	ctx    context.Context
	done   chan struct{}
	wake   chan struct{}

	running []*Job // of the stepping goroutine
	steps   int

	mu       sync.Mutex
	waiting  []*Job // in order of service
	active   int    // len(running), for others to see
	arrivals uint64
	closed   bool
	stats    Stats
}

// Stats are counts since the start and states of now.
type Stats struct {
	Waiting, Running int
	Pages, PageLimit int    // of the KV cache: in use by requests or kept for later, and their limit
	Idle             int    // pages that are only kept for later
	PromptTokens     uint64 // computed or shared
	SharedTokens     uint64 // of them, shared with earlier texts
	GeneratedTokens  uint64
	SetBack          uint64 // requests that gave their cache to older ones and were computed again
	Steps            uint64
	StepSeconds      float64
}

// New starts an engine. The model must outlive it.
func New(m *model.Model, o Options) *Engine {
	if o.Parallel <= 0 {
		o.Parallel = 16
	}
	if o.MaxQueue == 0 {
		o.MaxQueue = 256
	}
	if o.Chunk <= 0 {
		o.Chunk = 256
	}
	e := &Engine{m: m, opts: o, prefixes: m.NewPrefixes(), loads: newLoads(m.Spec()), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	e.pages = pageLimit(m, o.KVTokens)
	e.ctx, e.cancel = context.WithCancel(context.Background())
	go e.loop()
	return e
}

// pageLimit turns a wish in tokens into pages.
func pageLimit(m *model.Model, tokens int) int {
	if tokens <= 0 {
		full := (m.Context() + model.PageTokens - 1) / model.PageTokens
		return max(full, (1<<30)/max(m.PageBytes(), 1), 2)
	}
	return max(2, (tokens+model.PageTokens-1)/model.PageTokens)
}

// room is how many tokens of one text the cache holds; a page is left for the copy of a shared one.
func (e *Engine) room() int { return (e.pages - 1) * model.PageTokens }

// Model is the model below.
func (e *Engine) Model() *model.Model { return e.m }

// Submit queues a request. Without a tokenizer its tokens have no text. When ctx ends, the request ends within one step, wherever it is.
func (e *Engine) Submit(ctx context.Context, r Request) (*Job, error) {
	if err := e.check(&r); err != nil {
		return nil, err
	}
	tok, err := e.m.Tokenizer()
	if err != nil && (len(r.Stop) > 0 || r.Constraint != nil) {
		return nil, err
	}
	j := &Job{Request: r, ctx: ctx, arrived: time.Now(), signal: make(chan struct{}, 1)}
	j.limit = e.Limit(&r)
	j.seq, j.tokens = e.m.NewSequence(), slices.Clone(r.Prompt)
	j.pick = j.step
	j.sampler = model.NewSampler(r.Sampling)
	j.sampler.Accept(r.Prompt...)
	j.text = assembler{stops: r.Stop}
	if tok != nil {
		j.text.stream = tok.NewStream(!r.Special)
	}
	if !r.IgnoreEOS {
		j.ends = e.m.Spec().EOS
	}
	if r.Routing {
		j.routing = newRoutingLog(e.m.Spec())
	}
	return j, e.enqueue(j)
}

func (e *Engine) enqueue(j *Job) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrDraining
	}
	if len(e.waiting) >= max(e.opts.MaxQueue, 0)+max(e.opts.Parallel-e.active, 0) {
		return ErrBusy
	}
	e.arrivals++
	j.number = e.arrivals
	e.insert(j)
	context.AfterFunc(j.ctx, e.poke)
	e.poke()
	return nil
}

// insert puts a job where it belongs in the queue.
func (e *Engine) insert(j *Job) {
	at, _ := slices.BinarySearchFunc(e.waiting, j, func(a, b *Job) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	e.waiting = slices.Insert(e.waiting, at, j)
}

// poke wakes the stepping goroutine.
func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// loop steps as long as there is something to do.
func (e *Engine) loop() {
	defer close(e.done)
	for {
		e.admit()
		if len(e.running) > 0 {
			e.step()
			continue
		}
		e.countIdle()
		select {
		case <-e.wake:
		case <-e.ctx.Done():
			e.abandon()
			return
		}
		if e.ctx.Err() != nil {
			e.abandon()
			return
		}
	}
}

// countIdle looks how many pages are only kept for later texts.
func (e *Engine) countIdle() {
	n := e.prefixes.Idle()
	e.count(func(s *Stats) { s.Idle = n })
}

// admit drops what was cancelled and starts what there is room for, in order.
func (e *Engine) admit() {
	e.running = slices.DeleteFunc(e.running, func(j *Job) bool {
		err := e.gone(j)
		if err != nil {
			e.end(j, nil, "", err)
		}
		return err != nil
	})
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = slices.DeleteFunc(e.waiting, func(j *Job) bool {
		err := e.gone(j)
		if err != nil {
			j.deliver(nil, "", err)
		}
		return err != nil
	})
	for len(e.waiting) > 0 && len(e.running) < e.opts.Parallel && e.fits(e.waiting[0]) {
		j := e.waiting[0]
		e.waiting = slices.Delete(e.waiting, 0, 1)
		e.running = append(e.running, j)
	}
	e.active = len(e.running)
}

// gone says why a job shall not go on.
func (e *Engine) gone(j *Job) error {
	if err := e.ctx.Err(); err != nil {
		return ErrDraining
	}
	return j.ctx.Err()
}

// fits says whether there is memory for all that a job holds already and one page more. Whoever is alone always fits.
func (e *Engine) fits(j *Job) bool {
	if len(e.running) == 0 {
		return true
	}
	free := e.pages - e.m.Pages() + e.prefixes.Idle()
	return free > len(j.tokens)/model.PageTokens+len(e.running)
}

// end gives a running job's memory back and tells its end. The caller takes it off the list.
func (e *Engine) end(j *Job, list []Token, finish model.Finish, err error) {
	e.release(j)
	j.deliver(list, finish, err)
}

// release gives the cache back; full pages stay for later texts.
func (e *Engine) release(j *Job) {
	if !e.opts.NoPrefixes {
		e.prefixes.Keep(j.seq, j.Gate.String())
	}
	j.seq.Free()
}

// abandon ends everything: the engine is closed.
func (e *Engine) abandon() {
	e.admit()
	e.prefixes.Evict(e.prefixes.Len())
}

// Drain takes no more requests and waits until those there are have ended, or until ctx ends.
func (e *Engine) Drain(ctx context.Context) error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if st := e.Stats(); st.Waiting+st.Running == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Close ends all requests with ErrDraining and stops the engine. It does not close the model.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	<-e.done
	return nil
}

// Stats are the counts of now.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Waiting, s.Running = len(e.waiting), e.active
	s.Pages, s.PageLimit = e.m.Pages(), e.pages
	return s
}
