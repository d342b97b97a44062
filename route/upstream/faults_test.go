package upstream_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/upstream"
)

func TestHangs(t *testing.T) {
	oneEvent := func(w http.ResponseWriter, r *http.Request) { stream(w, chunk("Hel", "")); hang(w, r) }
	headers := func(w http.ResponseWriter, r *http.Request) { stream(w); hang(w, r) }
	halfBody := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, wholeAnswer[:40])
		w.(http.Flusher).Flush()
		hang(w, r)
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		stream  bool
		wait    time.Duration
		stage   upstream.Stage
		events  int
	}{
		"silent":                {hang, false, time.Minute, upstream.StageFirst, 0},
		"silent stream":         {hang, true, time.Minute, upstream.StageFirst, 0},
		"headers, then silent":  {headers, true, time.Minute, upstream.StageFirst, 0},
		"an event, then silent": {oneEvent, true, 30 * time.Second, upstream.StageBetween, 1},
		"half a body":           {halfBody, false, 30 * time.Second, upstream.StageBetween, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := play(t, c.handler)
			u := f.up(t, nil)
			go func() {
				f.reached(1)
				tick(f.clock, c.wait, 1)
			}()
			var err error
			if c.stream {
				s, first := u.Stream(t.Context(), hello(t))
				if err = first; first == nil {
					for range s.Events() {
					}
					err = s.Err()
				}
			} else {
				_, err = u.Complete(t.Context(), hello(t))
			}
			e := failure(t, err, upstream.Timeout)
			require.Equal(t, c.stage, e.Stage)
			require.Equal(t, c.events, e.Events)
			require.True(t, e.Sent)
			require.True(t, e.Charged, "it may have been at work")
			require.Equal(t, 1, f.requests(), "a silent server is not asked twice")
		})
	}
}

func TestConnectionHangs(t *testing.T) {
	f := play(t, answer())
	u := f.up(t, func(o *upstream.Options) {
		o.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		o.Retries = 1
	})
	go func() {
		tick(f.clock, 10*time.Second, 1)
		tick(f.clock, 250*time.Millisecond, 1)
		tick(f.clock, 10*time.Second, 1)
	}()
	_, err := u.Complete(t.Context(), hello(t))
	e := failure(t, err, upstream.Timeout)
	require.Equal(t, upstream.StageConnect, e.Stage)
	require.Equal(t, 2, e.Attempts)
	require.False(t, e.Sent)
	require.False(t, e.Charged)
}

func TestTotalTime(t *testing.T) {
	f := play(t, reply(500, "text/plain", ""))
	u := f.up(t, func(o *upstream.Options) { o.Total, o.Retries = 2*time.Second, 99 })
	go func() {
		tick(f.clock, 250*time.Millisecond, 1)
		tick(f.clock, 500*time.Millisecond, 1)
		tick(f.clock, time.Second, 1)
		f.reached(4)
		f.clock.Timers(250 * time.Millisecond)
		time.Sleep(5 * time.Millisecond)       // for the fourth attempt to fail
		tick(f.clock, 250*time.Millisecond, 1) // of the two seconds
	}()
	_, err := u.Complete(t.Context(), hello(t))
	e := failure(t, err, upstream.Timeout)
	require.Equal(t, upstream.StageTotal, e.Stage)
	require.Equal(t, 4, e.Attempts)
}

// A client that reads slowly is not a silent upstream.
func TestSlowReaderIsNoTimeout(t *testing.T) {
	f := play(t, wholeStream())
	s, err := f.up(t, func(o *upstream.Options) { o.Total = time.Hour * 24 }).Stream(t.Context(), hello(t))
	require.NoError(t, err)
	n := 0
	for range s.Events() {
		f.clock.Advance(time.Hour)
		n++
	}
	require.NoError(t, s.Err())
	require.Equal(t, 4, n)
}

