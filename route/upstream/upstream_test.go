package upstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

func TestComplete(t *testing.T) {
	f := play(t, answer())
	a, err := f.up(t, nil).Complete(t.Context(), hello(t))
	require.NoError(t, err)
	require.Equal(t, &upstream.Answer{Raw: json.RawMessage(wholeAnswer), Text: "Hi there", Finish: "stop", Usage: price.Usage{In: 9, Out: 3}, Metered: true}, a)
	require.JSONEq(t, `{"model":"big-1","messages":[{"role":"user","content":"hello"}],"max_completion_tokens":4096}`, f.bodies[0])
	require.Equal(t, "Bearer "+secret, f.headers[0].Get("Authorization"))
}

func TestStream(t *testing.T) {
	f := play(t, wholeStream())
	u := f.up(t, nil)
	s, err := u.Stream(t.Context(), hello(t))
	require.NoError(t, err)
	defer s.Close()
	var text, finish string
	var raw []string
	for e, ok := s.Next(); ok; e, ok = s.Next() {
		text += e.Text
		raw = append(raw, string(e.Raw))
		if e.Finish != "" {
			finish = e.Finish
		}
		require.Equal(t, e.Usage != nil, e.Choices == 0)
	}
	require.NoError(t, s.Err())
	require.Equal(t, "Hello", text)
	require.Equal(t, "stop", finish)
	require.Equal(t, []string{chunk("Hel", ""), chunk("lo", ""), chunk("", "stop"), usageChunk}, raw, "as the upstream wrote them")
	usage, ok := s.Usage()
	require.True(t, ok)
	require.Equal(t, price.Usage{In: 9, Out: 2}, usage)
	require.JSONEq(t, `{"model":"big-1","messages":[{"role":"user","content":"hello"}],"max_completion_tokens":4096,"stream":true,"stream_options":{"include_usage":true}}`, f.bodies[0])
	_, ok = s.Next()
	require.False(t, ok)
}

func TestStreamWithoutDoneOrUsage(t *testing.T) {
	f := play(t, streams(chunk("a", "length")))
	s, err := f.up(t, nil).Stream(t.Context(), hello(t))
	require.NoError(t, err)
	n := 0
	for _, err := range s.Events() {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n)
	_, metered := s.Usage()
	require.False(t, metered)
}

func TestWhatIsSent(t *testing.T) {
	f := play(t, answer())
	body := `{"model":"auto","messages":[{"role":"user","content":"<b>&"}],"max_tokens":10,"max_completion_tokens":9999999,"stream":true,"stream_options":{},` +
		`"temperature":0.5,"n":2,"user":"u-1","metadata":{"a":"b"},"store":true,"service_tier":"priority","gate":"topk=4","web_search_options":{},"top_k":5}`
	u := f.up(t, func(o *upstream.Options) { o.Fields, o.LegacyMaxTokens, o.MaxTokens = []string{"top_k"}, true, 77 })
	_, err := u.Complete(t.Context(), cleared(t, body))
	require.NoError(t, err)
	require.JSONEq(t, `{"model":"big-1","messages":[{"role":"user","content":"<b>&"}],"max_tokens":77,"temperature":0.5,"n":2,"top_k":5}`, f.bodies[0])
}

func TestEnvironmentOfTheClientLibraryIsNotRead(t *testing.T) {
	elsewhere := play(t, answer())
	t.Setenv("OPENAI_BASE_URL", elsewhere.URL)
	t.Setenv("OPENAI_API_KEY", "another")
	t.Setenv("OPENAI_ORG_ID", "org")
	t.Setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: yes")
	f := play(t, answer())
	_, err := f.up(t, func(o *upstream.Options) { o.KeyEnv = "" }).Complete(t.Context(), hello(t))
	require.NoError(t, err)
	require.Zero(t, elsewhere.requests())
	require.Empty(t, f.headers[0].Get("Authorization"))
	require.Empty(t, f.headers[0].Get("X-Mine"))
	require.Empty(t, f.headers[0].Get("OpenAI-Organization"))
}

func TestNothingGoesThatWasNotCleared(t *testing.T) {
	f := play(t, answer())
	u := f.up(t, nil)
	_, err := u.Complete(t.Context(), guard.Cleared{})
	failure(t, err, upstream.NotCleared)
	_, err = u.Stream(t.Context(), guard.Cleared{})
	failure(t, err, upstream.NotCleared)
	_, _, ok := u.Worst(guard.Cleared{})
	require.False(t, ok)
	require.Zero(t, f.requests())
}

