package guard

import (
	"regexp"
	"strings"
	"unicode"
)

// word is one of the user's.
type word struct {
	find  *regexp.Regexp
	first string // its first part, in one case: a text that lacks it is not searched
}

// newWord matches the parts of a word in any case, with any white space between them.
func newWord(parts []string) word {
	quoted := make([]string, len(parts))
	for i, p := range parts {
		quoted[i] = regexp.QuoteMeta(p)
	}
	return word{regexp.MustCompile(`(?i)` + strings.Join(quoted, `\s+`)), oneCase(parts[0])}
}

// oneCase writes every letter as the lowest of those that the pattern takes for the same.
func oneCase(s string) string {
	return strings.Map(func(r rune) rune {
		low := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			low = min(low, next)
		}
		return low
	}, s)
}

// findWords finds the user's words where they stand whole.
func (g *Guard) findWords(text string, yield func([]Finding) bool) {
	if len(g.words) == 0 {
		return
	}
	same := oneCase(text)
	for _, w := range g.words {
		if !strings.Contains(same, w.first) {
			continue
		}
		var out []Finding
		for _, m := range w.find.FindAllStringIndex(text, -1) {
			if apart(Word, text, m[0], m[1]) {
				out = append(out, Finding{Word, m[0], m[1]})
			}
		}
		if !yield(out) {
			return
		}
	}
}
