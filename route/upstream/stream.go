package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"sync"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/packages/ssestream"

	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// Event is a piece of an answer.
type Event struct {
	Raw     json.RawMessage // as the upstream wrote it
	Text    string          // what it adds to the first choice
	Finish  string          // why the first choice ended
	Choices int             // that it speaks of; the last event may hold nothing but the usage
	Usage   *price.Usage    // where it says it
}

// Stream is an answer on its way, for one goroutine. It must be closed.
type Stream struct {
	call     *call
	a        *attempt
	done     func() // of the attempt
	in       *ssestream.Stream[openai.ChatCompletionChunk]
	ready    *Event // the first, read ahead
	events   int
	finished map[int64]bool // choices
	text     []byte
	usage    price.Usage
	metered  bool
	err      *Error
	once     sync.Once
	closed   bool
}

const maxReceived = 1 << 20

// Stream asks for an answer event by event; it returns when the first one is there. Its error is an *Error.
func (u *Upstream) Stream(ctx context.Context, c guard.Cleared) (*Stream, error) {
	call, err := u.begin(ctx, c, true)
	if err != nil {
		return nil, err
	}
	service := u.service(call.s)
	var s *Stream
	failed := call.try(func() *Error {
		ctx, a, done := call.s.watch(call.ctx, false)
		s = &Stream{call: call, a: a, done: done, finished: map[int64]bool{}}
		s.in = service.NewStreaming(ctx, call.params())
		e := s.open()
		if e != nil {
			s.in.Close()
			done()
		}
		return e
	})
	if failed != nil {
		return nil, failed
	}
	u.circuit.answered()
	return s, nil
}

var errNoStream = errors.New("no stream of events")

// open waits for the first event.
func (s *Stream) open() *Error {
	if err := s.in.Err(); err != nil || s.a.status >= 300 {
		return s.call.explain(s.a, err)
	}
	if !s.a.eventful {
		return s.call.explain(s.a, errNoStream)
	}
	e, err := s.read()
	if err != nil {
		return err
	}
	s.a.disarm()
	s.ready = e
	return nil
}

// Next is the next event; false: there is none, and Err says why.
func (s *Stream) Next() (Event, bool) {
	if s.closed || s.err != nil {
		return Event{}, false
	}
	if s.call.ctx.Err() != nil {
		s.fail(s.call.explain(s.a, nil))
		return Event{}, false
	}
	if e := s.ready; e != nil {
		s.ready = nil
		return *e, true
	}
	s.a.arm(StageBetween)
	e, err := s.read()
	s.a.disarm()
	switch {
	case err != nil:
		s.fail(err)
	case e != nil:
		return *e, true
	default:
		s.finish(s.call.u.circuit.succeeded)
	}
	return Event{}, false
}

// read waits for an event; none at the end of a whole answer.
func (s *Stream) read() (*Event, *Error) {
	more := false
	if err := protect(func() error { more = s.in.Next(); return nil }); err != nil {
		return nil, s.ended(err)
	}
	if !more {
		return nil, s.ended(s.in.Err())
	}
	chunk := s.in.Current()
	e := &Event{Raw: json.RawMessage(chunk.RawJSON()), Choices: len(chunk.Choices)}
	for _, c := range chunk.Choices {
		if c.Index == 0 {
			e.Text += c.Delta.Content
			e.Finish = c.FinishReason
		}
		if c.FinishReason != "" {
			s.finished[c.Index] = true
		}
	}
	if usage, ok := usageOf(chunk.Usage, chunk.JSON.Usage.Valid()); ok {
		e.Usage, s.usage, s.metered = &usage, usage, true
	}
	s.events++
	if len(s.text)+len(e.Text) <= maxReceived {
		s.text = append(s.text, e.Text...)
	}
	return e, nil
}

// ended explains the end of the events; nil where every choice was finished.
func (s *Stream) ended(err error) *Error {
	if err == nil && s.events > 0 && len(s.finished) >= s.call.request.choices {
		return nil
	}
	e := s.call.explain(s.a, err)
	var said *ssestream.StreamError
	switch {
	case errors.As(err, &said):
		e.Kind = ServerError
	case err == nil && e.Kind == BadAnswer:
		e.Kind = Broken
	}
	e.Events, e.Received = s.events, string(s.text)
	return e
}

func (s *Stream) fail(e *Error) {
	s.err = e
	if e.Events == 0 {
		e.Events, e.Received = s.events, string(s.text)
	}
	e.Attempts = 1
	s.finish(func() {
		if e.counts() {
			s.call.u.circuit.failed(s.call.s, 0)
		}
	})
}

// finish gives back what the stream holds, once.
func (s *Stream) finish(tell func()) {
	s.once.Do(func() {
		tell()
		s.closed = true
		s.done()
		s.in.Close()
		s.call.end()
	})
}

// Err is why the stream ended: nil where the answer is whole, else an *Error.
func (s *Stream) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Usage is what the upstream said it used; false: it has not said it.
func (s *Stream) Usage() (price.Usage, bool) { return s.usage, s.metered }

// Worst bounds what the call uses.
func (s *Stream) Worst() price.Usage { return s.call.request.worst }

// Close ends the stream; the upstream is told to stop.
func (s *Stream) Close() { s.finish(func() {}) }

// Events gives the rest of the stream and closes it; the last pair holds the error, if there is one.
func (s *Stream) Events() iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		defer s.Close()
		for e, ok := s.Next(); ok; e, ok = s.Next() {
			if !yield(e, nil) {
				return
			}
		}
		if s.err != nil {
			yield(Event{}, s.err)
		}
	}
}