func TestHalfAStream(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		stream(w, chunk("Hel", ""), chunk("lo", ""))
		panic(http.ErrAbortHandler)
	}
	midChunk := func(w http.ResponseWriter, _ *http.Request) {
		stream(w, chunk("Hel", ""), chunk("lo", ""))
		io.WriteString(w, `data: {"id":"c1","choi`)
	}
	for name, h := range map[string]http.HandlerFunc{
		"cut": cut, "ended without a finish": streams(chunk("Hel", ""), chunk("lo", "")), "within an event": midChunk,
		"done without a finish": streams(chunk("Hel", ""), chunk("lo", ""), "[DONE]"),
	} {
		t.Run(name, func(t *testing.T) {
			f := play(t, h)
			u := f.up(t, func(o *upstream.Options) { o.CooldownAfter = 1 })
			s, err := u.Stream(t.Context(), hello(t))
			require.NoError(t, err)
			n := 0
			for range s.Events() {
				n++
			}
			e := failure(t, s.Err(), upstream.Broken)
			require.Equal(t, 2, e.Events)
			require.Equal(t, "Hello", e.Received)
			require.NotContains(t, e.Error(), "Hello")
			require.True(t, e.Charged)
			require.Equal(t, 1, f.requests())
			_, cooling := u.Cooling()
			require.True(t, cooling, "it counts as a failure though it had begun well")
		})
	}
}

func TestOneOfTwoChoicesIsHalfAStream(t *testing.T) {
	f := play(t, streams(chunk("a", "stop"), "[DONE]"))
	s, err := f.up(t, nil).Stream(t.Context(), cleared(t, `{"messages":[],"n":2}`))
	require.NoError(t, err)
	for range s.Events() {
	}
	failure(t, s.Err(), upstream.Broken)
}

func TestWrongAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		stream  bool
		kind    upstream.Kind
	}{
		"no JSON":                  {reply(200, "application/json", `{"choices":[`), false, upstream.BadAnswer},
		"HTML":                     {reply(200, "text/html", `<html>`), false, upstream.BadAnswer},
		"nothing":                  {reply(200, "application/json", ``), false, upstream.BadAnswer},
		"null":                     {reply(200, "application/json", `null`), false, upstream.BadAnswer},
		"an array":                 {reply(200, "application/json", `[]`), false, upstream.BadAnswer},
		"no choices":               {reply(200, "application/json", `{"choices":[]}`), false, upstream.BadAnswer},
		"an error with status 200": {reply(200, "application/json", `{"error":{"message":"no"}}`), false, upstream.BadAnswer},
		"choices of another type":  {reply(200, "application/json", `{"choices":7}`), false, upstream.BadAnswer},
		"no content":               {reply(204, "application/json", ``), false, upstream.BadAnswer},
		"stream: HTML":             {reply(200, "text/html", `<html>`), true, upstream.BadAnswer},
		"stream: a whole answer":   {answer(), true, upstream.BadAnswer},
		"stream: no JSON":          {streams(`{"choices":[`), true, upstream.BadAnswer},
		"stream: no JSON later":    {streams(chunk("a", ""), `nonsense`), true, upstream.BadAnswer},
		"stream: an error":         {streams(`{"error":{"message":"no"}}`), true, upstream.ServerError},
		"stream: an error later":   {streams(chunk("a", ""), `{"error":{"message":"no"}}`), true, upstream.ServerError},
		"stream: nothing":          {streams(), true, upstream.Broken},
		"stream: done at once":     {streams("[DONE]"), true, upstream.Broken},
	} {
		t.Run(name, func(t *testing.T) {
			f := play(t, c.handler)
			u := f.up(t, nil)
			var err error
			if c.stream {
				var s *upstream.Stream
				if s, err = u.Stream(t.Context(), hello(t)); err == nil {
					for range s.Events() {
					}
					err = s.Err()
				}
			} else {
				_, err = u.Complete(t.Context(), hello(t))
			}
			failure(t, err, c.kind)
			require.Equal(t, 1, f.requests())
		})
	}
}

func TestHostileUsage(t *testing.T) {
	f := play(t, reply(200, "application/json", `{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":-5,"completion_tokens":1}}`))
	a, err := f.up(t, nil).Complete(t.Context(), hello(t))
	require.NoError(t, err)
	require.False(t, a.Metered)
}

func limited(after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(429)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, after := range map[string]string{"seconds": "7", "date": "Wed, 25 Nov 2026 12:00:07 GMT"} {
		t.Run(name, func(t *testing.T) {
			f := play(t, limited(after), answer())
			u := f.up(t, nil)
			go tick(f.clock, 7*time.Second, 1)
			_, err := u.Complete(t.Context(), hello(t))
			require.NoError(t, err)
			require.Equal(t, 7*time.Second, f.times[1].Sub(f.times[0]))
		})
	}
}

