package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainNormalizer can rewrite a text that nobody asks the origins of. ok is false where only normalize knows
// the answer: some normalizers look at the origins that those before them left.
type plainNormalizer interface {
	plain(text string) (out string, ok bool)
}

// normalizePlain rewrites text by n, which may be nil.
func normalizePlain(n normalizer, text string) (string, bool) {
	if n == nil || text == "" {
		return text, true
	}
	p, ok := n.(plainNormalizer)
	if !ok {
		return text, false
	}
	return p.plain(text)
}

func (s normalizerSequence) plain(text string) (string, bool) {
	ok := true
	for i := 0; i < len(s) && ok; i++ {
		text, ok = normalizePlain(s[i], text)
	}
	return text, ok
}

// prepend puts a string before a text that is not empty.
type prepend string

func (s prepend) normalize(p *piece) error { return p.prepend(string(s)) }

func (s prepend) plain(text string) (string, bool) { return string(s) + text, s != "" }

func (x *replace) plain(text string) (string, bool) {
	lit, ok := x.find.(literal)
	if !ok || x.content == "" {
		return text, false
	}
	return strings.ReplaceAll(text, string(lit), x.content), true
}

// plain goes from one stretch that may change to the next. These begin and end before an ASCII character,
// which no form joins to what stands before it.
func (u unicodeForm) plain(text string) (string, bool) {
	form := u.form()
	n := form.QuickSpanString(text)
	if n == len(text) {
		return text, true
	}
	var b strings.Builder
	b.Grow(len(text) + len(text)/16)
	for {
		from, to := n, n
		for from > 0 && text[from] >= utf8.RuneSelf || from == n && from > 0 {
			from--
		}
		for to < len(text) && (text[to] >= utf8.RuneSelf || to == from) {
			to++
		}
		b.WriteString(text[:from])
		out := u.decompose(text[from:to])
		if u.compose {
			out = recompose(out)
		}
		for _, c := range out {
			b.WriteRune(c.r)
		}
		if text = text[to:]; text == "" {
			return b.String(), true
		}
		n = form.QuickSpanString(text)
		if n == len(text) {
			b.WriteString(text)
			return b.String(), true
		}
	}
}

// plain leaves texts that begin with a Chinese character to normalize, where the space before it has an origin
// of its own.
func (b bertNormalizer) plain(text string) (string, bool) {
	if r, _ := utf8.DecodeRuneInString(text); b.cjk && r >= 0x3400 || r == 0 || b.removed.has(r) {
		return text, false
	}
	var out strings.Builder
	out.Grow(len(text) + len(text)/16)
	for _, r := range text {
		if ' ' <= r && r < 0x7F {
			out.WriteByte(byte(r))
			continue
		}
		if b.clean {
			if b.removed.has(r) {
				continue
			}
			if unicode.IsSpace(r) {
				r = ' '
			}
		}
		if b.cjk && isIdeograph(r) {
			out.WriteByte(' ')
			out.WriteRune(r)
			out.WriteByte(' ')
			continue
		}
		out.WriteRune(r)
	}
	text = out.String()
	if b.accents {
		text, _ = unicodeForm{}.plain(text)
		text = strings.Map(func(r rune) rune {
			if r >= 0x80 && b.marks.has(r) {
				return -1
			}
			return r
		}, text)
	}
	if b.lower {
		text = plainLower(text)
	}
	return text, true
}

func plainLower(text string) string {
	return strings.Map(lowerRune, strings.ReplaceAll(text, "İ", "i\u0307"))
}
