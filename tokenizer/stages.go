package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// gather collects the frags of one token.
type gather struct{ parts []byte }

// whole returns the token once its last frag is there.
func (g *gather) whole(f frag) (string, bool) {
	if f.first && f.last {
		return f.text, true
	}
	g.parts = append(g.parts, f.text...)
	if !f.last {
		return "", false
	}
	s := string(g.parts)
	g.parts = g.parts[:0]
	return s, true
}

// tokenStage changes each token by itself; fn gets its number and says whether it stays.
type tokenStage struct {
	gather
	n  int
	fn func(i int, s string) (string, bool)
}

func perToken(fn func(i int, s string) (string, bool)) stageMaker {
	return func() stage { return &tokenStage{fn: fn} }
}

func (t *tokenStage) push(f frag, out func(frag)) {
	if s, ok := t.whole(f); ok {
		s, keep := t.fn(t.n, s)
		t.n++
		if keep {
			out(frag{s, true, true})
		}
	}
}

func (t *tokenStage) close(func(frag)) {}

// fuseStage makes one token of all.
type fuseStage struct{ begun bool }

func (s *fuseStage) push(f frag, out func(frag)) {
	out(frag{f.text, !s.begun, false})
	s.begun = true
}

func (s *fuseStage) close(out func(frag)) { out(frag{"", !s.begun, true}) }

// byteLevelStage turns the byte alphabet back into bytes and these into one token; bytes that are not UTF-8
// become U+FFFD, one for each longest beginning of a character, as String::from_utf8_lossy of Rust does.
type byteLevelStage struct {
	gather
	fuse fuseStage
	wait []byte // the beginning of a character
}

func (s *byteLevelStage) push(f frag, out func(frag)) {
	tok, ok := s.whole(f)
	if !ok {
		return
	}
	raw, ok := fromByteRunes(s.wait, tok)
	if !ok {
		raw = append(s.wait, tok...)
	}
	text, rest := lossy(raw, false)
	s.wait = append(s.wait[:0], rest...)
	if text != "" {
		s.fuse.push(frag{text: text}, out)
	}
}

func (s *byteLevelStage) close(out func(frag)) {
	if text, _ := lossy(s.wait, true); text != "" {
		s.fuse.push(frag{text: text}, out)
	}
	s.fuse.close(out)
}

// lossy decodes UTF-8; what may still become a character is returned as rest unless this is the end.
func lossy(b []byte, end bool) (text string, rest []byte) {
	if utf8.Valid(b) {
		return string(b), nil
	}
	var out strings.Builder
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError || n != 1 {
			out.Write(b[:n])
			b = b[n:]
			continue
		}
		n = partialRune(b)
		if n == len(b) && !utf8.FullRune(b) && !end {
			return out.String(), b
		}
		out.WriteRune(utf8.RuneError)
		b = b[n:]
	}
	return out.String(), nil
}

// partialRune returns how many bytes at the front of b, at least one, are the beginning of some character.
func partialRune(b []byte) int {
	for n := 1; n < min(len(b), 4); n++ {
		// The bytes so far and one more are a beginning when they are not yet a full (or wrong) rune.
		if utf8.FullRune(b[:n]) {
			return n
		}
		if utf8.FullRune(b[:n+1]) {
			return n
		}
	}
	return min(len(b), 3)
}

// byteFallbackStage joins tokens <0xNN> that stand side by side. Whether they are text is known at the end of
// their run only: one wrong byte makes each of them U+FFFD.
type byteFallbackStage struct {
	gather
	bytes []byte
}

func (s *byteFallbackStage) push(f frag, out func(frag)) {
	tok, ok := s.whole(f)
	if !ok {
		return
	}
	if b, ok := byteToken(tok); ok {
		s.bytes = append(s.bytes, b)
		return
	}
	s.close(out)
	out(frag{tok, true, true})
}

func byteToken(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	hex := s[3:5]
	if hex[0] == '+' { // Rust's parser takes a sign
		hex = hex[1:]
	}
	v, err := strconv.ParseUint(hex, 16, 8)
	return byte(v), err == nil
}

func (s *byteFallbackStage) close(out func(frag)) {
	if len(s.bytes) == 0 {
		return
	}
	if utf8.Valid(s.bytes) {
		out(frag{string(s.bytes), true, true})
	} else {
		for range s.bytes {
			out(frag{"\uFFFD", true, true})
		}
	}
	s.bytes = s.bytes[:0]
}

// stripStage drops up to start characters content at the front of each token and up to stop at its end.
type stripStage struct {
	content     rune
	start, stop int

	left int // how many may still be dropped at the front
	held int // characters content that are dropped if nothing else follows
}

func (s *stripStage) push(f frag, out func(frag)) {
	if f.first {
		s.left, s.held = s.start, 0
	}
	var b strings.Builder
	for _, r := range f.text {
		switch {
		case r == s.content && s.left > 0:
			s.left--
			continue
		case r == s.content && s.held < s.stop:
			s.held++
			s.left = 0
			continue
		case r != s.content:
			for ; s.held > 0; s.held-- {
				b.WriteRune(s.content)
			}
		}
		s.left = 0
		b.WriteRune(r)
	}
	out(frag{b.String(), f.first, f.last})
}

func (s *stripStage) close(func(frag)) {}

// suffixStage writes the end-of-word suffix as a space, except in the last token.
type suffixStage struct {
	gather
	suffix string
	tok    string
	begun  bool
}

func (s *suffixStage) push(f frag, out func(frag)) {
	tok, ok := s.whole(f)
	if !ok {
		return
	}
	if s.begun {
		out(frag{strings.ReplaceAll(s.tok, s.suffix, " "), true, true})
	}
	s.tok, s.begun = tok, true
}

func (s *suffixStage) close(out func(frag)) {
	if s.begun {
		out(frag{strings.ReplaceAll(s.tok, s.suffix, ""), true, true})
	}
}
