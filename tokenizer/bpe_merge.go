package tokenizer

// symbol is a node of the list of symbols of one word.
type symbol struct {
	id         int32
	len        int32 // bytes; 0 once merged into its left neighbour
	prev, next int32 // -1 at the ends
}

type bpeScratch struct {
	syms  []symbol
	ranks []uint64
	heap  []mergeEntry

	written []byte // a word in the byte alphabet
}

func (sc *bpeScratch) add(id, size int32) {
	n := int32(len(sc.syms))
	if n > 0 {
		sc.syms[n-1].next = n
	}
	sc.syms = append(sc.syms, symbol{id: id, len: size, prev: n - 1, next: -1})
}

// shortWord is the number of symbols up to which looking through all pairs beats a heap.
const shortWord = 48

// merge applies the merges to sc.syms and appends the tokens to out.
//
// All ways give the same tokens: an entry of the heap can only be stale and still be applied when two merges
// of a word make the same token at the same place, and without a prefix the two parts are then the same.
func (b *bpe) merge(sc *bpeScratch, out []token) []token {
	switch {
	case len(sc.syms) >= longWord:
		b.mergeLong(sc)
	case len(sc.syms) > shortWord || b.prefix != "":
		b.mergeHeap(sc)
	default:
		b.mergeScan(sc)
	}
	at := int32(0)
	for _, s := range sc.syms {
		if s.len != 0 {
			out = append(out, token{s.id, at, at + s.len})
			at += s.len
		}
	}
	return out
}

// mergeScan keeps the symbols in a dense row and looks for the lowest rank each time.
func (b *bpe) mergeScan(sc *bpeScratch) {
	syms := sc.syms
	if len(syms) < 2 {
		return
	}
	ranks := sc.ranks[:0]
	for i := 0; i+1 < len(syms); i++ {
		ranks = append(ranks, b.merges.get(syms[i].id, syms[i+1].id))
	}
	for {
		best, at := noMerge, -1
		for i, r := range ranks {
			if r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			break
		}
		syms[at].id = int32(uint32(best))
		syms[at].len += syms[at+1].len
		syms = append(syms[:at+1], syms[at+2:]...)
		ranks = append(ranks[:at], ranks[at+1:]...)
		if at < len(ranks) {
			ranks[at] = b.merges.get(syms[at].id, syms[at+1].id)
		}
		if at > 0 {
			ranks[at-1] = b.merges.get(syms[at-1].id, syms[at].id)
		}
	}
	sc.syms, sc.ranks = syms, ranks[:0]
}

// mergeEntry is a possible merge: rank and position in key, the token that it makes.
type mergeEntry struct {
	key uint64
	id  int32
}

// mergeHeap takes pairs from a heap ordered by rank, then position: n·log n for a word of n symbols.
func (b *bpe) mergeHeap(sc *bpeScratch) {
	syms := sc.syms
	h := sc.heap[:0]
	entry := func(at int32, m uint64) mergeEntry {
		return mergeEntry{m>>32<<32 | uint64(uint32(at)), int32(uint32(m))}
	}
	for i := 0; i+1 < len(syms); i++ {
		if m := b.merges.get(syms[i].id, syms[i+1].id); m != noMerge {
			h = append(h, entry(int32(i), m))
		}
	}
	for i := (len(h) - 2) / 4; i >= 0 && len(h) > 1; i-- {
		siftDown(h, i)
	}
	for len(h) > 0 {
		top := h[0]
		h[0] = h[len(h)-1]
		if h = h[:len(h)-1]; len(h) > 1 {
			siftDown(h, 0)
		}
		at := int32(uint32(top.key))
		s := &syms[at]
		if s.len == 0 || s.next < 0 {
			continue
		}
		right := &syms[s.next]
		if m := b.merges.get(s.id, right.id); m == noMerge || int32(uint32(m)) != top.id {
			continue
		}
		s.id, s.len, s.next = top.id, s.len+right.len, right.next
		right.len = 0
		if s.next >= 0 {
			syms[s.next].prev = at
			if m := b.merges.get(s.id, syms[s.next].id); m != noMerge {
				h = siftUp(append(h, entry(at, m)))
			}
		}
		if s.prev >= 0 {
			if m := b.merges.get(syms[s.prev].id, s.id); m != noMerge {
				h = siftUp(append(h, entry(s.prev, m)))
			}
		}
	}
	sc.heap = h
}

func siftDown(h []mergeEntry, i int) {
	e := h[i]
	for {
		c := 4*i + 1
		if c >= len(h) {
			break
		}
		for j := c + 1; j < min(c+4, len(h)); j++ {
			if h[j].key < h[c].key {
				c = j
			}
		}
		if h[c].key >= e.key {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = e
}

func siftUp(h []mergeEntry) []mergeEntry {
	i := len(h) - 1
	e := h[i]
	for i > 0 {
		p := (i - 1) / 4
		if h[p].key <= e.key {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = e
	return h
}