func TestLongRetryAfterCoolsDown(t *testing.T) {
	f := play(t, limited("300"))
	u := f.up(t, nil)
	_, err := u.Stream(t.Context(), hello(t))
	e := failure(t, err, upstream.RateLimited)
	require.Equal(t, 5*time.Minute, e.RetryAfter)
	require.Equal(t, 1, f.requests())
	f.clock.Advance(299 * time.Second)
	_, err = u.Complete(t.Context(), hello(t))
	e = failure(t, err, upstream.Cooling)
	require.Equal(t, time.Second, e.RetryAfter)
	require.False(t, e.Sent)
	require.Equal(t, 1, f.requests(), "nothing is sent while it cools down")
	f.set(answer())
	f.clock.Advance(time.Second)
	_, err = u.Complete(t.Context(), hello(t))
	require.NoError(t, err)
}

func TestHostileRetryAfter(t *testing.T) {
	for _, after := range []string{"", "-5", "NaN", "soon", "Wed, 25 Nov 1998 12:00:07 GMT"} {
		f := play(t, limited(after), answer())
		u := f.up(t, nil)
		go tick(f.clock, 250*time.Millisecond, 1)
		_, err := u.Complete(t.Context(), hello(t))
		require.NoError(t, err, after)
	}
	for _, after := range []string{"1e300", "Inf", "99999999999999999999"} {
		f := play(t, limited(after))
		u := f.up(t, nil)
		_, err := u.Complete(t.Context(), hello(t))
		failure(t, err, upstream.RateLimited)
		until, _ := u.Cooling()
		require.Equal(t, 10*time.Minute, until.Sub(f.clock.Now()), "within a bound: %s", after)
	}
}

func TestServerErrorsBackOffAndCoolDown(t *testing.T) {
	f := play(t, reply(500, "application/json", `{"error":{"code":"server_error"}}`))
	u := f.up(t, func(o *upstream.Options) { o.Jitter = func() float64 { return 0.5 } })
	for call := range 3 {
		go func() {
			tick(f.clock, 375*time.Millisecond, 1) // half of 500 ms, and half of the other half
			tick(f.clock, 750*time.Millisecond, 1)
		}()
		_, err := u.Complete(t.Context(), hello(t))
		e := failure(t, err, upstream.ServerError)
		require.Equal(t, 3, e.Attempts)
		require.Equal(t, 3*(call+1), f.requests())
		require.Equal(t, "server_error", e.Code)
		require.False(t, e.Charged)
	}
	_, err := u.Complete(t.Context(), hello(t))
	failure(t, err, upstream.Cooling)
	require.Equal(t, 9, f.requests())
	require.NoError(t, u.Update(f.options()))
	_, cooling := u.Cooling()
	require.True(t, cooling, "new options do not end it")

	// One call tries it when the time has come; it fails, and the upstream is skipped again.
	f.clock.Advance(30 * time.Second)
	o := f.options()
	o.Retries = -1
	require.NoError(t, u.Update(o))
	_, err = u.Complete(t.Context(), hello(t))
	failure(t, err, upstream.ServerError)
	_, err = u.Complete(t.Context(), hello(t))
	failure(t, err, upstream.Cooling)
	f.clock.Advance(30 * time.Second)
	f.set(answer())
	for range 3 {
		_, err = u.Complete(t.Context(), hello(t))
		require.NoError(t, err)
	}
}

func TestOneProbeAtATime(t *testing.T) {
	f := play(t, reply(500, "text/plain", ""))
	u := f.up(t, func(o *upstream.Options) { o.Retries, o.CooldownAfter = -1, 1 })
	_, err := u.Complete(t.Context(), hello(t))
	failure(t, err, upstream.ServerError)
	f.clock.Advance(31 * time.Second)
	inside, leave := make(chan bool), make(chan bool)
	f.set(func(w http.ResponseWriter, r *http.Request) { inside <- true; <-leave; answer()(w, r) })
	done := make(chan error)
	go func() { _, err := u.Complete(t.Context(), hello(t)); done <- err }()
	<-inside
	_, err = u.Complete(t.Context(), hello(t))
	failure(t, err, upstream.Cooling)
	close(leave)
	require.NoError(t, <-done)
	go func() { <-inside }()
	_, err = u.Complete(t.Context(), hello(t))
	require.NoError(t, err)
}

