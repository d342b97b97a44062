package route

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// Keyword matches where a text holds one of some words, whole and whatever their case. A word of several parts may stand with
// any blanks between them.
type Keyword struct{ re *regexp.Regexp }

// NewKeyword makes a signal of words; blank ones are passed over.
func NewKeyword(words []string) *Keyword {
	var list []string
	for _, w := range words {
		parts := strings.Fields(w)
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		if len(parts) > 0 {
			list = append(list, strings.Join(parts, `\s+`))
		}
	}
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	const edge = `(?:^|[^\pL\pN_]|$)` // \b of RE2 knows ASCII only
	return &Keyword{regexp.MustCompile(`(?i)` + edge + `(?:` + strings.Join(list, "|") + `)` + edge)}
}

// Read implements Signal.
func (k *Keyword) Read(_ context.Context, p *Prompt) (Reading, error) {
	return rule(k.re.MatchString(p.ruleText()), ReasonKeyword)
}
