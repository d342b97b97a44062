package moe

import "container/heap"

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
// holds capacity entries, and gives how many found theirs there. Time is len(stream)·log(capacity); the stream is held
// whole, as Belady must know the future. It panics where capacity is below 1 or the policy is unknown.
func CacheHits(stream []int32, capacity int, policy CachePolicy) int {
	if capacity < 1 {
		panic("moe.CacheHits: capacity below 1")
	}
	c := cache{policy: policy, at: map[int32]*cacheEntry{}}
	next := nextUses(stream)
	uses := map[int32]int{}
	hits := 0
	for i, key := range stream {
		uses[key]++
		entry := c.at[key]
		if entry != nil {
			hits++
			entry.last, entry.next, entry.uses = i, int(next[i]), uses[key]
			heap.Fix(&c, entry.place)
			continue
		}
		if len(c.held) == capacity {
			delete(c.at, heap.Pop(&c).(*cacheEntry).key)
		}
		entry = &cacheEntry{key: key, last: i, next: int(next[i]), uses: uses[key]}
		c.at[key] = entry
		heap.Push(&c, entry)
	}
	return hits
}

type cacheEntry struct {
	key              int32
	last, next, uses int
	place            int // in the heap
}

// cache is a heap with what to throw out at its top. Times of last use are distinct; among entries of Belady that are
// never used again any is as good.
type cache struct {
	policy CachePolicy
	held   []*cacheEntry
	at     map[int32]*cacheEntry
}

func (c *cache) Len() int { return len(c.held) }

func (c *cache) Less(i, j int) bool {
	a, b := c.held[i], c.held[j]
	switch c.policy {
	case CacheLRU:
		return a.last < b.last
	case CacheLFU:
		return a.uses < b.uses || a.uses == b.uses && a.last < b.last
	case CacheBelady:
		return a.next > b.next
	}
	panic("moe.CacheHits: unknown policy")
}

func (c *cache) Swap(i, j int) {
	c.held[i], c.held[j] = c.held[j], c.held[i]
	c.held[i].place, c.held[j].place = i, j
}

func (c *cache) Push(x any) {
	e := x.(*cacheEntry)
	e.place = len(c.held)
	c.held = append(c.held, e)
}

func (c *cache) Pop() any {
	e := c.held[len(c.held)-1]
	c.held = c.held[:len(c.held)-1]
	return e
}

// nextUses is the place of the next access to the same key, or len(stream).
func nextUses(stream []int32) []int32 {
	next, seen := make([]int32, len(stream)), map[int32]int32{}
	for i := len(stream) - 1; i >= 0; i-- {
		at, ok := seen[stream[i]]
		if !ok {
			at = int32(len(stream))
		}
		next[i], seen[stream[i]] = at, int32(i)
	}
	return next
}
