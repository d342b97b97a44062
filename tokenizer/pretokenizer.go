package tokenizer

import (
	"strings"
	"unicode"
)

// splitFunc is a pre-tokenizer made of a function.
type splitFunc func(p piece, emit func(piece) error) error

func (f splitFunc) split(p piece, emit func(piece) error) error { return f(p, emit) }

// splitSequence runs pre-tokenizers one after the other, each on what the one before it emits. Going deep
// first gives the same pieces in the same order as one whole pass after the other and needs no lists.
type splitSequence []preTokenizer

func (s splitSequence) split(p piece, emit func(piece) error) error {
	switch len(s) {
	case 0:
		return emit(p)
	case 1:
		return s[0].split(p, emit)
	}
	return s[0].split(p, func(q piece) error {
		if q.text == "" {
			return nil
		}
		return s[1:].split(q, emit)
	})
}

// newPreTokenizer builds the component named by v.type; nil for null.
func newPreTokenizer(v jsonValue) (preTokenizer, error) {
	if v.absent() {
		return nil, nil
	}
	f := &field{of: "pre_tokenizer", obj: v}
	p, err := buildPreTokenizer(f, f.string("type"))
	if f.err != nil {
		return nil, f.err
	}
	return p, err
}

func buildPreTokenizer(f *field, kind string) (preTokenizer, error) {
	switch kind {
	case "Sequence":
		seq := splitSequence{}
		for _, item := range f.array("pretokenizers") {
			p, err := newPreTokenizer(item)
			if err != nil {
				return nil, err
			}
			if p == nil {
				return nil, badf("pre_tokenizer.pretokenizers: null")
			}
			seq = append(seq, p)
		}
		return seq, nil
	case "ByteLevel":
		return newByteLevel(f)
	case "Split":
		find, err := newFinder(f, "pattern")
		return &splitter{find: find, how: readBehavior(f, "behavior"), invert: f.bool("invert")}, err
	case "Metaspace":
		return newMetaspace(f)
	case "Whitespace":
		return &splitter{find: wordFinder{}, how: removed, invert: true}, nil
	case "WhitespaceSplit":
		return &splitter{find: runeFinder(unicode.IsSpace), how: removed}, nil
	case "Digits":
		s := &splitter{find: runeFinder(isNumeric), how: contiguous}
		if f.bool("individual_digits") {
			s.how = isolated
		}
		return s, nil
	case "Punctuation":
		s := &splitter{find: runeFinder(isPunct)}
		if !f.obj.get("behavior").absent() {
			s.how = readBehavior(f, "behavior")
		}
		return s, nil
	case "BertPreTokenizer":
		return splitSequence{
			&splitter{find: runeFinder(unicode.IsSpace), how: removed},
			&splitter{find: runeFinder(isPunct), how: isolated},
		}, nil
	case "CharDelimiterSplit":
		c := f.rune("delimiter")
		return &splitter{find: literal(string(c)), how: removed}, nil
	case "UnicodeScripts":
		return newScriptSplit(), nil
	case "FixedLength":
		return newFixedLength(f), nil
	}
	return nil, unsupportedf("pre_tokenizer.type %q", kind)
}

// isNumeric is char::is_numeric of Rust.
func isNumeric(r rune) bool {
	if r < 0x80 {
		return '0' <= r && r <= '9'
	}
	return ucd().sets["rustnumeric"].has(r)
}

