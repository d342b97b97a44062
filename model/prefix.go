package model

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
)

// PageTokens is how many positions a page of the KV cache holds.
const PageTokens = pageTokens

// Prefixes keeps full pages of the KV cache under a hash of everything before them, so that a text that begins as an
// earlier one did shares its pages and computes the rest alone. What was used least recently goes first. A page that
// a sequence and the store hold is one page of memory.
//
// The bits of a sequence that shares pages are those of one that computed everything: a page depends only on the
// tokens up to its end, the rotary embedding's variant and the gates, and all of these are hashed. It belongs to one
// goroutine at a time.
type Prefixes struct {
	m      *Model
	byHash map[pageHash]*list.Element
	recent *list.List // of *prefixPage, the most recently used in front
}

type pageHash [sha256.Size]byte

type prefixPage struct {
	hash pageHash
	page page
}

// NewPrefixes makes an empty store.
func (m *Model) NewPrefixes() *Prefixes {
	return &Prefixes{m: m, byHash: map[pageHash]*list.Element{}, recent: list.New()}
}

// next is the hash behind one more page of tokens; salt tells texts apart that are computed differently.
func (h pageHash) next(tokens []int32) pageHash {
	buf := make([]byte, 0, sha256.Size+4*pageTokens)
	buf = append(buf, h[:]...)
	for _, id := range tokens {
		buf = binary.LittleEndian.AppendUint32(buf, uint32(id))
	}
	return sha256.Sum256(buf)
}

func firstHash(plan int, salt string) pageHash {
	return sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, uint64(plan)), salt...))
}

// Reuse lets an empty sequence share what is known of ids; at least one id is left to compute. It returns how many the
// sequence holds now. announced is what [Sequence.Announce] will be told, and salt names everything that changes the
// computation, such as a gate override.
func (c *Prefixes) Reuse(s *Sequence, ids []int32, announced int, salt string) int {
	if s.Len() > 0 {
		return s.Len()
	}
	plan := c.m.spec.Rope.plan(0, announced)
	h := firstHash(plan, salt)
	for n := 0; n+pageTokens < len(ids); n += pageTokens {
		h = h.next(ids[n : n+pageTokens])
		e := c.byHash[h]
		if e == nil {
			break
		}
		c.recent.MoveToFront(e)
		pg := []page{e.Value.(*prefixPage).page}
		s.pool.share(pg)
		s.pages = append(s.pages, pg...)
		s.tokens = append(s.tokens, ids[n:n+pageTokens]...)
	}
	if s.Len() > 0 {
		s.plan = plan
	}
	return s.Len()
}

// Keep stores the full pages of a sequence that are not known yet. The sequence must not be computed on at the time.
func (c *Prefixes) Keep(s *Sequence, salt string) {
	if s.stale {
		return
	}
	h := firstHash(s.plan, salt)
	for i := range s.Len() / pageTokens {
		h = h.next(s.tokens[i*pageTokens : (i+1)*pageTokens])
		if e := c.byHash[h]; e != nil {
			c.recent.MoveToFront(e)
			continue
		}
		s.pool.share(s.pages[i : i+1])
		c.byHash[h] = c.recent.PushFront(&prefixPage{h, s.pages[i]})
	}
}

// Evict gives back up to n pages that no sequence holds, those used least recently first, and returns how many.
func (c *Prefixes) Evict(n int) int {
	done := 0
	for e := c.recent.Back(); e != nil && done < n; {
		before := e.Prev()
		if p := e.Value.(*prefixPage); !c.m.pool.shared(p.page) {
			c.recent.Remove(e)
			delete(c.byHash, p.hash)
			c.m.pool.put([]page{p.page})
			done++
		}
		e = before
	}
	return done
}

// Len is how many pages the store holds, Idle how many of them no sequence holds.
func (c *Prefixes) Len() int { return c.recent.Len() }

// Idle is how many pages Evict could give back.
func (c *Prefixes) Idle() int {
	c.m.pool.mu.Lock()
	defer c.m.pool.mu.Unlock()
	n := 0
	for e := c.recent.Front(); e != nil; e = e.Next() {
		if pg := e.Value.(*prefixPage).page; len(pg) == 0 || c.m.pool.extra[&pg[0]] == 0 {
			n++
		}
	}
	return n
}

// Pages is how many pages of the KV cache are held by sequences and stores, shared ones counted once.
func (m *Model) Pages() int {
	m.pool.mu.Lock()
	defer m.pool.mu.Unlock()
	return m.pool.used
}

// PageBytes is the memory of one page.
func (m *Model) PageBytes() int { return 4 * m.pool.size }

// NewPages is how many pages a step needs that appends n tokens to the sequence, copies of shared ones included.
func (s *Sequence) NewPages(n int) int {
	want := (s.Len()+n+pageTokens-1)/pageTokens - len(s.pages)
	for i := s.Len() / pageTokens; i < len(s.pages) && i*pageTokens < s.Len()+n; i++ {
		if s.pool.shared(s.pages[i]) {
			want++
		}
	}
	return max(want, 0)
}