func TestNonsenseIsNotSent(t *testing.T) {
	f := play(t, answer())
	u := f.up(t, nil)
	for _, body := range []string{`[]`, `"a"`, `{"max_tokens":-1}`, `{"max_tokens":"9"}`, `{"max_completion_tokens":1.5}`, `{"n":0}`, `{"n":1000}`} {
		_, err := u.Complete(t.Context(), cleared(t, body))
		e := failure(t, err, upstream.Rejected)
		require.False(t, e.Sent, body)
	}
	require.Zero(t, f.requests())
	_, cooling := u.Cooling()
	require.False(t, cooling, "a client's nonsense does not cool the upstream down")
}

func TestWorst(t *testing.T) {
	f := play(t, answer())
	u := f.up(t, nil)
	cost, usage, ok := u.Worst(cleared(t, `{"messages":[{"role":"user","content":[{"type":"text","text":"hello"}]}],"max_tokens":100,"n":3}`))
	require.True(t, ok)
	require.EqualValues(t, 300, usage.Out)
	require.Greater(t, usage.In, int64(80))
	require.Less(t, usage.In, int64(600))
	require.Equal(t, u.Price().Cost(usage), cost)
	off, err := guard.NewPolicy(nil, guard.PolicyOptions{Mode: guard.ModeOff})
	require.NoError(t, err)
	image := off.Screen(t.Context(), []byte(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.org/a.png"}}]}]}`))
	_, _, ok = u.Worst(image.Cleared)
	require.False(t, ok, "an image has no bound")
}

func TestOptions(t *testing.T) {
	t.Setenv("TEST_UPSTREAM_KEY", secret)
	good := play(t, answer()).options()
	for name, change := range map[string]func(*upstream.Options){
		"Name":                func(o *upstream.Options) { o.Name = "" },
		"Model":               func(o *upstream.Options) { o.Model = "" },
		"BaseURL":             func(o *upstream.Options) { o.BaseURL = "" },
		"want http(s)":        func(o *upstream.Options) { o.BaseURL = "ftp://a/b" },
		"no user":             func(o *upstream.Options) { o.BaseURL = "https://me:pass-word-1@a/b" },
		"query":               func(o *upstream.Options) { o.BaseURL = "https://a/b?key=pass-word-1" },
		"NO_SUCH_KEY":         func(o *upstream.Options) { o.KeyEnv = "NO_SUCH_KEY" },
		"http(s)://HOST":      func(o *upstream.Options) { o.BaseURL = "http://a b/\x00pass-word-1" },
		"fragment":            func(o *upstream.Options) { o.BaseURL = "http://a/#b" },
		`BaseURL of upstream`: func(o *upstream.Options) { o.BaseURL = "v1" },
	} {
		o := good
		change(&o)
		_, err := upstream.New(o)
		require.ErrorIs(t, err, upstream.ErrOptions)
		require.ErrorContains(t, err, name)
		require.NotContains(t, err.Error(), "pass-word-1")
	}
	u, err := upstream.New(good)
	require.NoError(t, err)
	bad := good
	bad.Name = "other"
	require.ErrorIs(t, u.Update(bad), upstream.ErrOptions)
	good.Model = "big-2"
	require.NoError(t, u.Update(good))
}

func TestTheKeyIsNeverShown(t *testing.T) {
	echo := fmt.Sprintf(`{"error":{"message":"Incorrect API key provided: %s","code":"%s","type":"%s, please"}}`, secret, secret, secret)
	f := play(t, reply(401, "application/json", echo), streams(chunk("a", ""), `{"error":{"message":"`+secret+`"}}`))
	u := f.up(t, nil)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", u, u, u), secret)
	_, err := u.Complete(t.Context(), hello(t))
	e := failure(t, err, upstream.Rejected)
	require.Equal(t, 401, e.Status)
	s, err2 := u.Stream(t.Context(), hello(t))
	require.NoError(t, err2)
	for range s.Events() {
	}
	failure(t, s.Err(), upstream.ServerError)
	for _, v := range []any{err, s.Err(), *e} {
		for _, format := range []string{"%v", "%+v", "%s", "%q"} {
			require.NotContains(t, fmt.Sprintf(format, v), secret, "%T %s", v, format)
		}
	}
	data, _ := json.Marshal(e)
	require.NotContains(t, string(data), secret)
}

func TestCancellationStopsWithinAnEvent(t *testing.T) {
	left := make(chan struct{})
	f := play(t, func(w http.ResponseWriter, r *http.Request) {
		var events []string
		for range 500 {
			events = append(events, chunk("x", ""))
		}
		stream(w, events...)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	s, err := f.up(t, nil).Stream(ctx, hello(t))
	require.NoError(t, err)
	defer s.Close()
	_, ok := s.Next()
	require.True(t, ok)
	cancel()
	_, ok = s.Next()
	require.False(t, ok, "events that had arrived are not given after the end")
	failure(t, s.Err(), upstream.Canceled)
	require.ErrorIs(t, s.Err(), context.Canceled)
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Fatal("the upstream was not told")
	}
}

func TestCloseTellsTheUpstream(t *testing.T) {
	left := make(chan struct{})
	f := play(t, func(w http.ResponseWriter, r *http.Request) {
		stream(w, chunk("x", ""))
		hang(w, r)
		close(left)
	})
	s, err := f.up(t, nil).Stream(t.Context(), hello(t))
	require.NoError(t, err)
	s.Close()
	<-left
	_, ok := s.Next()
	require.False(t, ok)
}

func TestCanceledBeforeAndWhileWaiting(t *testing.T) {
	f := play(t, hang)
	u := f.up(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { _, err := u.Complete(ctx, hello(t)); done <- err }()
	f.reached(1)
	cancel()
	failure(t, <-done, upstream.Canceled)
	_, err := u.Stream(ctx, hello(t))
	e := failure(t, err, upstream.Canceled)
	require.False(t, e.Sent)
	require.Equal(t, 1, f.requests())
	_, cooling := u.Cooling()
	require.False(t, cooling)
}

func TestManyAtOnce(t *testing.T) {
	f := play(t, wholeStream())
	u := f.up(t, nil)
	c := hello(t)
	done := make(chan string)
	for range 32 {
		go func() {
			s, err := u.Stream(t.Context(), c)
			if err != nil {
				done <- err.Error()
				return
			}
			var b bytes.Buffer
			for e := range s.Events() {
				b.WriteString(e.Text)
			}
			done <- b.String()
		}()
	}
	for range 32 {
		require.Equal(t, "Hello", <-done)
	}
}

// Whatever an upstream says, the answer is one or an Error with a kind of the list.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(wholeAnswer), false)
	for _, events := range [][]string{{chunk("a", "stop"), usageChunk, "[DONE]"}, {`{"error":1}`}, {`{"choices":[{"index":-1,"delta":null}]}`}} {
		var b bytes.Buffer
		for _, e := range events {
			fmt.Fprintf(&b, "data: %s\n\n", e)
		}
		f.Add(b.Bytes(), true)
	}
	transport := answerWith{}
	o := upstream.Options{Name: "big", BaseURL: "http://big.example/v1", Model: "big-1", Transport: &transport, CooldownAfter: 1 << 30}
	u, err := upstream.New(o)
	if err != nil {
		f.Fatal(err)
	}
	off, _ := guard.NewPolicy(nil, guard.PolicyOptions{Mode: guard.ModeOff})
	c := off.Screen(f.Context(), []byte(`{"messages":[]}`)).Cleared
	f.Fuzz(func(t *testing.T, data []byte, streamed bool) {
		transport.data, transport.streamed = data, streamed
		var err error
		if streamed {
			var s *upstream.Stream
			if s, err = u.Stream(t.Context(), c); err == nil {
				for range s.Events() {
				}
				err = s.Err()
			}
		} else {
			_, err = u.Complete(t.Context(), c)
		}
		var e *upstream.Error
		if err != nil {
			require.ErrorAs(t, err, &e)
			require.Contains(t, upstream.Kinds(), e.Kind)
		}
	})
}

// answerWith is a transport that answers with some bytes.
type answerWith struct {
	data     []byte
	streamed bool
}

func (a *answerWith) RoundTrip(*http.Request) (*http.Response, error) {
	kind := "application/json"
	if a.streamed {
		kind = "text/event-stream"
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(a.data)), ContentLength: -1}, nil
}