// isPunct is BERT's punctuation: the P categories of Unicode 8 and all ASCII symbols.
func isPunct(r rune) bool {
	if r < 0x80 {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return ucd().sets["punct8"].has(r)
}

// wordFinder finds \w+|[^\w\s]+.
type wordFinder struct{}

func (wordFinder) matches(text string, found func(i, j int) error) error {
	class := func(r rune) int {
		switch {
		case unicode.IsSpace(r):
			return 0
		case isWord(r):
			return 1
		}
		return 2
	}
	from, kind := 0, 0
	for i, r := range text {
		k := class(r)
		if k == kind {
			continue
		}
		if kind != 0 {
			if err := found(from, i); err != nil {
				return err
			}
		}
		from, kind = i, k
	}
	if kind != 0 {
		return found(from, len(text))
	}
	return nil
}

// newFixedLength cuts pieces of a number of characters.
func newFixedLength(f *field) preTokenizer {
	length := 5
	if !f.obj.get("length").absent() {
		length = f.size("length")
	}
	if length == 0 {
		f.fail("length", "at least 1")
	}
	return splitFunc(func(p piece, emit func(piece) error) error {
		from, n := 0, 0
		for i := range p.text {
			if n == length {
				if err := emit(p.slice(from, i)); err != nil {
					return err
				}
				from, n = i, 0
			}
			n++
		}
		return emit(p.slice(from, len(p.text)))
	})
}

// metaspace writes spaces as a mark and splits before each mark.
type metaspace struct {
	mark   string
	scheme string // always, first or never
	cut    *splitter
}

func newMetaspace(f *field) (*metaspace, error) {
	m := &metaspace{mark: string(f.rune("replacement")), scheme: "always"}
	if !f.obj.get("prepend_scheme").absent() {
		m.scheme = f.string("prepend_scheme")
	}
	if m.scheme != "always" && m.scheme != "first" && m.scheme != "never" {
		f.fail("prepend_scheme", "always, first or never")
	}
	if !f.optBool("add_prefix_space", true) {
		if m.scheme != "never" && !f.obj.get("prepend_scheme").absent() {
			return nil, badf("%s.add_prefix_space: contradicts prepend_scheme %q", f.of, m.scheme)
		} else if m.scheme != "never" {
			return nil, badf("%s.add_prefix_space: contradicts the default prepend_scheme", f.of)
		}
	}
	if f.optBool("split", true) {
		m.cut = &splitter{find: literal(m.mark), how: mergedWithNext}
	}
	return m, nil
}

func (m *metaspace) split(p piece, emit func(piece) error) error {
	if err := (&replace{find: literal(" "), content: m.mark}).normalize(&p); err != nil {
		return err
	}
	if m.scheme == "always" || m.scheme == "first" && p.start == 0 {
		if !strings.HasPrefix(p.text, m.mark) {
			if err := p.prepend(m.mark); err != nil {
				return err
			}
		}
	}
	if m.cut == nil {
		return emit(p)
	}
	return m.cut.split(p, emit)
}

// byteLevel splits as GPT-2 does, where asked, and writes the bytes in the byte alphabet.
type byteLevel struct {
	prefixSpace bool
	cut         *splitter // nil without use_regex
	raw         bool      // leave the bytes as they are: the model takes them so
}

// gpt2Pattern is reference: gpt-2, encoder.py.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func newByteLevel(f *field) (*byteLevel, error) {
	b := &byteLevel{prefixSpace: f.bool("add_prefix_space")}
	f.bool("trim_offsets")
	if !f.optBool("use_regex", true) {
		return b, nil
	}
	find, err := newRegex(gpt2Pattern)
	b.cut = &splitter{find: find}
	return b, err
}

func (b *byteLevel) split(p piece, emit func(piece) error) error {
	if b.prefixSpace && !strings.HasPrefix(p.text, " ") {
		if err := p.prepend(" "); err != nil {
			return err
		}
	}
	out := emit
	if !b.raw {
		out = func(q piece) error {
			if err := q.toByteRunes(); err != nil {
				return err
			}
			return emit(q)
		}
	}
	if b.cut == nil {
		return out(p)
	}
	return b.cut.split(p, out)
}

// newScriptSplit splits where the script changes; kana and the long-vowel mark count as Han, spaces as
// whatever they stand beside.
func newScriptSplit() preTokenizer {
	var sets []runeSet
	names := map[string]int{}
	han := 0
	for name, set := range ucd().sets {
		if s, ok := strings.CutPrefix(name, "script:"); ok {
			sets = append(sets, set)
			names[s] = len(sets)
		}
	}
	han = names["Han"]
	scriptOf := func(r rune) int {
		if r == 0x30FC {
			return han
		}
		if r == ' ' {
			return 0
		}
		for i, set := range sets {
			if set.has(r) {
				if i+1 == names["Hiragana"] || i+1 == names["Katakana"] {
					return han
				}
				return i + 1
			}
		}
		return 0
	}
	return splitFunc(func(p piece, emit func(piece) error) error { return splitScripts(p, scriptOf, emit) })
}

// splitScripts drops what stands before the first character with a script, as the reference does.
func splitScripts(p piece, scriptOf func(rune) int, emit func(piece) error) error {
	const none = -1
	last, from := none, none
	for i, r := range p.text {
		s := scriptOf(r)
		if s != 0 && last != 0 && s != last {
			if from != none {
				if err := emit(p.slice(from, i)); err != nil {
					return err
				}
			}
			from = i
		}
		if s != 0 {
			last = s
		}
	}
	if from == none {
		return nil
	}
	return emit(p.slice(from, len(p.text)))
}
