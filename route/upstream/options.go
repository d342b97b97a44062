package upstream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// ErrOptions is returned for options that cannot be.
var ErrOptions = errors.New("upstream options")

// Options of New. Zero values are the defaults named here.
type Options struct {
	Name    string // in errors and records; must be given
	BaseURL string // such as https://api.example.org/v1; must be given
	KeyEnv  string // the environment variable that holds the key; empty: no key is sent
	Model   string // that the upstream is asked for; must be given
	Price   price.Price

	MaxTokens       int      // the most tokens an answer is asked for: 4096
	LegacyMaxTokens bool     // the limit is sent as max_tokens, for servers that do not know max_completion_tokens
	Fields          []string // of the client's body that are let through beside those of the API

	Connect       time.Duration // until there is a connection: 10 s
	FirstByte     time.Duration // from there to the first event, or to the first byte of a whole answer: 60 s
	BetweenEvents time.Duration // 30 s
	Total         time.Duration // of a call with all its attempts: 10 min

	Retries       int           // beside the first attempt: 2; negative: none
	Backoff       time.Duration // before the first retry, doubled with each: 500 ms; half of it to all of it, by chance
	MaxBackoff    time.Duration // 8 s
	MaxRetryAfter time.Duration // the longest Retry-After that is waited for: 20 s; a longer one cools the upstream down
	CooldownAfter int           // failed calls in a row: 3
	Cooldown      time.Duration // that the upstream is skipped: 30 s
	MaxCooldown   time.Duration // that a Retry-After can cause: 10 min

	MaxBody int64 // bytes of an answer, unpacked: 16 MiB

	Clock     clock.Clock       // nil: the machine's
	Jitter    func() float64    // in [0, 1); nil: by chance
	Transport http.RoundTripper // nil: one of its own
}

// settings are Options with defaults, and the key.
type settings struct {
	Options
	base *url.URL
	key  string
}

func resolve(o Options) (*settings, error) {
	for _, f := range []struct{ name, value string }{{"Name", o.Name}, {"BaseURL", o.BaseURL}, {"Model", o.Model}} {
		if f.value == "" {
			return nil, fmt.Errorf("%w: %s of upstream %q is empty", ErrOptions, f.name, o.Name)
		}
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, fmt.Errorf("%w: BaseURL of upstream %q: want http(s)://HOST/PATH with no user, query or fragment", ErrOptions, o.Name)
	}
	s := &settings{Options: withDefaults(o), base: base}
	if o.KeyEnv != "" {
		if s.key = os.Getenv(o.KeyEnv); s.key == "" {
			return nil, fmt.Errorf("%w: the environment variable %s, for the key of upstream %q, is not set", ErrOptions, o.KeyEnv, o.Name)
		}
	}
	return s, nil
}

func withDefaults(o Options) Options {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&o.Connect, 10 * time.Second}, {&o.FirstByte, time.Minute}, {&o.BetweenEvents, 30 * time.Second}, {&o.Total, 10 * time.Minute},
		{&o.Backoff, 500 * time.Millisecond}, {&o.MaxBackoff, 8 * time.Second}, {&o.MaxRetryAfter, 20 * time.Second},
		{&o.Cooldown, 30 * time.Second}, {&o.MaxCooldown, 10 * time.Minute},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if o.MaxTokens <= 0 {
		o.MaxTokens = 4096
	}
	if o.Retries == 0 {
		o.Retries = 2
	}
	if o.CooldownAfter <= 0 {
		o.CooldownAfter = 3
	}
	if o.MaxBody <= 0 {
		o.MaxBody = 16 << 20
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	o.Clock = clock.Or(o.Clock)
	return o
}
