package route

import (
	"context"
	"unicode/utf8"
)

// Prompt is a request as signals read it; it belongs to one decision and is not safe for concurrent use.
type Prompt struct {
	Text    string // what is asked
	Size    int    // characters of the whole conversation; 0: those of Text
	Private bool   // the guard found something that must not leave

	short  string // of Text, for labellers
	labels map[Labeller]labelled
}

type labelled struct {
	label Label
	err   error
}

// Reading is what a signal says of a prompt.
type Reading struct {
	Match      bool    `json:"match"`
	Label      string  `json:"label,omitempty"` // of a labeller, or the language
	Confidence float64 `json:"confidence"`      // of the match, or of there being none
	Threshold  float64 `json:"threshold,omitempty"`
	Reason     Reason  `json:"reason"`
}

// Signal is one condition on a prompt. Implementations are safe for concurrent use. An error says that the signal is broken,
// which is not the same as no match.
type Signal interface {
	Read(ctx context.Context, p *Prompt) (Reading, error)
}

// The reasons of rules.
const (
	ReasonKeyword  Reason = "keyword"
	ReasonRegex    Reason = "regex"
	ReasonLength   Reason = "length"
	ReasonLanguage Reason = "language"
	ReasonCode     Reason = "code"
	ReasonPrivate  Reason = "private"
	ReasonNot      Reason = "negation" // what must not hold does not
	ReasonAlways   Reason = "always"   // a route without a condition
)

const (
	maxRuleBytes  = 64 << 10 // of a prompt that rules read
	maxLabelBytes = 4 << 10  // that labellers read
	maxReadBytes  = 1 << 10  // of which a mixture or an encoder reads these: some 256 tokens
)

// rule is a reading of a signal that either holds or does not.
func rule(match bool, why Reason) (Reading, error) {
	return Reading{Match: match, Confidence: 1, Reason: why}, nil
}

// ruleText is the part of the prompt that rules read.
func (p *Prompt) ruleText() string { return Bound(p.Text, maxRuleBytes) }

func (p *Prompt) size() int {
	if p.Size == 0 {
		p.Size = utf8.RuneCountInString(p.Text)
	}
	return p.Size
}

// Bound keeps the first and the last part of a text that is longer than n bytes, with a line feed between; runes stay whole.
func Bound(text string, n int) string {
	if len(text) <= n {
		return text
	}
	a, b := n/2, len(text)-n/2
	for a > 0 && !utf8.RuneStart(text[a]) {
		a--
	}
	for b < len(text) && !utf8.RuneStart(text[b]) {
		b++
	}
	return text[:a] + "\n" + text[b:]
}

// Private holds where the guard found something.
type Private bool

// Read implements Signal.
func (s Private) Read(_ context.Context, p *Prompt) (Reading, error) {
	return rule(p.Private == bool(s), ReasonPrivate)
}
