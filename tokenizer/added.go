package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a token that is cut out of the text before the model sees it.
type addedToken struct {
	content        string
	id             int32
	singleWord     bool // only where no word character touches it
	lstrip, rstrip bool // takes the white space beside it along
	normalized     bool // looked for in the normalised text, in its normalised form
	special        bool
}

// addedVocab holds the added tokens. Reference: tokenizers, tokenizer/added_vocabulary.rs.
type addedVocab struct {
	byID    map[int32]addedToken
	shown   map[int32]string // the normalised form, where it differs: what decoding sees
	ids     map[string]int32
	special map[string]bool
	plain   matcher // tokens looked for in the input
	norm    matcher // tokens looked for in the normalised text
	top     int32
}

func readAdded(v jsonValue) ([]addedToken, error) {
	if v.absent() {
		return nil, nil
	}
	if v.kind != jsonArray {
		return nil, badf("added_tokens: want a list")
	}
	out := make([]addedToken, 0, len(v.list))
	for _, item := range v.list {
		f := field{of: "added_tokens[]", obj: item}
		f.size("id") // the reference wants it there and then gives ids itself
		out = append(out, addedToken{
			content: f.string("content"), singleWord: f.bool("single_word"), lstrip: f.bool("lstrip"),
			rstrip: f.bool("rstrip"), normalized: f.bool("normalized"), special: f.bool("special"),
		})
		if f.err != nil {
			return nil, f.err
		}
	}
	return out, nil
}

// newAddedVocab gives each token its id: that of the vocabulary where it has one, else the next free number.
func newAddedVocab(toks []addedToken, m model, n normalizer) (*addedVocab, error) {
	voc, size := m.vocabulary()
	a := &addedVocab{
		byID: map[int32]addedToken{}, shown: map[int32]string{}, ids: map[string]int32{},
		special: map[string]bool{}, top: -1,
	}
	next := int32(size)
	for _, t := range toks {
		if t.content == "" {
			continue
		}
		id, ok := a.ids[t.content]
		if !ok {
			if id, ok = voc.id(t.content); !ok {
				id = next
				next++
			}
		}
		t.id = id
		if t.normalized && n != nil {
			p := wholePiece(t.content)
			if err := n.normalize(&p); err != nil {
				return nil, err
			}
			if p.text != t.content {
				a.shown[id] = p.text
			}
		}
		a.ids[t.content], a.byID[id] = id, t
		a.top = max(a.top, id)
		if t.special {
			a.special[t.content] = true
		}
	}
	for id, t := range a.byID {
		m, form := &a.plain, t.content
		if t.normalized {
			m = &a.norm
			if s, ok := a.shown[id]; ok {
				form = s
			}
		}
		if err := m.add(form, id); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// split cuts p at the added tokens that m finds; found gets the tokens, rest what lies between.
func (a *addedVocab) split(m *matcher, p piece, found func(p piece, id int32) error, rest func(piece) error) error {
	text, done := p.text, 0
	between := func(to int) error {
		if done >= to {
			return nil
		}
		return rest(p.slice(done, to))
	}
	for at := 0; at < len(text); {
		from, to, id := m.next(text, at)
		if id < 0 {
			break
		}
		at = to
		t := a.byID[id]
		if t.singleWord && (endsWithWord(text[:from]) || startsWithWord(text[to:])) {
			continue
		}
		if t.lstrip {
			from = max(len(strings.TrimRightFunc(text[:from], unicode.IsSpace)), done)
		}
		if t.rstrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if from > to {
			return encodef("added token %q overlaps the one before", t.content)
		}
		if err := between(from); err != nil {
			return err
		}
		if err := found(p.slice(from, to), id); err != nil {
			return err
		}
		done = to
	}
	return between(len(text))
}

func endsWithWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && isWord(r)
}

func startsWithWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && isWord(r)
}

// isWord is \w of the Rust regex library.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r == '_' || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
	}
	return ucd().sets["rustword"].has(r)
}
