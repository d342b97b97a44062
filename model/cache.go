package model

import (
	"sync"
	"unsafe"
)

// pageTokens is how many positions a page of the KV cache holds. Attention merges its partial results page by page,
// so the borders of pages, absolute positions, are part of what makes results independent of chunking.
const pageTokens = 64

// page holds keys and values of pageTokens consecutive positions of one sequence for all layers, as f32 or, two in the
// place of one, as IEEE halves (Options.KV). Layer i's part begins at layout.offset[i]; inside it the mixer decides.
type page []float32

// halves looks at a page of halves.
func (p page) halves() []uint16 {
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(p))), 2*len(p))
}

// layout says where each layer's part of a page lies, in elements.
type layout struct {
	offset []int
	size   int
	half   bool // elements are halves
}

// floats is the length of a page.
func (l *layout) floats() int {
	if l.half {
		return (l.size + 1) / 2
	}
	return l.size
}

func newLayout(layers []LayerWeights, half bool) layout {
	l := layout{offset: make([]int, len(layers)), half: half}
	for i := range layers {
		l.offset[i] = l.size
		l.size += layers[i].Mixer.CacheWidth() * pageTokens
	}
	return l
}

// pages hands out and takes back pages; freed ones are used again. A page may be held more than once: whoever writes
// into it must hold it alone. Safe for concurrent use.
type pages struct {
	mu    sync.Mutex
	size  int
	used  int // pages that are held, each counted once
	free  []page
	extra map[*float32]int // how many more hold a page than one; absent: none
}

func (p *pages) get() page {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used++
	if n := len(p.free); n > 0 {
		last := p.free[n-1]
		p.free = p.free[:n-1]
		return last
	}
	return make(page, p.size)
}

func (p *pages) put(list []page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pg := range list {
		if len(pg) > 0 && p.extra[&pg[0]] > 0 {
			p.drop(pg)
			continue
		}
		p.used--
		p.free = append(p.free, pg)
	}
}

// drop takes one holder off a shared page.
func (p *pages) drop(pg page) {
	key := &pg[0]
	if p.extra[key]--; p.extra[key] == 0 {
		delete(p.extra, key)
	}
}

// share adds a holder to each page.
func (p *pages) share(list []page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.extra == nil {
		p.extra = map[*float32]int{}
	}
	for _, pg := range list {
		if len(pg) > 0 {
			p.extra[&pg[0]]++
		}
	}
}

// shared says whether others hold the page too.
func (p *pages) shared(pg page) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(pg) > 0 && p.extra[&pg[0]] > 0
}

// own gives a page with the same content that is held once, in exchange for one that may be shared.
func (p *pages) own(pg page) page {
	if !p.shared(pg) {
		return pg
	}
	fresh := p.get()
	copy(fresh, pg)
	p.put([]page{pg})
	return fresh
}

// Sequence is the state of one text inside a model: its tokens so far and what the mixers keep of them. It belongs to one
// caller at a time; Free gives its memory back.
type Sequence struct {
	tokens []int32 // that are in the cache
	pages  []page
	plan   int  // of the rotary embedding, see Rope.plan
	goal   int  // length that the caller has announced
	stale  bool // the cache does not fit the plan: computing it again was interrupted
	from   int  // StepFrom's layer plus 1: the cache holds nothing of the layers up to it
	pool   *pages
}

// Len is the number of tokens that the sequence holds.
func (s *Sequence) Len() int { return len(s.tokens) }

// Tokens are the ids that the sequence holds; the slice is the sequence's own.
func (s *Sequence) Tokens() []int32 { return s.tokens }

// Announce tells how long the sequence is about to become, before its first part is stepped. It matters where the
// rotary embedding depends on the length (longrope, dynamic): a text read in parts then turns as it does when read at once.
func (s *Sequence) Announce(length int) { s.goal = length }

// Truncate forgets all tokens from n on.
func (s *Sequence) Truncate(n int) {
	s.tokens = s.tokens[:n]
	keep := (n + pageTokens - 1) / pageTokens
	s.pool.put(s.pages[keep:])
	s.pages = s.pages[:keep]
	if n == 0 {
		s.plan, s.goal, s.stale, s.from = 0, 0, false, 0
	}
}

// Free gives all memory back; the sequence is empty afterwards and may be used again.
func (s *Sequence) Free() { s.Truncate(0) }

// reserve makes pages for n positions; those that will be written are the sequence's alone.
func (s *Sequence) reserve(n int) {
	for i := s.Len() / pageTokens; i < len(s.pages) && i*pageTokens < n; i++ {
		s.pages[i] = s.pool.own(s.pages[i])
	}
	for len(s.pages)*pageTokens < n {
		s.pages = append(s.pages, s.pool.get())
	}
}
