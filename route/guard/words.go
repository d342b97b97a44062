package guard

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
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

// Pattern is a kind of the user's own. NewPattern makes one.
type Pattern struct {
	kind Kind
	find *regexp.Regexp
}

// ErrPattern is returned for a pattern that cannot be.
var ErrPattern = errors.New("guard pattern")

var kindName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// NewPattern makes a kind of findings of a regular expression (RE2), of its first group where it has one. The name is the finding's kind.
func NewPattern(name, expression string) (Pattern, error) {
	if !kindName.MatchString(name) || slices.Contains(Kinds(), Kind(name)) {
		return Pattern{}, fmt.Errorf("%w: the name %q: want a word of small letters, digits and _ that is none of %v", ErrPattern, name, Kinds())
	}
	find, err := regexp.Compile(expression)
	if err != nil {
		return Pattern{}, fmt.Errorf("%w %s: %w", ErrPattern, name, err)
	}
	if find.MatchString("") {
		return Pattern{}, fmt.Errorf("%w %s: it matches nothing at all", ErrPattern, name)
	}
	return Pattern{Kind(name), find}, nil
}

// in finds the places of the pattern.
func (p *Pattern) in(text string) (out []Finding) {
	if p.find == nil {
		return nil
	}
	for _, m := range p.find.FindAllStringSubmatchIndex(text, -1) {
		start, end := m[0], m[1]
		if len(m) > 2 && m[2] >= 0 {
			start, end = m[2], m[3]
		}
		if end > start {
			out = append(out, Finding{p.kind, start, end})
		}
	}
	return out
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
