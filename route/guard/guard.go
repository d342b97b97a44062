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

// Kinds lists all kinds; where two findings overlap, the earlier kind stands.
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
)

// Decision says whether a text may leave. It holds nothing of the text.
type Decision struct {
	LocalOnly bool         `json:"local_only"`
	Reason    Reason       `json:"reason"`
	Found     map[Kind]int `json:"found,omitempty"`
	Findings  []Finding    `json:"-"`
}

// Options of New; the zero value works: all kinds, no words.
type Options struct {
	Words    []string // names of the user's own: matched as whole words, whatever their case
	Skip     []Kind   // not looked for
	MaxBytes int      // longer texts are too large; 0: 4 MiB
}

// Guard finds private data. It is safe for concurrent use.
type Guard struct {
	words []string // lower case
	skip  map[Kind]bool
	max   int
}

// New makes a guard. Words that are blank are passed over.
func New(o Options) *Guard {
	g := &Guard{skip: map[Kind]bool{}, max: cmp.Or(o.MaxBytes, 4<<20)}
	for _, k := range o.Skip {
		g.skip[k] = true
	}
	for _, w := range o.Words {
		if w = strings.Join(strings.Fields(w), " "); w != "" {
			g.words = append(g.words, w)
		}
	}
	return g
}

// Check decides whether a text may leave.
func (g *Guard) Check(text string) Decision {
	switch {
	case len(text) > g.max:
		return Decision{LocalOnly: true, Reason: ReasonTooLarge}
	case !utf8.ValidString(text):
		return Decision{LocalOnly: true, Reason: ReasonText}
	}
	d := Decision{Reason: ReasonClean, Findings: g.Find(text)}
	for _, f := range d.Findings {
		if d.Found == nil {
			d.Found = map[Kind]int{}
		}
		d.Found[f.Kind]++
		d.LocalOnly, d.Reason = true, ReasonFound
	}
	return d
}

// Find lists the findings by their place; they do not overlap.
func (g *Guard) Find(text string) []Finding {
	var all []Finding
	for _, kind := range Kinds() {
		if g.skip[kind] {
			continue
		}
		for _, f := range g.of(kind, text) {
			if !slices.ContainsFunc(overlapping(all, f), func(Finding) bool { return true }) {
				all = insert(all, f)
			}
		}
	}
	return all
}

// insert keeps the list in order.
func insert(all []Finding, f Finding) []Finding {
	at, _ := slices.BinarySearchFunc(all, f, func(a, b Finding) int { return cmp.Compare(a.Start, b.Start) })
	return slices.Insert(all, at, f)
}

// overlapping are those of an ordered list, without overlaps, that share a byte with f.
func overlapping(all []Finding, f Finding) []Finding {
	at, _ := slices.BinarySearchFunc(all, f, func(a, b Finding) int { return cmp.Compare(a.End, b.Start+1) })
	end := at
	for end < len(all) && all[end].Start < f.End {
		end++
	}
	return all[at:end]
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
