package config

import (
	"math"
	"net/url"
	"regexp"
	"time"
)

// Upstream is a model elsewhere that speaks the OpenAI API. Times and numbers of zero are the defaults of package upstream.
type Upstream struct {
	Name      string
	BaseURL   string
	KeyEnv    string // name of the environment variable with the API key; "": no key
	Model     string
	Input     float64 // price of a million tokens
	Output    float64
	MaxTokens int
	Legacy    bool     // the limit is sent as max_tokens
	Fields    []string // of a request's body that are let through beside those of the API

	Connect       time.Duration
	FirstToken    time.Duration // to the first part of an answer
	Idle          time.Duration // between two parts of a stream
	Timeout       time.Duration // of a whole answer, with all attempts
	Retries       int           // -1: none
	Cooldown      time.Duration // that it is skipped after failures
	CooldownAfter int           // failures in a row
	At            Pos
}

func (c *Config) readUpstreams(v value) {
	v.each("a mapping of names to upstreams", func(name string, v value) {
		u := Upstream{Name: name, At: v.pos()}
		v.name(name)
		limit := func(dst *time.Duration) func(value) {
			return func(v value) { v.duration(dst, time.Millisecond, time.Hour) }
		}
		v.object(keys{
			"base_url":          u.readURL,
			"api_key_env":       u.readKey,
			"model":             func(v value) { v.str(&u.Model) },
			"price":             u.readPrice,
			"max_tokens":        func(v value) { v.integer(&u.MaxTokens, 1, math.MaxInt32) },
			"legacy_max_tokens": func(v value) { v.boolean(&u.Legacy) },
			"fields":            func(v value) { v.strs(&u.Fields) },
			"connect":           limit(&u.Connect),
			"first_token":       limit(&u.FirstToken),
			"idle":              limit(&u.Idle),
			"timeout":           limit(&u.Timeout),
			"retries":           u.readRetries,
			"cooldown":          limit(&u.Cooldown),
			"cooldown_after":    func(v value) { v.integer(&u.CooldownAfter, 1, 1000) },
		})
		for _, k := range [][2]string{{"base_url", u.BaseURL}, {"model", u.Model}} {
			if k[1] == "" {
				v.wrong("a key "+k[0], "none that can be used")
			}
		}
		c.Upstreams = append(c.Upstreams, u)
	})
}

func (u *Upstream) readRetries(v value) {
	if v.integer(&u.Retries, 0, 10); u.Retries == 0 {
		u.Retries = -1
	}
}

func (u *Upstream) readURL(v value) {
	var text string
	v.str(&text)
	p, err := url.Parse(text)
	switch {
	case err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Host == "":
		v.bad("an address such as https://HOST/v1")
	case p.User != nil || p.RawQuery != "" || p.Fragment != "":
		v.wrong("an address with no user, query or fragment", "one")
	default:
		u.BaseURL = text
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// readKey never repeats what it found: who mistakes the key for its name must not have it in a log.
func (u *Upstream) readKey(v value) {
	if !envName.MatchString(v.n.Value) {
		v.wrong("the name of an environment variable that holds the key", "something else")
		return
	}
	u.KeyEnv = v.n.Value
}

func (u *Upstream) readPrice(v value) {
	v.object(keys{
		"input":  func(v value) { v.number(&u.Input, 0, math.Inf(1)) },
		"output": func(v value) { v.number(&u.Output, 0, math.Inf(1)) },
	})
}