func TestClientErrorsAreNotTriedAgain(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 413, 422, 501} {
		f := play(t, reply(status, "application/json", `{"error":{"code":"context_length_exceeded","message":"the prompt: hello"}}`))
		_, err := f.up(t, nil).Complete(t.Context(), hello(t))
		var e *upstream.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, status, e.Status)
		require.Equal(t, "context_length_exceeded", e.Code)
		require.NotContains(t, err.Error(), "hello")
		require.Equal(t, 1, f.requests())
	}
}

func TestCutBeforeTheAnswerIsTriedAgain(t *testing.T) {
	f := play(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, wholeStream())
	u := f.up(t, nil)
	go tick(f.clock, 250*time.Millisecond, 1)
	s, err := u.Stream(t.Context(), hello(t))
	require.NoError(t, err)
	s.Close()
}

func TestRefusedConnection(t *testing.T) {
	f := play(t, answer())
	u := f.up(t, func(o *upstream.Options) { o.Retries = -1 })
	f.Close()
	_, err := u.Complete(t.Context(), hello(t))
	e := failure(t, err, upstream.Refused)
	require.False(t, e.Sent)
}

func TestRedirects(t *testing.T) {
	elsewhere := play(t, answer())
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := play(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/v1/chat/completions", status)
		})
		u := f.up(t, nil)
		_, err := u.Complete(t.Context(), hello(t))
		failure(t, err, upstream.Redirected)
		_, err = u.Stream(t.Context(), hello(t))
		failure(t, err, upstream.Redirected)
		require.Equal(t, 2, f.requests())
	}
	require.Zero(t, elsewhere.requests(), "neither the prompt nor the key went there")

	loop := play(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
	})
	_, err := loop.up(t, nil).Complete(t.Context(), hello(t))
	failure(t, err, upstream.Redirected)
	require.LessOrEqual(t, loop.requests(), 4)

	f := play(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/v2/chat", http.StatusTemporaryRedirect)
	}, answer())
	_, err = f.up(t, nil).Complete(t.Context(), hello(t))
	require.NoError(t, err, "the same host may say where it has moved")

	bare := play(t, reply(304, "text/plain", ""))
	_, err = bare.up(t, nil).Complete(t.Context(), hello(t))
	failure(t, err, upstream.Redirected)
}

func TestHugeBodies(t *testing.T) {
	const bound = 1 << 20
	chunked := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for range 64 {
			if _, err := io.WriteString(w, repeat(" ", bound/16)); err != nil {
				return
			}
		}
		io.WriteString(w, wholeAnswer)
	}
	declared := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(1<<40))
		w.WriteHeader(200)
	}
	bomb := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 64 {
			io.WriteString(z, repeat(" ", bound))
		}
		z.Close()
	}
	line := func(w http.ResponseWriter, _ *http.Request) { stream(w, chunk("a", ""), repeat("x", 3*bound)) }
	many := func(w http.ResponseWriter, _ *http.Request) {
		for range 64 {
			stream(w, chunk(repeat("a", bound/32), ""))
		}
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		stream  bool
	}{"chunked": {chunked, false}, "declared": {declared, false}, "packed": {bomb, false}, "a line": {line, true}, "many events": {many, true}} {
		t.Run(name, func(t *testing.T) {
			f := play(t, c.handler)
			u := f.up(t, func(o *upstream.Options) { o.MaxBody = bound })
			var err error
			if c.stream {
				s, first := u.Stream(t.Context(), hello(t))
				require.NoError(t, first)
				for range s.Events() {
				}
				err = s.Err()
			} else {
				_, err = u.Complete(t.Context(), hello(t))
			}
			failure(t, err, upstream.TooLarge)
		})
	}
	huge := play(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(400)
		for {
			if _, err := io.WriteString(w, repeat("x", bound)); err != nil {
				return
			}
		}
	})
	_, err := huge.up(t, nil).Complete(t.Context(), hello(t))
	failure(t, err, upstream.Rejected)
}

// An error whose body never ends is that error, after the time between events.
func TestErrorWithAHangingBody(t *testing.T) {
	f := play(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(503)
		w.(http.Flusher).Flush()
		hang(w, r)
	})
	u := f.up(t, func(o *upstream.Options) { o.Retries = -1 })
	go tick(f.clock, 30*time.Second, 1)
	_, err := u.Complete(t.Context(), hello(t))
	e := failure(t, err, upstream.ServerError)
	require.Equal(t, 503, e.Status)
}
