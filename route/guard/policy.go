package guard

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Mode says what a policy does with requests in which something is found.
type Mode string

// The modes.
const (
	ModeLocalOnly Mode = "local_only" // they stay
	ModeRedact    Mode = "redact"     // [KIND] takes the place of every finding; what cannot be taken out stays
	ModeOff       Mode = "off"        // nothing is looked for
)

// Modes lists all modes.
func Modes() []Mode { return []Mode{ModeLocalOnly, ModeRedact, ModeOff} }

// ErrMode is returned for a mode that is none.
var ErrMode = errors.New("unknown guard mode")

// PolicyOptions of NewPolicy; the zero value keeps requests with findings local and reads for at most two seconds.
type PolicyOptions struct {
	Mode    Mode
	Timeout time.Duration
}

// Policy decides whether a request may leave the machine. It fails closed: what it cannot read, what takes too long and
// what breaks the guard itself stays, and so does everything where the Policy is nil or its zero value. It is safe for
// concurrent use.
type Policy struct {
	guard   *Guard
	mode    Mode
	timeout time.Duration
}

// Cleared is the body of a request that a Policy has let go. The zero value is a body that may not leave; nothing but a
// Policy makes another, so that code which sends a Cleared cannot send what no guard has seen.
type Cleared struct{ body []byte }

// OK says whether there is a body that may leave.
func (c Cleared) OK() bool { return len(c.body) > 0 }

// Body is what may leave; it must not be changed.
func (c Cleared) Body() []byte { return c.body }

// Verdict is a policy's decision on a request.
type Verdict struct {
	Decision
	Cleared Cleared // zero where the request stays
}

// NewPolicy makes a policy of a guard. A nil guard is one of all kinds and no words.
func NewPolicy(g *Guard, o PolicyOptions) (*Policy, error) {
	if o.Mode == "" {
		o.Mode = ModeLocalOnly
	}
	if !slices.Contains(Modes(), o.Mode) {
		return nil, fmt.Errorf("%w %q: want one of %v", ErrMode, o.Mode, Modes())
	}
	if g == nil {
		g = New(Options{})
	}
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	return &Policy{g, o.Mode, o.Timeout}, nil
}

// Screen reads the JSON of a request, all of it: every message, every key, the arguments of tool calls, parts of a text that is sent
// in parts. It never panics.
func (p *Policy) Screen(ctx context.Context, body []byte) (v Verdict) {
	defer func() {
		if recover() != nil {
			v = stays(ReasonFailed)
		}
	}()
	if p == nil || p.guard == nil {
		return stays(ReasonFailed)
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	if p.mode == ModeOff {
		return Verdict{Decision{Reason: ReasonOff}, Cleared{bytes.Clone(body)}}
	}
	d := p.guard.checkBody(ctx, body)
	if d.Reason == ReasonFound && p.mode == ModeRedact {
		return p.redacted(ctx, body, d)
	}
	if d.LocalOnly {
		return Verdict{Decision: d}
	}
	return Verdict{d, Cleared{bytes.Clone(body)}}
}

// redacted lets the request go without what was found, where nothing is found in what remains. What stood beside a finding
// may show itself once that is taken out, so it is read again, and again.
func (p *Policy) redacted(ctx context.Context, body []byte, found Decision) Verdict {
	for range 3 {
		clean, err := p.guard.redactBody(body)
		if err != nil {
			return stays(ReasonUnreadable)
		}
		again := p.guard.checkBody(ctx, clean)
		switch again.Reason {
		case ReasonClean:
			return Verdict{Decision{Reason: ReasonRedacted, Found: found.Found}, Cleared{clean}}
		case ReasonFound:
			body = clean
		default:
			return stays(again.Reason)
		}
	}
	return Verdict{Decision: found}
}

func stays(r Reason) Verdict { return Verdict{Decision: Decision{LocalOnly: true, Reason: r}} }

// checkBody is Check of all the texts of a request.
func (g *Guard) checkBody(ctx context.Context, body []byte) Decision {
	if r := g.readable(len(body), utf8.Valid(body)); r != ReasonClean {
		return Decision{LocalOnly: true, Reason: r}
	}
	r := readBody(body, 0)
	if !r.whole || r.opaque {
		return Decision{LocalOnly: true, Reason: ReasonUnreadable}
	}
	d := g.checkTexts(ctx, r.texts)
	if !d.LocalOnly {
		d = g.checkTexts(ctx, r.joined)
	}
	return d
}

func (g *Guard) checkTexts(ctx context.Context, texts []string) Decision {
	d := Decision{Reason: ReasonClean}
	for _, text := range texts {
		one := g.Check(text)
		if ctx.Err() != nil {
			return Decision{LocalOnly: true, Reason: ReasonTimeout}
		}
		if one.LocalOnly {
			d.LocalOnly, d.Reason = true, one.Reason
			for kind, n := range one.Found {
				d.add(kind, n)
			}
		}
	}
	return d
}

// maxWord is the longest word of a list.
const maxWord = 200

// ReadWords reads a user's list, a word or several that belong together a line; blank lines and those that begin with # are passed over.
func ReadWords(r io.Reader) ([]string, error) {
	var words []string
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		w := strings.TrimSpace(lines.Text())
		if w == "" || strings.HasPrefix(w, "#") {
			continue
		}
		if !utf8.ValidString(w) || len(w) > maxWord {
			return nil, fmt.Errorf("line %d of the words: want text of at most %d bytes", n, maxWord)
		}
		words = append(words, w)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading words: %w", err)
	}
	return words, nil
}
