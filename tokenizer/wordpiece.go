package tokenizer

import "unicode/utf8"

// wordPiece takes the longest token from the front of a word, again and again; a word that cannot be used up
// becomes one unknown token. Reference: tokenizers, models/wordpiece/mod.rs.
type wordPiece struct {
	voc      *vocab
	tokens   trie
	inside   int32 // node of the prefix: tokens that continue a word lie below it; 0 where there are none
	prefix   string
	unk      string
	maxChars int
}

func newWordPiece(m *modelFields) (*wordPiece, error) {
	f := field{of: "model", obj: m.small}
	w := &wordPiece{voc: m.vocab, unk: f.string("unk_token"), prefix: f.string("continuing_subword_prefix"),
		maxChars: f.size("max_input_chars_per_word")}
	if f.err != nil {
		return nil, f.err
	}
	for _, t := range w.voc.toks {
		if t.text != "" && t.id >= 0 {
			w.tokens.insert(t.text, t.id)
		}
	}
	w.inside = w.tokens.walk(w.prefix)
	return w, nil
}

func (w *wordPiece) vocabulary() (*vocab, int) { return w.voc, w.voc.size }

func (w *wordPiece) value(_ string, t token) string {
	s, _ := w.voc.token(t.id)
	return s
}

func (w *wordPiece) tokenize(sc *scratch, text string) error { return sc.cached(text, w.split) }

func (w *wordPiece) split(sc *scratch, text string) error {
	first := len(sc.toks)
	if utf8.RuneCountInString(text) <= w.maxChars {
		for at := 0; ; {
			n, id := w.longest(text, at)
			if n == 0 {
				break
			}
			sc.toks = append(sc.toks, token{id, int32(at), int32(at + n)})
			if at += n; at == len(text) {
				return nil
			}
		}
		sc.toks = sc.toks[:first]
	}
	id, ok := w.voc.id(w.unk)
	if !ok {
		return encodef("model.unk_token %q is not in the vocabulary", w.unk)
	}
	sc.toks = append(sc.toks, token{id, 0, int32(len(text))})
	return nil
}

// longest returns the longest token that text[at:] begins with, n = 0 when there is none.
func (w *wordPiece) longest(text string, at int) (n int, id int32) {
	if at == 0 || w.prefix == "" {
		return w.tokens.longest(text[at:])
	}
	if w.inside == 0 {
		return 0, -1
	}
	return w.tokens.longestFrom(w.inside, text[at:])
}

// wordLevel knows whole pieces only.
type wordLevel struct {
	voc *vocab
	unk string
}

func newWordLevel(m *modelFields) (*wordLevel, error) {
	f := field{of: "model", obj: m.small}
	w := &wordLevel{voc: m.vocab, unk: f.string("unk_token")}
	return w, f.err
}

func (w *wordLevel) vocabulary() (*vocab, int) { return w.voc, w.voc.size }

func (w *wordLevel) value(_ string, t token) string {
	s, _ := w.voc.token(t.id)
	return s
}

func (w *wordLevel) tokenize(sc *scratch, text string) error {
	id, ok := w.voc.id(text)
	if !ok {
		if id, ok = w.voc.id(w.unk); !ok {
			return encodef("model.unk_token %q is not in the vocabulary", w.unk)
		}
	}
	sc.toks = append(sc.toks, token{id, 0, int32(len(text))})
	return nil
}
