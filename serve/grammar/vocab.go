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
	list   []entry // by bytes
	known  map[string]bool
	single [4]uint64 // bytes that are a token by themselves
	bytes  []string  // by id

	mu    sync.Mutex
	cache map[string]*Grammar
	order []string // of the cache, the oldest first
}

type entry struct {
	text   string
	id     int32
	common int // bytes shared with the entry before
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
	for i := 1; i < len(v.list); i++ {
		v.list[i].common = shared(v.list[i-1].text, v.list[i].text)
	}
	return v
}

func shared(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
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
