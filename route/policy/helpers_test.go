package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

// counting counts the bytes that reach a server, below HTTP.
type counting struct {
	net.Listener
	bytes atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, l}, err
}

type countingConn struct {
	net.Conn
	l *counting
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.bytes.Add(int64(n))
	return n, err
}

// fake is an upstream. Its part can be changed at any time.
type fake struct {
	*httptest.Server
	in       *counting
	requests atomic.Int64
	mu       sync.Mutex
	handler  http.HandlerFunc
	bodies   []string
}

func play(t testing.TB, h http.HandlerFunc) *fake {
	f := &fake{handler: h}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		h := f.handler
		f.bodies = append(f.bodies, string(body))
		f.mu.Unlock()
		h(w, r.WithContext(context.WithValue(r.Context(), streamed{}, strings.Contains(string(body), `"stream":true`))))
	}))
	f.in = &counting{Listener: f.Server.Listener}
	f.Server.Listener = f.in
	f.Start()
	t.Cleanup(f.Close)
	return f
}

func (f *fake) set(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = h
}

const usageChunk = `{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}}`

func chunk(text, finish string) string {
	if finish != "" {
		finish = fmt.Sprintf(`,"finish_reason":%q`, finish)
	}
	return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":%q}%s}]}`, text, finish)
}

// streamed is set by the fake where the request asks for a stream.
type streamed struct{}

// answer answers as it is asked: whole or as a stream.
func answer(w http.ResponseWriter, r *http.Request) {
	if r.Context().Value(streamed{}) == true {
		events(w, chunk("big ", ""), chunk("answer", "stop"), usageChunk, "[DONE]")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	io.WriteString(w, `{"choices":[{"index":0,"message":{"content":"big answer"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2}}`)
}

func events(w http.ResponseWriter, list ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, e := range list {
		fmt.Fprintf(w, "data: %s\n\n", e)
	}
	w.(http.Flusher).Flush()
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func cut(w http.ResponseWriter, _ *http.Request) {
	events(w, chunk("big ", ""))
	panic(http.ErrAbortHandler)
}

// up is an upstream of a fake: 1 a million tokens read, 10 a million written; no retries unless they are asked for.
func (f *fake) up(t testing.TB, name string, change func(*upstream.Options)) *upstream.Upstream {
	p, err := price.PerMillion(1, 10)
	require.NoError(t, err)
	o := upstream.Options{Name: name, BaseURL: f.URL + "/v1", Model: "big-1", Price: p, Retries: -1, CooldownAfter: 1 << 30, MaxTokens: 100}
	if change != nil {
		change(&o)
	}
	u, err := upstream.New(o)
	require.NoError(t, err)
	return u
}

// tokens is a local model that says the same with the same log-probability.
func tokens(logProb float64, texts ...string) policy.LocalFunc {
	return func(ctx context.Context, _ policy.Request) iter.Seq2[policy.Event, error] {
		return func(yield func(policy.Event, error) bool) {
			for _, text := range texts {
				if ctx.Err() != nil {
					yield(policy.Event{}, ctx.Err())
					return
				}
				if !yield(policy.Event{Text: text, LogProb: logProb, Scored: true, Data: text}, nil) {
					return
				}
			}
			yield(policy.Event{Finish: "stop", Usage: &price.Usage{In: 7, Out: int64(len(texts))}}, nil)
		}
	}
}

var errLocal = errors.New("out of memory")

// fails is a local model that fails after some events.
func fails(after ...string) policy.LocalFunc {
	return func(context.Context, policy.Request) iter.Seq2[policy.Event, error] {
		return func(yield func(policy.Event, error) bool) {
			for _, text := range after {
				if !yield(policy.Event{Text: text, LogProb: -9, Scored: true}, nil) {
					return
				}
			}
			yield(policy.Event{}, errLocal)
		}
	}
}

func panics(context.Context, policy.Request) iter.Seq2[policy.Event, error] { panic("no model") }

func open(t testing.TB, mode guard.Mode) *guard.Policy {
	p, err := guard.NewPolicy(nil, guard.PolicyOptions{Mode: mode, Timeout: time.Minute})
	require.NoError(t, err)
	return p
}

func memory(t testing.TB) *ledger.Ledger {
	l, err := ledger.Open("", ledger.Options{Clock: clock.System{}})
	require.NoError(t, err)
	return l
}

// core has a small model here and a big one elsewhere.
func core(t testing.TB, f *fake) *policy.Core {
	return &policy.Core{
		Locals:    map[string]policy.Local{"small": tokens(-0.1, "small ", "answer"), "other": tokens(-0.1, "other")},
		Upstreams: map[string]*upstream.Upstream{"big": f.up(t, "big", nil)},
		Guard:     open(t, ""), Ledger: memory(t), Reference: "big", Fallback: "small",
	}
}

func ask(text string, stream bool) policy.Request {
	body, _ := json.Marshal(map[string]any{"model": "auto", "stream": stream, "messages": []map[string]string{{"role": "user", "content": text}}})
	return policy.Request{Body: body, Stream: stream}
}

// all reads a run to its end and closes it.
func all(r *policy.Run) (text string, err error) {
	defer r.Close()
	var b strings.Builder
	for e, ok := r.Next(); ok; e, ok = r.Next() {
		b.WriteString(e.Text)
	}
	return b.String(), r.Err()
}
