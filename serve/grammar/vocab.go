package grammar

import (
	"slices"
	"strings"
	"sync"
)

// Tokens is what a vocabulary must tell; tokenizer.Tokenizer does.
type Tokens interface {
	VocabSize() int
	// Bytes are those that an id adds to a text; false for ids that are no text, such as special tokens.
	Bytes(id int32) ([]byte, bool)
}

// Vocab is a vocabulary prepared for masks, with the grammars compiled for it. It is safe for concurrent use.
type Vocab struct {
	size   int
	list   []entry    // by bytes
	trie   []trieNode // of the short ones
	long   []trieNode
	known  map[string]bool
	single [4]uint64 // bytes that are a token by themselves
	bytes  []string  // by id

	mu    sync.Mutex
	cache map[string]*Grammar
	order []string // of the cache, the oldest first
}

type entry struct {
	text string
	id   int32
}

// trieNode is a byte behind those of the nodes above it. Nodes stand in order: below one come all that begin with it.
type trieNode struct {
	first, ids int32 // tokens that end here, as part of the list
	end        int32 // the next node that does not begin with this one
	depth      int32 // bytes before
	b          byte
}

// maxFewest bounds the tokens that a shortest end looks at.
const maxFewest = 24

// NewVocab prepares the ids below size.
func NewVocab(t Tokens, size int) *Vocab {
	v := &Vocab{size: size, known: map[string]bool{}, cache: map[string]*Grammar{}, bytes: make([]string, size)}
	for id := range int32(min(size, t.VocabSize())) {
		b, ok := t.Bytes(id)
		if !ok || len(b) == 0 {
			continue
		}
		text := string(b)
		v.list, v.bytes[id] = append(v.list, entry{text: text, id: id}), text
		if len(text) <= maxFewest {
			v.known[text] = true
		}
		if len(b) == 1 {
			v.single[b[0]/64] |= 1 << (b[0] % 64)
		}
	}
	slices.SortFunc(v.list, func(a, b entry) int { return strings.Compare(a.text, b.text) })
	v.trie = v.grow(func(text string) bool { return len(text) <= short })
	v.long = v.grow(func(text string) bool { return len(text) > short })
	return v
}

// grow makes a trie of the entries that are wanted.
func (v *Vocab) grow(want func(text string) bool) (trie []trieNode) {
	var open []int32 // nodes of the entry before
	shut := func(keep int) {
		for _, i := range open[keep:] {
			trie[i].end = int32(len(trie))
		}
		open = open[:keep]
	}
	for i, e := range v.list {
		if !want(e.text) {
			continue
		}
		keep := 0
		for keep < len(open) && keep < len(e.text) && trie[open[keep]].b == e.text[keep] {
			keep++
		}
		shut(keep)
		for ; keep < len(e.text); keep++ {
			open = append(open, int32(len(trie)))
			trie = append(trie, trieNode{b: e.text[keep], depth: int32(keep)})
		}
		n := &trie[open[len(open)-1]]
		if n.ids == 0 {
			n.first = int32(i)
		}
		n.ids++
	}
	shut(0)
	return trie
}

// fewest is, for every i, how few tokens write text[i:].
func (v *Vocab) fewest(text string) []int32 {
	out := make([]int32, len(text)+1)
	for i := len(text) - 1; i >= 0; i-- {
		out[i] = never
		for n := 1; n <= maxFewest && i+n <= len(text); n++ {
			if out[i+n] < never && v.known[text[i:i+n]] {
				out[i] = min(out[i], out[i+n]+1)
			}
		}
	}
	return out
}

// find is the id of a text.
func (v *Vocab) find(text string) (int32, bool) {
	i, ok := slices.BinarySearchFunc(v.list, text, func(e entry, t string) int { return strings.Compare(e.text, t) })
	if !ok {
		return 0, false
	}
	return v.list[i].id, true
}
