package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"

	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// Upstream is a model elsewhere. It is safe for concurrent use.
type Upstream struct {
	name    string
	own     *http.Transport
	now     atomic.Pointer[settings]
	circuit circuit
}

// New makes an upstream; nothing is sent yet.
func New(o Options) (*Upstream, error) {
	u := &Upstream{name: o.Name, own: &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}}
	return u, u.Update(o)
}

// Update changes the options of later calls; whether the upstream is cooling down stays. The name must stay too. Where it
// fails, nothing has changed.
func (u *Upstream) Update(o Options) error {
	if o.Name != u.name {
		return fmt.Errorf("%w: an upstream keeps its name: want %q, got %q", ErrOptions, u.name, o.Name)
	}
	s, err := resolve(o)
	if err != nil {
		return err
	}
	u.now.Store(s)
	return nil
}

// Close gives back connections that no call uses. Calls may still be made.
func (u *Upstream) Close() { u.own.CloseIdleConnections() }

// Name is the upstream's name.
func (u *Upstream) Name() string { return u.name }

// Price is what its tokens cost.
func (u *Upstream) Price() price.Price { return u.now.Load().Price }

// Cooling says whether the upstream is skipped after failures, and until when.
func (u *Upstream) Cooling() (until time.Time, ok bool) {
	u.circuit.mu.Lock()
	defer u.circuit.mu.Unlock()
	return u.circuit.until, u.circuit.until.After(u.now.Load().Clock.Now())
}

// Worst bounds what a call can use and cost, before it is made: no token of a text is shorter than a byte, and an answer is
// no longer than it is asked for. ok is false where there is no bound (images and the like, or a body that cannot be sent).
func (u *Upstream) Worst(c guard.Cleared) (cost price.Money, worst price.Usage, ok bool) {
	s := u.now.Load()
	r, err := s.request(c, true)
	if err != nil || !c.OK() {
		return 0, price.Usage{}, false
	}
	return s.Price.Cost(r.worst), r.worst, r.bounded
}

// service is the official client; the environment's settings for it are not read.
func (u *Upstream) service(s *settings) openai.ChatCompletionService {
	var next http.RoundTripper = u.own
	if s.Transport != nil {
		next = s.Transport
	}
	client := &http.Client{Transport: transport{next}, CheckRedirect: sameOrigin}
	options := []option.RequestOption{option.WithBaseURL(s.base.String()), option.WithHTTPClient(client), option.WithMaxRetries(0)}
	if s.key != "" {
		options = append(options, option.WithAPIKey(s.key))
	}
	return openai.NewChatCompletionService(options...)
}

// call is one request with all its attempts.
type call struct {
	u       *Upstream
	s       *settings
	request *request
	parent  context.Context
	ctx     context.Context // ends with the parent, or when the total time is out
	end     func()
}

func (u *Upstream) begin(ctx context.Context, c guard.Cleared, stream bool) (*call, error) {
	s := u.now.Load()
	if !c.OK() {
		return nil, &Error{Upstream: u.name, Kind: NotCleared}
	}
	r, err := s.request(c, stream)
	if err != nil {
		return nil, &Error{Upstream: u.name, Kind: Rejected, Code: "invalid_request"}
	}
	if err := ctx.Err(); err != nil {
		return nil, &Error{Upstream: u.name, Kind: Canceled, err: err}
	}
	if until, ok := u.circuit.allow(s.Clock.Now()); !ok {
		return nil, &Error{Upstream: u.name, Kind: Cooling, RetryAfter: max(until.Sub(s.Clock.Now()), 0)}
	}
	inner, cancel := context.WithCancelCause(ctx)
	stop := s.Clock.AfterFunc(s.Total, func() { cancel(errTimeout) })
	return &call{u, s, r, ctx, inner, func() { stop(); cancel(nil) }}, nil
}

func (c *call) params() openai.ChatCompletionNewParams {
	return param.Override[openai.ChatCompletionNewParams](json.RawMessage(c.request.body))
}

// try makes attempts until one does not fail, may not be made again, or there have been enough.
func (c *call) try(once func() *Error) *Error {
	sent := false
	for n := 0; ; n++ {
		e := once()
		if e == nil {
			return nil
		}
		sent = sent || e.Sent
		e.Attempts, e.Sent = n+1, sent
		if n >= c.s.Retries || !e.again() || e.RetryAfter > c.s.MaxRetryAfter {
			return c.fail(e)
		}
		if clock.Sleep(c.ctx, c.s.Clock, c.wait(n, e.RetryAfter)) != nil {
			stopped := c.stopped()
			stopped.Attempts, stopped.Sent = e.Attempts, sent
			return c.fail(stopped)
		}
	}
}

// wait is how long to wait before retry n.
func (c *call) wait(n int, asked time.Duration) time.Duration {
	back := c.s.MaxBackoff
	if n < 30 {
		back = min(c.s.Backoff<<n, c.s.MaxBackoff)
	}
	return max(asked, back/2) + time.Duration(c.s.Jitter()*float64(back/2))
}

// stopped is the error of a call whose context has ended.
func (c *call) stopped() *Error {
	if err := c.parent.Err(); err != nil {
		return &Error{Upstream: c.u.name, Kind: Canceled, err: err}
	}
	return &Error{Upstream: c.u.name, Kind: Timeout, Stage: StageTotal}
}

// fail tells the circuit and ends the call.
func (c *call) fail(e *Error) *Error {
	if e.counts() {
		c.u.circuit.failed(c.s, e.RetryAfter)
	} else {
		c.u.circuit.undecided()
	}
	c.end()
	return e
}

// explain turns what the client library says into an Error.
func (c *call) explain(a *attempt, err error) *Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := &Error{Upstream: c.u.name, Status: a.status, Code: a.code, Sent: a.sent}
	switch {
	case c.ctx.Err() != nil:
		stopped := c.stopped()
		e.Kind, e.Stage, e.err = stopped.Kind, stopped.Stage, stopped.err
	case a.timedOut != "" && a.status < 400:
		e.Kind, e.Stage = Timeout, a.timedOut
	case errors.Is(err, errTooLarge) || errors.Is(a.readErr, errTooLarge):
		e.Kind = TooLarge
	case errors.Is(err, errRedirected) || a.status >= 300 && a.status < 400:
		e.Kind = Redirected
	case a.status == http.StatusTooManyRequests:
		e.Kind, e.RetryAfter = RateLimited, a.retryAfter
	case a.status >= 500 || a.status == http.StatusRequestTimeout:
		e.Kind, e.RetryAfter = ServerError, a.retryAfter
	case a.status >= 400:
		e.Kind = Rejected
	case a.status == 0 && !a.sent:
		e.Kind = Refused
	case a.status == 0 || a.readErr != nil:
		e.Kind = Broken
	default:
		e.Kind = BadAnswer
	}
	e.Charged = e.Sent && (e.Status/100 == 2 || e.Status == 0 && !e.again())
	return e
}

// protect keeps what a hostile answer does to the client library from the rest of the program.
func protect(ask func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errUnreadable
		}
	}()
	return ask()
}

var errUnreadable = errors.New("an answer that cannot be read")

func eventStream(contentType string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	return media == "text/event-stream"
}
