package tokenizer

import "hash/maphash"

const (
	cacheSlots   = 1 << 14
	cacheMaxWord = 64 // bytes; longer words repeat too rarely
)

// wordCache remembers the tokens of words seen before: one slot per hash, the newer word wins. It belongs to
// one goroutine and one model at a time, and its size is bounded by cacheSlots·cacheMaxWord·13 bytes.
type wordCache struct {
	slots []wordSlot
	spare wordSlot // stands in for words that are not kept
	seed  maphash.Seed
}

type wordSlot struct {
	owner *bpe
	word  []byte
	toks  []token
}

func (c *wordCache) find(_ *bpe, word string) *wordSlot {
	if len(word) > cacheMaxWord {
		c.spare.owner = nil
		return &c.spare
	}
	if c.slots == nil {
		c.slots, c.seed = make([]wordSlot, cacheSlots), maphash.MakeSeed()
	}
	return &c.slots[maphash.String(c.seed, word)%cacheSlots]
}

func (s *wordSlot) holds(b *bpe, word string) bool { return s.owner == b && string(s.word) == word }

func (s *wordSlot) keep(b *bpe, word string, toks []token) {
	if len(word) > cacheMaxWord {
		return
	}
	s.owner = b
	s.word = append(s.word[:0], word...)
	s.toks = append(s.toks[:0], toks...)
}
