package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// replace puts content in the place of each match.
type replace struct {
	find    finder
	content string
}

func newReplace(f *field) (*replace, error) {
	content := f.string("content")
	find, err := newFinder(f, "pattern")
	if err != nil {
		return nil, err
	}
	return &replace{find: find, content: content}, nil
}

// normalize gives each new character the origin of the last replaced byte. Reference: tokenizers,
// tokenizer/normalizer.rs, replace.
func (x *replace) normalize(p *piece) error {
	if lit, ok := x.find.(literal); ok && !strings.Contains(p.text, string(lit)) {
		return nil
	}
	var text []byte
	var align []span
	var old []span
	done := 0
	err := x.find.matches(p.text, func(i, j int) error {
		if old == nil {
			old = p.aligned()
			text, align = make([]byte, 0, len(p.text)), make([]span, 0, len(p.text))
		}
		text, align = append(text, p.text[done:i]...), append(align, old[done:i]...)
		from := span{p.start, p.start}
		if j > 0 {
			from = old[j-1]
		}
		text = append(text, x.content...)
		for len(align) < len(text) {
			align = append(align, from)
		}
		done = j
		return nil
	})
	if err != nil || old == nil {
		return err
	}
	p.text = string(append(text, p.text[done:]...))
	p.align = append(align, old[done:]...)
	return nil
}

// apply replaces in a plain string, for decoding.
func (x *replace) apply(s string) (string, error) {
	if lit, ok := x.find.(literal); ok {
		return strings.ReplaceAll(s, string(lit), x.content), nil
	}
	var b strings.Builder
	done := 0
	err := x.find.matches(s, func(i, j int) error {
		b.WriteString(s[done:i])
		b.WriteString(x.content)
		done = j
		return nil
	})
	b.WriteString(s[done:])
	return b.String(), err
}

// finder finds the matches of a pattern, from left to right and not overlapping.
type finder interface {
	matches(text string, found func(i, j int) error) error
}

// newFinder reads {"String": …} or {"Regex": …}.
func newFinder(f *field, key string) (finder, error) {
	v := f.obj.get(key)
	if s := v.get("String"); s.kind == jsonString && s.text != "" {
		return literal(s.text), nil
	} else if s.kind == jsonString {
		return newRegex("")
	}
	if s := v.get("Regex"); s.kind == jsonString {
		return newRegex(s.text)
	}
	return nil, badf(`%s.%s: want {"String":…} or {"Regex":…}`, f.of, key)
}

// literal finds a fixed string, which is not empty.
type literal string

func (l literal) matches(text string, found func(i, j int) error) error {
	for at := 0; ; {
		i := strings.Index(text[at:], string(l))
		if i < 0 {
			return nil
		}
		at += i + len(l)
		if err := found(at-len(l), at); err != nil {
			return err
		}
	}
}

// runeFinder finds single characters.
type runeFinder func(r rune) bool

func (f runeFinder) matches(text string, found func(i, j int) error) error {
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if f(r) {
			if err := found(i, i+n); err != nil {
				return err
			}
		}
		i += n
	}
	return nil
}
