package upstream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// What a transport is stopped for.
var (
	errTooLarge   = errors.New("answer too large")
	errRedirected = errors.New("redirected")
	errTimeout    = errors.New("time out")
)

// attempt is one HTTP request under watch: one timer runs at a time, for the stage that is waited for.
type attempt struct {
	s      *settings
	whole  bool // the answer is read in one piece
	cancel context.CancelCauseFunc

	mu         sync.Mutex
	stop       func() bool
	round      int   // of the timer that counts
	timedOut   Stage // the stage that took too long
	sent       bool
	status     int
	code       string
	retryAfter time.Duration
	eventful   bool // the answer is said to be a stream of events
	readErr    error
}

type attemptKey struct{}

// watch begins an attempt; its context ends when a stage takes too long. done ends it.
func (s *settings) watch(ctx context.Context, whole bool) (_ context.Context, a *attempt, done func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	a = &attempt{s: s, whole: whole, cancel: cancel}
	a.arm(StageConnect)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { a.connected() }})
	return context.WithValue(ctx, attemptKey{}, a), a, func() {
		a.disarm()
		cancel(nil)
	}
}

// arm starts the timer of a stage in place of the one that runs.
func (a *attempt) arm(stage Stage) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.start(stage)
}

func (a *attempt) start(stage Stage) {
	if a.stop != nil {
		a.stop()
	}
	a.round++
	round := a.round
	wait := map[Stage]time.Duration{StageConnect: a.s.Connect, StageFirst: a.s.FirstByte, StageBetween: a.s.BetweenEvents}[stage]
	a.stop = a.s.Clock.AfterFunc(wait, func() { a.expire(stage, round) })
}

func (a *attempt) expire(stage Stage, round int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.round == round && a.timedOut == "" {
		a.timedOut = stage
		a.cancel(errTimeout)
	}
}

// disarm stops the timer: nobody waits for the upstream.
func (a *attempt) disarm() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.round++
	if a.stop != nil {
		a.stop()
		a.stop = nil
	}
}

// connected: the request is about to be written.
func (a *attempt) connected() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.sent {
		a.sent = true
		a.start(StageFirst)
	}
}

// transport notes what an answer's headers say and bounds its body.
type transport struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	a := req.Context().Value(attemptKey{}).(*attempt)
	res, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	a.connected()
	a.note(res)
	switch {
	case res.StatusCode >= 400:
		a.refusal(res)
	case res.ContentLength > a.s.MaxBody:
		res.Body.Close()
		return nil, errTooLarge
	default:
		res.Body = &body{rc: res.Body, a: a, left: a.s.MaxBody}
	}
	return res, nil
}

func (a *attempt) note(res *http.Response) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = res.StatusCode
	a.retryAfter = retryAfter(res.Header, a.s.Clock.Now())
	a.eventful = eventStream(res.Header.Get("Content-Type"))
}

// maxRefusal is how much is read of an error's body.
const maxRefusal = 64 << 10

var plainWord = regexp.MustCompile(`^[a-z0-9_]{1,48}$`)

// refusal reads the code of an error, where it is a plain word: the rest of an error may repeat the prompt or the key.
func (a *attempt) refusal(res *http.Response) {
	a.arm(StageBetween)
	data, _ := io.ReadAll(io.LimitReader(res.Body, maxRefusal))
	a.disarm()
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(nil))
	var e struct {
		Error struct{ Code, Type any }
	}
	if json.Unmarshal(data, &e) != nil {
		return
	}
	for _, v := range []any{e.Error.Code, e.Error.Type} {
		if word, ok := v.(string); ok && plainWord.MatchString(word) {
			a.mu.Lock()
			a.code = word
			a.mu.Unlock()
			return
		}
	}
}

// retryAfter reads the header in seconds or as a date; 0: there is none, or it has passed.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(v, 64); err == nil {
		if !(seconds > 0) {
			return 0
		}
		return time.Duration(min(seconds, 1e9) * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// body bounds what is read. Of a whole answer it also watches each read; a stream is watched event by event.
type body struct {
	rc   io.ReadCloser
	a    *attempt
	left int64
	more bool // the first bytes are there
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.a.whole && b.more {
		b.a.arm(StageBetween)
	}
	n, err := b.rc.Read(p)
	if b.left -= int64(n); b.left < 0 {
		err = errTooLarge
	}
	if n > 0 && b.a.whole {
		b.more = true
		b.a.disarm()
	}
	if err != nil && err != io.EOF {
		b.a.mu.Lock()
		b.a.readErr = err
		b.a.mu.Unlock()
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error { return b.rc.Close() }

// sameOrigin refuses redirects that lead elsewhere or change the method.
func sameOrigin(req *http.Request, via []*http.Request) error {
	from := via[0]
	if len(via) > 3 || req.Method != from.Method || req.URL.Scheme != from.URL.Scheme || req.URL.Host != from.URL.Host {
		return errRedirected
	}
	return nil
}
