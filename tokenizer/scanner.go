package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// The patterns that real vocabularies split by. Each has a scanner that gives the same matches in one pass
// without backtracking; FuzzScanners compares them with the library.
const (
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwenPattern   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	o200kPattern  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	digitsPattern = `\p{N}{1,3}`
	cjkPattern    = "[一-龥\u3040-ゟ゠-ヿ]+"

	deepseekPattern = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

// scannerFor returns the hand-written scanner for a pattern, nil where there is none.
func scannerFor(pattern string) finder {
	var next func(t classText, i int) int
	switch pattern {
	case gpt2Pattern:
		next = nextGPT2
	case llama3Pattern:
		next = func(t classText, i int) int { return nextLlama(t, i, 3) }
	case qwenPattern:
		next = func(t classText, i int) int { return nextLlama(t, i, 1) }
	case o200kPattern:
		next = nextO200k
	case digitsPattern:
		next = nextDigits
	case cjkPattern:
		next = nextCJK
	case deepseekPattern:
		next = nextDeepseek
	default:
		return nil
	}
	return scanner{next, classes()}
}

// scanner finds matches by a function that returns the end of the match at i, or i where none begins there.
type scanner struct {
	next  func(t classText, i int) int
	table *[0x110000]class
}

func (s scanner) matches(text string, found func(i, j int) error) error {
	t := classText{text, s.table}
	for i := 0; i < len(text); {
		j := s.next(t, i)
		if j == i {
			_, n := t.at(i)
			i += n
			continue
		}
		if err := found(i, j); err != nil {
			return err
		}
		i = j
	}
	return nil
}

// contraction returns the end of 's 't 're 've 'm 'll 'd at i, where the apostrophe stands, else i.
func contraction(s string, i int, fold bool) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return i
	}
	lower := func(k int) byte {
		if k >= len(s) {
			return 0
		}
		if fold && s[k]-'A' < 26 {
			return s[k] | 0x20
		}
		return s[k]
	}
	switch lower(i + 1) {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v':
		if lower(i+2) == 'e' {
			return i + 3
		}
	case 'l':
		if lower(i+2) == 'l' {
			return i + 3
		}
	}
	if fold && strings.HasPrefix(s[i+1:], "ſ") { // the long s is an s in another case
		return i + 1 + len("ſ")
	}
	return i
}

// numbers returns the end of at most n numbers at i.
func numbers(t classText, i, n int) int {
	for ; n > 0; n-- {
		c, size := t.at(i)
		if c != cNumber {
			break
		}
		i += size
	}
	return i
}

// spaces matches \s*[\r\n]+|\s+(?!\S)|\s+ at i, the first part only where lines is set.
func spaces(t classText, i int, lines bool) int {
	end, last, newline := i, i, -1
	for end < len(t.s) {
		c, n := t.at(end)
		if c&cWhite == 0 {
			break
		}
		last = end
		end += n
		if c == cNewline {
			newline = end
		}
	}
	switch {
	case lines && newline >= 0:
		return newline
	case end == len(t.s) || last == i:
		return end
	}
	return last // leave one space to what follows
}

func nextGPT2(t classText, i int) int {
	if j := contraction(t.s, i, false); j > i {
		return j
	}
	k := i
	if t.s[i] == ' ' {
		k++
	}
	c, n := t.at(k)
	switch {
	case n == 0 || c&cWhite != 0:
		return spaces(t, i, false)
	case c&cL != 0:
		return t.run(k, cL)
	case c == cNumber:
		return t.run(k, cNumber)
	}
	return t.runNot(k, cWhite|cL|cNumber)
}

func nextLlama(t classText, i, digits int) int {
	if j := contraction(t.s, i, true); j > i {
		return j
	}
	c, n := t.at(i)
	if c&cL != 0 {
		return t.run(i, cL)
	}
	if c == cNumber {
		return numbers(t, i, digits)
	}
	after, size := t.at(i + n)
	if c != cNewline && after&cL != 0 {
		return t.run(i+n, cL)
	}
	if c&cWhite == 0 {
		return t.run(t.runNot(i, cWhite|cL|cNumber), cNewline)
	}
	if t.s[i] == ' ' && size > 0 && after&(cWhite|cL|cNumber) == 0 {
		return t.run(t.runNot(i+1, cWhite|cL|cNumber), cNewline)
	}
	return spaces(t, i, true)
}

func nextDigits(t classText, i int) int { return numbers(t, i, 3) }

func nextCJK(t classText, i int) int {
	for i < len(t.s) {
		if t.s[i] < utf8.RuneSelf {
			break
		}
		r, n := utf8.DecodeRuneInString(t.s[i:])
		if !('一' <= r && r <= '龥' || 0x3040 <= r && r <= 0x30FF) {
			break
		}
		i += n
	}
	return i
}

func nextDeepseek(t classText, i int) int {
	const word = cL | cMark
	c, n := t.at(i)
	if b := t.s[i]; '!' <= b && b < 0x7F && c == cPunct {
		j := i + 1
		for j < len(t.s) && t.s[j]|0x20-'a' < 26 {
			j++
		}
		if j > i+1 {
			return j
		}
	}
	after, size := t.at(i + n)
	if c&(cNewline|cL|cPunct) == 0 && after&word != 0 {
		return t.run(i+n, word)
	}
	if c&word != 0 {
		return t.run(i, word)
	}
	if c == cPunct {
		return t.run(t.run(i, cPunct), cNewline)
	}
	if t.s[i] == ' ' && size > 0 && after == cPunct {
		return t.run(t.run(i+1, cPunct), cNewline)
	}
	if c&cWhite != 0 {
		return spaces(t, i, true)
	}
	return i
}

func nextO200k(t classText, i int) int {
	const (
		upper = cUpper | cLetter | cMark
		lower = cLower | cLetter | cMark
	)
	c, n := t.at(i)
	// A word may take one character before it that is neither a newline, a letter nor a number. The first
	// alternative is tried with and without it, then the second.
	starts := []int{i}
	if c&(cNewline|cL|cNumber) == 0 {
		starts = []int{i + n, i}
	}
	for _, from := range starts {
		if end := lowered(t, from, upper, lower); end > from {
			return contraction(t.s, end, true)
		}
	}
	for _, from := range starts {
		if end := t.run(from, upper); end > from {
			return contraction(t.s, end, true)
		}
	}
	if c == cNumber {
		return numbers(t, i, 3)
	}
	k := i
	if t.s[i] == ' ' {
		k++
	}
	if end := t.runNot(k, cWhite|cL|cNumber); end > k {
		for end < len(t.s) && (t.s[end] == '\r' || t.s[end] == '\n' || t.s[end] == '/') {
			end++
		}
		return end
	}
	return spaces(t, i, true)
}

// lowered matches [upper]*[lower]+ at i.
func lowered(t classText, i int, upper, lower class) int {
	u := t.run(i, upper)
	if end := t.run(u, lower); end > u {
		return end
	}
	return lastOf(t, i, u, lower) // the row of upper gives back what it must
}

// lastOf returns the end of the last character of set in text[i:u], i where there is none.
func lastOf(t classText, i, u int, set class) int {
	for u > i {
		r, n := utf8.DecodeLastRuneInString(t.s[i:u])
		if t.table[r]&set != 0 {
			return u
		}
		u -= n
	}
	return i
}
