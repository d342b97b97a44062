package tokenizer

import "slices"

// longWord is the number of symbols from which a queue by rank beats one heap: a heap of millions of entries
// misses the cache at each step, a queue walks through the word once for each rank.
const longWord = 1024

// mergeQueue gives possible merges by rank, then position. It keeps the positions of each merge by themselves:
// they mostly come in order.
type mergeQueue struct {
	byMerge map[uint64]*mergeBucket
	open    []*mergeBucket // heap by rank of the buckets that are not empty
	last    *mergeBucket
}

// mergeBucket holds the positions of one merge. What comes after the first position was taken lies in a heap.
type mergeBucket struct {
	merge uint64 // rank<<32 | id
	at    []int32
	next  int // at[:next] is taken
	begun bool
	open  bool
	late  []mergeEntry
}

func (q *mergeQueue) push(merge uint64, at int32) {
	b := q.last
	if b == nil || b.merge != merge {
		if b = q.byMerge[merge]; b == nil {
			b = &mergeBucket{merge: merge}
			q.byMerge[merge] = b
		}
		q.last = b
	}
	if b.begun {
		b.late = siftUp(append(b.late, mergeEntry{key: uint64(uint32(at))}))
	} else {
		b.at = append(b.at, at)
	}
	if !b.open {
		b.open = true
		q.open = append(q.open, b)
		for i := len(q.open) - 1; i > 0 && q.open[(i-1)/2].merge > b.merge; i = (i - 1) / 2 {
			q.open[i], q.open[(i-1)/2] = q.open[(i-1)/2], q.open[i]
		}
	}
}

// pop returns the next merge; ok is false at the end.
func (q *mergeQueue) pop() (merge uint64, at int32, ok bool) {
	for len(q.open) > 0 {
		b := q.open[0]
		if !b.begun {
			b.begun = true
			if !slices.IsSorted(b.at) {
				slices.Sort(b.at)
			}
		}
		if b.next < len(b.at) && (len(b.late) == 0 || uint64(b.at[b.next]) <= b.late[0].key) {
			b.next++
			return b.merge, b.at[b.next-1], true
		}
		if n := len(b.late); n > 0 {
			at := int32(b.late[0].key)
			b.late[0] = b.late[n-1]
			if b.late = b.late[:n-1]; n > 2 {
				siftDown(b.late, 0)
			}
			return b.merge, at, true
		}
		b.at, b.next, b.begun, b.open = b.at[:0], 0, false, false
		q.drop()
	}
	return 0, 0, false
}

// drop takes the first bucket out of the heap.
func (q *mergeQueue) drop() {
	n := len(q.open) - 1
	q.open[0] = q.open[n]
	q.open[n] = nil
	q.open = q.open[:n]
	for i := 0; ; {
		c := 2*i + 1
		if c >= n {
			return
		}
		if c+1 < n && q.open[c+1].merge < q.open[c].merge {
			c++
		}
		if q.open[i].merge <= q.open[c].merge {
			return
		}
		q.open[i], q.open[c] = q.open[c], q.open[i]
		i = c
	}
}

// mergeLong is mergeHeap with a queue by rank. Its memory is given back at once: words of that length are rare.
func (b *bpe) mergeLong(sc *bpeScratch) {
	syms := sc.syms
	q := mergeQueue{byMerge: map[uint64]*mergeBucket{}}
	try := func(at, right int32) {
		if m := b.merges.get(syms[at].id, syms[right].id); m != noMerge {
			q.push(m, at)
		}
	}
	for i := 0; i+1 < len(syms); i++ {
		try(int32(i), int32(i+1))
	}
	for {
		m, at, ok := q.pop()
		if !ok {
			return
		}
		s := &syms[at]
		if s.len == 0 || s.next < 0 {
			continue
		}
		right := &syms[s.next]
		if found := b.merges.get(s.id, right.id); found == noMerge || uint32(found) != uint32(m) {
			continue
		}
		s.id, s.len, s.next = int32(uint32(m)), s.len+right.len, right.next
		right.len = 0
		if s.next >= 0 {
			syms[s.next].prev = at
			try(at, s.next)
		}
		if s.prev >= 0 {
			try(s.prev, at)
		}
	}
}
