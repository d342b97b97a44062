package config

import (
	"math"
	"regexp"
	"time"
)

// Virtual is a model that stands for others: each request goes to the first route whose condition holds.
type Virtual struct {
	Name     string
	Routes   []Route
	Default  string // model or upstream of what no route takes
	Fallback string // local model: answers what must not leave, what the budget or an upstream refuses, and what a broken router leaves undecided
	Shadow   string // where set: decide, log and count, but let this model answer
	Timeout  time.Duration
	Read     string // last or all
	At       Pos
	at       map[string]Pos
}

// Route is a condition and where it leads.
type Route struct {
	Name    string
	When    *When  // nil: always
	Model   string // or upstream
	Cascade *Cascade
	At      Pos
}

// Cascade lets a local model answer first.
type Cascade struct {
	To    string  // upstream that answers where the local model is not sure
	Below float64 // mean log-probability of its tokens
	First int     // tokens that are judged; 0: all of the answer
	At    Pos
}

// When is a condition; what is set must hold, all of it.
type When struct {
	Keyword    []string // as whole words, whatever their case; one is enough
	Regex      *regexp.Regexp
	LongerThan int // characters of the conversation; -1: not set
	Shorter    int
	Language   []string
	Code       *bool
	Private    *bool
	Router     string
	Is         []string
	AtLeast    float64 // confidence of the router
	Any        []*When // one of them holds
	Not        *When
	At         Pos
}

func (c *Config) readVirtual(v value) {
	v.each("a mapping of names to virtual models", func(name string, v value) {
		m := Virtual{Name: name, At: v.pos(), Timeout: 500 * time.Millisecond, Read: "last", at: map[string]Pos{}}
		v.name(name)
		target := func(key string, dst *string) func(value) {
			return func(v value) { m.at[key] = v.pos(); v.str(dst) }
		}
		v.object(keys{
			"routes":   m.readRoutes,
			"default":  target("default", &m.Default),
			"fallback": target("fallback", &m.Fallback),
			"shadow":   target("shadow", &m.Shadow),
			"timeout":  func(v value) { v.duration(&m.Timeout, time.Millisecond, time.Minute) },
			"read":     func(v value) { v.oneOf(&m.Read, "last", "all") },
		})
		if m.Default == "" && m.Fallback == "" {
			v.wrong("a key default", "none")
		}
		c.Virtual = append(c.Virtual, m)
	})
}

func (m *Virtual) readRoutes(v value) {
	names := map[string]bool{}
	v.list("a list of routes", func(v value) {
		r := Route{At: v.pos()}
		v.object(keys{
			"name":    func(v value) { v.str(&r.Name); v.name(r.Name) },
			"when":    func(v value) { r.When = readWhen(v) },
			"model":   func(v value) { v.str(&r.Model) },
			"cascade": func(v value) { r.Cascade = readCascade(v) },
		})
		if r.Model == "" {
			v.wrong("a key model", "none")
		}
		if r.Name == "" {
			r.Name = r.Model
		}
		if names[r.Name] || r.Name == "default" {
			v.wrong("a name that no other route has", clip(r.Name))
		}
		names[r.Name] = true
		m.Routes = append(m.Routes, r)
	})
}

func readCascade(v value) *Cascade {
	c := &Cascade{At: v.pos(), Below: math.NaN()}
	v.object(keys{
		"to":    func(v value) { v.str(&c.To) },
		"below": func(v value) { v.number(&c.Below, -100, 0) },
		"first": func(v value) { v.integer(&c.First, 0, 1<<20) },
	})
	if c.To == "" {
		v.wrong("a key to", "none")
	}
	if math.IsNaN(c.Below) {
		v.wrong("a key below", "none")
	}
	return c
}

func readWhen(v value) *When {
	w := &When{At: v.pos(), LongerThan: -1, Shorter: -1}
	truth := func(dst **bool) func(value) {
		return func(v value) { *dst = new(bool); v.boolean(*dst) }
	}
	v.object(keys{
		"keyword":      func(v value) { v.strs(&w.Keyword) },
		"regex":        func(v value) { w.Regex = v.pattern() },
		"longer_than":  func(v value) { v.integer(&w.LongerThan, 0, math.MaxInt32) },
		"shorter_than": func(v value) { v.integer(&w.Shorter, 1, math.MaxInt32) },
		"language":     func(v value) { v.strs(&w.Language) },
		"code":         truth(&w.Code),
		"private":      truth(&w.Private),
		"router":       func(v value) { v.str(&w.Router) },
		"is":           func(v value) { v.strs(&w.Is) },
		"at_least":     func(v value) { v.number(&w.AtLeast, 0, 1) },
		"any":          func(v value) { v.list("a list of conditions", func(v value) { w.Any = append(w.Any, readWhen(v)) }) },
		"not":          func(v value) { w.Not = readWhen(v) },
	})
	if v.null() || len(v.n.Content) == 0 {
		v.wrong("at least one condition", "none")
	}
	if (w.Router == "") != (len(w.Is) == 0) || w.Router == "" && w.AtLeast > 0 {
		v.wrong("router and is together (and at_least only with them)", "one without the other")
	}
	return w
}
