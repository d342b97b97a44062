package tokenizer

import (
	"hash/maphash"
	"math/bits"
)

const (
	shortSlots = 1 << 15
	shortWordN = 16 // bytes of a word that fits a short slot
	shortToks  = 5

	cacheSlots   = 1 << 12
	cacheMaxWord = 64 // bytes; longer words repeat too rarely
)

// wordCache remembers the tokens of words seen before. It belongs to one scratch, so to one tokenizer and one
// goroutine at a time, and its size is bounded by 48·shortSlots + 13·cacheMaxWord·cacheSlots bytes.
//
// Words of up to 16 bytes with up to 5 tokens, nearly all there are, lie in slots of fixed size, two to a
// hash: the newer word first, it pushes the older one to the second place. Others lie one to a hash.
type wordCache struct {
	short []shortSlot
	long  []wordSlot
	seed  maphash.Seed
}

// shortSlot is a word, as wordKey gives it, with its tokens.
type shortSlot struct {
	lo, hi  uint64
	size, n uint8 // bytes, 0 while free; tokens
	lens    [shortToks]uint8
	ids     [shortToks]int32
}

type wordSlot struct {
	word []byte
	toks []token
}

// wordKey packs a word of at most 16 bytes; together with its length the two numbers are the word.
func wordKey(s string) (lo, hi uint64) {
	n := len(s)
	switch {
	case n >= 8:
		return load64(s), load64(s[n-8:])
	case n >= 4:
		return uint64(load32(s)), uint64(load32(s[n-4:]))
	case n >= 2:
		return uint64(s[0]) | uint64(s[1])<<8, uint64(s[n-1])
	case n == 1:
		return uint64(s[0]), 0
	}
	return 0, 0
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

func shortHash(lo, hi uint64, n int) uint32 {
	a, b := bits.Mul64(lo^0x9E3779B97F4A7C15, hi^uint64(n)<<56^0xD6E8FEB86659FD93)
	return uint32((a ^ b) >> 20)
}

// findShort returns the slot of a word of 1 to 16 bytes, nil when it is not known.
func (c *wordCache) findShort(lo, hi uint64, n int) *shortSlot {
	if c.short == nil {
		c.short = make([]shortSlot, shortSlots)
	}
	i := shortHash(lo, hi, n) % shortSlots
	if s := &c.short[i]; s.lo == lo && s.hi == hi && int(s.size) == n {
		return s
	}
	if s := &c.short[i^1]; s.lo == lo && s.hi == hi && int(s.size) == n {
		return s
	}
	return nil
}

func (c *wordCache) keepShort(lo, hi uint64, n int, toks []token) {
	if len(toks) > shortToks {
		return
	}
	i := shortHash(lo, hi, n) % shortSlots
	s := &c.short[i]
	c.short[i^1] = *s
	*s = shortSlot{lo: lo, hi: hi, size: uint8(n), n: uint8(len(toks))}
	for k, t := range toks {
		s.ids[k], s.lens[k] = t.id, uint8(t.to-t.from)
	}
}

// appendTo adds the tokens, which follow each other without gaps.
func (s *shortSlot) appendTo(toks []token) []token {
	at := int32(0)
	for k := range s.n {
		end := at + int32(s.lens[k])
		toks = append(toks, token{s.ids[k], at, end})
		at = end
	}
	return toks
}

// findLong returns the slot where a word belongs, nil for words that are not kept.
func (c *wordCache) findLong(word string) *wordSlot {
	if len(word) > cacheMaxWord {
		return nil
	}
	if c.long == nil {
		c.long, c.seed = make([]wordSlot, cacheSlots), maphash.MakeSeed()
	}
	return &c.long[maphash.String(c.seed, word)%cacheSlots]
}

func (s *wordSlot) keep(word string, toks []token) {
	s.word = append(s.word[:0], word...)
	s.toks = append(s.toks[:0], toks...)
}

// cached appends the tokens of a short word from the cache, or those that split appends.
func (sc *scratch) cached(word string, split func(sc *scratch, word string) error) error {
	if len(word) > shortWordN {
		return split(sc, word)
	}
	lo, hi := wordKey(word)
	if s := sc.words.findShort(lo, hi, len(word)); s != nil {
		sc.toks = s.appendTo(sc.toks)
		return nil
	}
	from := len(sc.toks)
	if err := split(sc, word); err != nil {
		return err
	}
	end := int32(0)
	for _, t := range sc.toks[from:] {
		if t.from != end {
			return nil // bytes of one character: the slots know only tokens that follow each other
		}
		end = t.to
	}
	sc.words.keepShort(lo, hi, len(word), sc.toks[from:])
	return nil
}
