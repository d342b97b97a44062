package guard

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Kind is what a finding is.
type Kind string

// The kinds.
const (
	Email Kind = "email"
	Phone Kind = "phone"
	IBAN  Kind = "iban"
	Card  Kind = "card"
	Key   Kind = "key"
	Word  Kind = "word" // of the user's list
)

// Kinds lists all kinds that the guard knows by itself; where two findings overlap, the earlier kind stands, and a user's own
// pattern before all.
func Kinds() []Kind { return []Kind{Word, Key, Email, IBAN, Card, Phone} }

// Finding is a place in a text: bytes Start to End.
type Finding struct {
	Kind  Kind `json:"kind"`
	Start int  `json:"start"`
	End   int  `json:"end"`
}

// Reason says why a text stays, from a closed list.
type Reason string

// The reasons.
const (
	ReasonClean    Reason = "clean"
	ReasonFound    Reason = "private_data"
	ReasonText     Reason = "not_text"  // bytes that are not UTF-8
	ReasonTooLarge Reason = "too_large" // more than Options.MaxBytes

	// Of a Policy only.
	ReasonOff        Reason = "off"        // nothing was looked for
	ReasonRedacted   Reason = "redacted"   // what was found has been taken out
	ReasonUnreadable Reason = "unreadable" // no JSON, or images, sounds and files, in which nothing can be looked for
	ReasonTimeout    Reason = "guard_timeout"
	ReasonFailed     Reason = "guard_failed"
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{ReasonClean, ReasonFound, ReasonText, ReasonTooLarge, ReasonOff, ReasonRedacted, ReasonUnreadable, ReasonTimeout, ReasonFailed}
}

// Decision says whether a text may leave. It holds nothing of the text.
type Decision struct {
	LocalOnly bool         `json:"local_only"`
	Reason    Reason       `json:"reason"`
	Found     map[Kind]int `json:"found,omitempty"`
	Findings  []Finding    `json:"-"`
}

// Options of New; the zero value works: all kinds, no words.
type Options struct {
	Words    []string  // names of the user's own: matched as whole words, whatever their case
	Patterns []Pattern // of the user's own
	Skip     []Kind    // not looked for
	MaxBytes int       // longer texts are too large; 0: 4 MiB
}

// Guard finds private data. It is safe for concurrent use.
type Guard struct {
	words []word
	own   []Pattern
	skip  map[Kind]bool
	max   int
}

// New makes a guard. Words that are blank are passed over.
func New(o Options) *Guard {
	g := &Guard{skip: map[Kind]bool{}, max: cmp.Or(o.MaxBytes, 4<<20), own: slices.Clone(o.Patterns)}
	for _, k := range o.Skip {
		g.skip[k] = true
	}
	for _, w := range o.Words {
		if parts := strings.Fields(w); len(parts) > 0 {
			g.words = append(g.words, newWord(parts))
		}
	}
	return g
}

// Check decides whether a text may leave. What is hidden behind full-width characters, characters that are not seen or
// digits of other scripts is counted as well, but has no place among the Findings.
func (g *Guard) Check(text string) Decision {
	if r := g.readable(len(text), utf8.ValidString(text)); r != ReasonClean {
		return Decision{LocalOnly: true, Reason: r}
	}
	d := Decision{Reason: ReasonClean, Findings: g.Find(text)}
	d.count(d.Findings)
	if plain := fold(text); !d.LocalOnly && plain != text {
		d.count(g.Find(plain))
	}
	return d
}

// readable says whether the guard reads a text of so many bytes at all.
func (g *Guard) readable(size int, valid bool) Reason {
	switch {
	case size > g.max:
		return ReasonTooLarge
	case !valid:
		return ReasonText
	}
	return ReasonClean
}

func (d *Decision) count(findings []Finding) {
	for _, f := range findings {
		d.add(f.Kind, 1)
		d.LocalOnly, d.Reason = true, ReasonFound
	}
}

func (d *Decision) add(kind Kind, n int) {
	if d.Found == nil {
		d.Found = map[Kind]int{}
	}
	d.Found[kind] += n
}

// Find lists the findings by their place; they do not overlap.
func (g *Guard) Find(text string) []Finding {
	var all []Finding
	for _, p := range g.own {
		all = merge(all, p.in(text))
	}
	for _, kind := range Kinds() {
		if g.skip[kind] {
			continue
		}
		for found := range g.of(kind, text) {
			all = merge(all, found)
		}
	}
	return all
}

// merge puts the findings of one pattern among the others; where two overlap, the other stands. Both lists are in order and without
// overlaps in themselves, and the time is linear: a text may be made of findings.
func merge(all, found []Finding) []Finding {
	if len(found) == 0 {
		return all
	}
	out := make([]Finding, 0, len(all)+len(found))
	for _, f := range found {
		for len(all) > 0 && all[0].End <= f.Start {
			out, all = append(out, all[0]), all[1:]
		}
		if len(all) == 0 || all[0].Start >= f.End {
			out = append(out, f)
		}
	}
	return append(out, all...)
}

// Redact puts [KIND] in the place of every finding, such as [EMAIL].
func (g *Guard) Redact(text string) string {
	var out strings.Builder
	last := 0
	for _, f := range g.Find(text) {
		out.WriteString(text[last:f.Start])
		out.WriteString("[" + strings.ToUpper(string(f.Kind)) + "]")
		last = f.End
	}
	out.WriteString(text[last:])
	return out.String()
}
