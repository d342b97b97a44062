package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// change is one character of a new text. n says how it relates to the old text: 1, it is new; 0, it takes the
// place of the next old character; -k, it takes the place of the next one and the k after that vanish.
type change struct {
	r rune
	n int
}

// transform replaces the text by dest after dropping the first drop characters, keeping track of origins.
//
// The reference looks for the range to replace by origin, so characters at the front that came from nowhere
// (a replaced empty match) are outside of it and stay: that oddity is kept. Reference: tokenizers,
// tokenizer/normalizer.rs, transform_range.
func (p *piece) transform(dest []change, drop int) error {
	if p.align == nil {
		return p.transformRange(0, len(p.text), dest, drop)
	}
	if len(p.text) == 0 {
		return nil
	}
	if p.width == 0 {
		return p.transformRange(0, 0, dest, drop)
	}
	from := 0
	for from < len(p.align) && p.align[from].a == p.align[from].b {
		from++
	}
	return p.transformRange(from, len(p.text), dest, drop)
}

// transformRange replaces text[i:j].
func (p *piece) transformRange(i, j int, dest []change, drop int) error {
	old, at := p.aligned(), i
	skip := func(n int) {
		for ; n > 0 && at < j; n-- {
			_, size := utf8.DecodeRuneInString(p.text[at:j])
			at += size
		}
	}
	skip(drop)
	text := make([]byte, 0, len(p.text)+len(dest))
	align := make([]span, 0, len(p.text)+len(dest))
	text, align = append(text, p.text[:i]...), append(align, old[:i]...)
	for _, c := range dest {
		var from span
		switch {
		case c.n > 0 && at < 1:
			from = span{p.start, p.start}
		case c.n > 0:
			from = old[at-1]
		case at >= len(old):
			return encodef("a normalizer reads past the end of the text")
		default:
			from = old[at]
			skip(1 - c.n)
		}
		text = utf8.AppendRune(text, c.r)
		for len(align) < len(text) {
			align = append(align, from)
		}
	}
	p.text = string(append(text, p.text[j:]...))
	p.align = append(align, old[j:]...)
	return nil
}

// filter drops the characters that keep does not want.
func (p *piece) filter(keep func(rune) bool) error {
	if p.align == nil && allRunes(p.text, keep) {
		return nil
	}
	var out []change
	dropped, first := 0, 0
	for _, r := range p.text {
		if !keep(r) {
			dropped++
			continue
		}
		if n := len(out); n > 0 {
			out[n-1].n = -dropped
		} else {
			first = dropped
		}
		out = append(out, change{r: r})
		dropped = 0
	}
	if n := len(out); n > 0 {
		out[n-1].n = -dropped
	}
	return p.transform(out, first)
}

func allRunes(s string, ok func(rune) bool) bool {
	for _, r := range s {
		if !ok(r) {
			return false
		}
	}
	return true
}

// mapRunes replaces each character by one other.
func (p *piece) mapRunes(f func(rune) rune) error {
	if p.align == nil && allRunes(p.text, func(r rune) bool { return f(r) == r }) {
		return nil
	}
	out := make([]change, 0, len(p.text))
	for _, r := range p.text {
		out = append(out, change{r: f(r)})
	}
	return p.transform(out, 0)
}

// lowercase applies the full lower-case mapping of each character.
func (p *piece) lowercase() error {
	if p.align == nil && allRunes(p.text, func(r rune) bool { return r != 'İ' && lowerRune(r) == r }) {
		return nil
	}
	out := make([]change, 0, len(p.text))
	for _, r := range p.text {
		if r == 'İ' { // the only character whose lower case is two
			out = append(out, change{r: 'i'}, change{r: '\u0307', n: 1})
			continue
		}
		out = append(out, change{r: lowerRune(r)})
	}
	return p.transform(out, 0)
}

func lowerRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	if l, ok := ucd().lower[r]; ok {
		return l
	}
	return unicode.ToLower(r)
}

// prepend puts s before a text that is not empty; s takes the origin of the first character.
func (p *piece) prepend(s string) error {
	first, size := utf8.DecodeRuneInString(p.text)
	if size == 0 {
		return nil
	}
	out := make([]change, 0, len(s)+1)
	for _, r := range s {
		out = append(out, change{r: r, n: min(len(out), 1)})
	}
	return p.transformRange(0, size, append(out, change{r: first, n: 1}), 0)
}

// strip removes white space from the ends.
func (p *piece) strip(left, right bool) error {
	rs := []rune(p.text)
	lead, trail := 0, 0
	for left && lead < len(rs) && unicode.IsSpace(rs[lead]) {
		lead++
	}
	for right && trail < len(rs) && unicode.IsSpace(rs[len(rs)-1-trail]) {
		trail++
	}
	if lead == 0 && trail == 0 {
		return nil
	}
	var out []change
	for i := lead; i < len(rs)-trail; i++ {
		c := change{r: rs[i]}
		if i == len(p.text)-trail-1 { // bytes against characters: so in the reference
			c.n = -trail
		}
		out = append(out, c)
	}
	return p.transform(out, lead)
}
