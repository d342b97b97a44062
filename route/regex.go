package route

import (
	"context"
	"regexp"
)

// Regex matches where a pattern is found in the text. RE2 takes time linear in it.
type Regex struct{ Pattern *regexp.Regexp }

// Read implements Signal.
func (x Regex) Read(_ context.Context, p *Prompt) (Reading, error) {
	return rule(x.Pattern.MatchString(p.ruleText()), ReasonRegex)
}
