package moe

// CachePolicy says what a full cache of experts throws out.
type CachePolicy string

// Least recently used; least often used since the start, ties to the least recently used; the one whose next use is
// furthest away (Belady, the best possible).
const (
	CacheLRU    CachePolicy = "lru"
	CacheLFU    CachePolicy = "lfu"
	CacheBelady CachePolicy = "belady"
)

// CacheHits runs a stream of accesses (such as layer·E + expert, in order of use) through a cache that starts empty and
// holds capacity entries, and gives how many found theirs there. Time is len(stream)·capacity; the stream is held whole,
// as Belady must know the future. It panics where capacity is below 1 or the policy is unknown.
func CacheHits(stream []int32, capacity int, policy CachePolicy) int {
	if capacity < 1 {
		panic("moe.CacheHits: capacity below 1")
	}
	next := nextUses(stream)
	held := map[int32]*cacheEntry{}
	uses := map[int32]int{}
	hits := 0
	for i, key := range stream {
		uses[key]++
		entry := held[key]
		switch {
		case entry != nil:
			hits++
		case len(held) == capacity:
			delete(held, worst(held, policy))
			fallthrough
		default:
			entry = &cacheEntry{}
			held[key] = entry
		}
		*entry = cacheEntry{last: i, next: next[i], uses: uses[key]}
	}
	return hits
}

type cacheEntry struct{ last, next, uses int }

// worst is the entry to throw out. Times of last use are distinct, so the order of the map does not matter but among
// entries of Belady that are never used again, any of which is as good.
func worst(held map[int32]*cacheEntry, policy CachePolicy) int32 {
	var out int32
	var w *cacheEntry
	for key, e := range held {
		if w == nil || e.worse(w, policy) {
			out, w = key, e
		}
	}
	return out
}

func (e *cacheEntry) worse(o *cacheEntry, policy CachePolicy) bool {
	switch policy {
	case CacheLRU:
		return e.last < o.last
	case CacheLFU:
		return e.uses < o.uses || e.uses == o.uses && e.last < o.last
	case CacheBelady:
		return e.next > o.next
	}
	panic("moe.CacheHits: unknown policy")
}

// nextUses is the place of the next access to the same key, or len(stream).
func nextUses(stream []int32) []int {
	next, seen := make([]int, len(stream)), map[int32]int{}
	for i := len(stream) - 1; i >= 0; i-- {
		at, ok := seen[stream[i]]
		if !ok {
			at = len(stream)
		}
		next[i], seen[stream[i]] = at, i
	}
	return next
}
