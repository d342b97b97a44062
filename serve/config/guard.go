package config

import (
	"regexp"
	"time"
)

// Policies of the guard.
const (
	PolicyLocal  = "local_only" // what holds private data is answered by the fallback
	PolicyRedact = "redact"     // findings are replaced by their kinds before a request leaves
	PolicyOff    = "off"        // nothing is looked for
)

// Guard says what must not leave.
type Guard struct {
	Policy   string
	Words    []string
	WordFile string // with a word a line
	Skip     []string
	Patterns []Pattern
	MaxBytes int
	Timeout  time.Duration // for a request to be read; what takes longer stays
	At       Pos
}

// Pattern is a kind of private data of the user's own.
type Pattern struct {
	Name  string
	Regex *regexp.Regexp
	At    Pos
}

func (g *Guard) read(v value) {
	g.At = v.pos()
	v.object(keys{
		"policy":     func(v value) { v.oneOf(&g.Policy, PolicyLocal, PolicyRedact, PolicyOff) },
		"words":      func(v value) { v.strs(&g.Words) },
		"words_file": func(v value) { v.path(&g.WordFile) },
		"skip":       func(v value) { v.list("a list of kinds", func(v value) { g.readSkip(v) }) },
		"patterns":   g.readPatterns,
		"max_bytes":  func(v value) { v.integer(&g.MaxBytes, 1, 1<<30) },
		"timeout":    func(v value) { v.duration(&g.Timeout, time.Millisecond, time.Minute) },
	})
}

func (g *Guard) readSkip(v value) {
	var kind string
	if v.oneOf(&kind, "email", "phone", "iban", "card", "key"); kind != "" {
		g.Skip = append(g.Skip, kind)
	}
}

func (g *Guard) readPatterns(v value) {
	v.each("a mapping of names to patterns", func(name string, v value) {
		v.name(name)
		p := Pattern{Name: name, At: v.pos()}
		if p.Regex = v.pattern(); p.Regex != nil {
			g.Patterns = append(g.Patterns, p)
		}
	})
}
