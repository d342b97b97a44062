package tokenizer

import "strings"

// maxAddedToken bounds the length of an added token in bytes: the search may look that far at each position.
const maxAddedToken = 4096

// matcher finds added tokens, leftmost first and of those the longest.
type matcher struct {
	trie  trie
	first [256]bool // bytes that a token can begin with
	only  byte      // the one such byte, when there is just one
	count int       // number of such bytes
}

func (m *matcher) add(s string, id int32) error {
	if s == "" {
		return badf("added_tokens: token %d is empty once normalised", id)
	}
	if len(s) > maxAddedToken {
		return unsupportedf("added_tokens: token %d has %d bytes, at most %d are supported", id, len(s), maxAddedToken)
	}
	if !m.first[s[0]] {
		m.first[s[0]], m.only = true, s[0]
		m.count++
	}
	if !m.trie.insert(s, id) {
		return badf("added_tokens: two tokens read %q", s)
	}
	return nil
}

// next returns the first match that begins at or after at; id is -1 when there is none.
func (m *matcher) next(text string, at int) (from, to int, id int32) {
	if m.count == 0 {
		return 0, 0, -1
	}
	for ; at < len(text); at++ {
		if m.count == 1 {
			i := strings.IndexByte(text[at:], m.only)
			if i < 0 {
				break
			}
			at += i
		}
		if !m.first[text[at]] {
			continue
		}
		if n, id := m.trie.longest(text[at:]); n > 0 {
			return at, at + n, id
		}
	}
	return 0, 0, -1
}
