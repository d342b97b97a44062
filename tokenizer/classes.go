package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// class is what a scanner needs to know of a character.
type class uint8

const (
	cOther   class = 0
	cUpper   class = 1 << iota >> 1 // Lu Lt
	cLower                          // Ll
	cLetter                         // Lm Lo
	cMark                           // M
	cNumber                         // N
	cSpace                          // \s without newlines
	cNewline                        // \r \n
	cPunct                          // P S

	cL     = cUpper | cLower | cLetter
	cWhite = cSpace | cNewline
)

// classes holds the class of every code point, made once from the reference's tables and never written again.
var classes = sync.OnceValue(func() *[0x110000]class {
	t := new([0x110000]class)
	for _, part := range []struct {
		c    class
		sets []string
	}{
		{cUpper, []string{"Lu", "Lt"}}, {cLower, []string{"Ll"}}, {cLetter, []string{"Lm", "Lo"}}, {cMark, []string{"M"}},
		{cNumber, []string{"N"}}, {cPunct, []string{"P", "S"}}, {cSpace, []string{"White_Space"}},
	} {
		for _, name := range part.sets {
			for _, r := range ucd().sets[name] {
				for c := r.lo; c <= r.hi; c++ {
					t[c] = part.c
				}
			}
		}
	}
	t['\r'], t['\n'] = cNewline, cNewline
	return t
})

// classText walks a text by class.
type classText struct {
	s     string
	table *[0x110000]class
}

// at returns class and length of the character at i; length 0 at the end.
func (t classText) at(i int) (class, int) {
	if i >= len(t.s) {
		return cOther, 0
	}
	if c := t.s[i]; c < utf8.RuneSelf {
		return t.table[c], 1
	}
	r, n := utf8.DecodeRuneInString(t.s[i:])
	return t.table[r], n
}

// run returns the end of the longest row of characters of the classes in set that begins at i.
func (t classText) run(i int, set class) int {
	for i < len(t.s) {
		if c := t.s[i]; c < utf8.RuneSelf {
			if t.table[c]&set == 0 {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(t.s[i:])
		if t.table[r]&set == 0 {
			return i
		}
		i += n
	}
	return i
}

// runNot is run for the classes that are not in set.
func (t classText) runNot(i int, set class) int {
	for i < len(t.s) {
		c, n := t.at(i)
		if c&set != 0 {
			return i
		}
		i += n
	}
	return i
}
