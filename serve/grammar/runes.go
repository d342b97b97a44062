package grammar

import "unicode/utf8"

// runes is the UTF-8 of any character from lo to hi, surrogates left out.
func (b *builder) runes(lo, hi rune) *node {
	var alts []*node
	for _, part := range [][2]rune{{0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xd7ff}, {0xe000, 0xffff}, {0x10000, 0x10ffff}} {
		if a, z := max(lo, part[0]), min(hi, part[1]); a <= z {
			var from, to [4]byte
			n := utf8.EncodeRune(from[:], a)
			utf8.EncodeRune(to[:], z)
			alts = append(alts, b.between(from[:n], to[:n]))
		}
	}
	return b.alt(alts...)
}

// between is the byte strings from lo to hi, of one length, whose later bytes are continuation bytes.
func (b *builder) between(lo, hi []byte) *node {
	if len(lo) == 1 {
		return b.class(lo[0], hi[0])
	}
	if lo[0] == hi[0] {
		return b.seq(b.class(lo[0], lo[0]), b.between(lo[1:], hi[1:]))
	}
	first, last := make([]byte, len(lo)-1), make([]byte, len(lo)-1)
	for i := range first {
		first[i], last[i] = 0x80, 0xbf
	}
	alts := []*node{
		b.seq(b.class(lo[0], lo[0]), b.between(lo[1:], last)),
		b.seq(b.class(hi[0], hi[0]), b.between(first, hi[1:])),
	}
	if lo[0]+1 < hi[0] {
		alts = append(alts, b.seq(b.class(lo[0]+1, hi[0]-1), b.between(first, last)))
	}
	return b.alt(alts...)
}
