package upstream_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

const secret = "sk-test-0123456789abcdefghij"

// fake is an upstream that plays a part: handlers[i] answers request i, the last one all later ones.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	handlers []http.HandlerFunc
	bodies   []string
	headers  []http.Header
	times    []time.Time
	clock    *clock.Fake
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	h := f.handlers[min(len(f.bodies), len(f.handlers)-1)]
	f.bodies, f.headers, f.times = append(f.bodies, string(body)), append(f.headers, r.Header), append(f.times, f.clock.Now())
	f.mu.Unlock()
	h(w, r)
}

func (f *fake) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.bodies)
}

// reached waits until the upstream has read n requests.
func (f *fake) reached(n int) {
	for f.requests() < n {
		time.Sleep(100 * time.Microsecond)
	}
}

// set changes the part of later requests.
func (f *fake) set(handlers ...http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handlers, f.bodies, f.times = handlers, nil, nil
}

func play(t *testing.T, handlers ...http.HandlerFunc) *fake {
	f := &fake{handlers: handlers, clock: clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Server.Close)
	return f
}

// up is an upstream of a fake whose clock is the fake's; jitter is the least there is.
func (f *fake) up(t *testing.T, change func(*upstream.Options)) *upstream.Upstream {
	t.Setenv("TEST_UPSTREAM_KEY", secret)
	o := f.options()
	if change != nil {
		change(&o)
	}
	u, err := upstream.New(o)
	require.NoError(t, err)
	return u
}

func (f *fake) options() upstream.Options {
	p, _ := price.PerMillion(1, 4)
	return upstream.Options{
		Name: "big", BaseURL: f.URL + "/v1", KeyEnv: "TEST_UPSTREAM_KEY", Model: "big-1", Price: p, Clock: f.clock, Jitter: func() float64 { return 0 },
	}
}

func cleared(t *testing.T, body string) guard.Cleared {
	p, err := guard.NewPolicy(nil, guard.PolicyOptions{Timeout: time.Minute})
	require.NoError(t, err)
	v := p.Screen(t.Context(), []byte(body))
	require.True(t, v.Cleared.OK(), "%+v", v)
	return v.Cleared
}

func hello(t *testing.T) guard.Cleared {
	return cleared(t, `{"model":"auto","messages":[{"role":"user","content":"hello"}]}`)
}

// failure is the *upstream.Error of a call, of the kind that is wanted.
func failure(t *testing.T, err error, kind upstream.Kind) *upstream.Error {
	t.Helper()
	var e *upstream.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, kind, e.Kind, e.Error())
	require.Contains(t, upstream.Kinds(), e.Kind)
	return e
}

const wholeAnswer = `{"id":"c1","object":"chat.completion","created":1,"model":"big-1","x_extra":{"a":[1]},` +
	`"choices":[{"index":0,"message":{"role":"assistant","content":"Hi there","refusal":null},"finish_reason":"stop","logprobs":null}],` +
	`"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}`

func reply(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func answer() http.HandlerFunc { return reply(200, "application/json", wholeAnswer) }

func chunk(text, finish string) string {
	if finish != "" {
		finish = `"` + finish + `"`
	} else {
		finish = "null"
	}
	return fmt.Sprintf(`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"big-1","choices":[{"index":0,"delta":{"content":%q},"finish_reason":%s}]}`, text, finish)
}

const usageChunk = `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"big-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}`

func stream(w http.ResponseWriter, events ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range events {
		fmt.Fprintf(w, "data: %s\n\n", e)
	}
	w.(http.Flusher).Flush()
}

func streams(events ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { stream(w, events...) }
}

func wholeStream() http.HandlerFunc {
	return streams(chunk("Hel", ""), chunk("lo", ""), chunk("", "stop"), usageChunk, "[DONE]")
}

// hang keeps silent until the client leaves.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// tick moves a clock whenever somebody has waited for exactly d.
func tick(c *clock.Fake, d time.Duration, times int) {
	for range times {
		c.Timers(d)
		c.Advance(d)
	}
}

func repeat(text string, n int) string { return strings.Repeat(text, n) }
