package policy

import (
	"context"
	"errors"
	"iter"

	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

// source is an answer on its way.
type source interface {
	next() (Event, bool, error)
	usage() (price.Usage, bool)
	close()
}

// ErrPanicked is returned for a local model that panicked.
var ErrPanicked = errors.New("the local model failed")

// localSource pulls a local answer.
type localSource struct {
	pull   func() (Event, error, bool)
	stop   func()
	cancel context.CancelFunc
	tokens int64
	said   *price.Usage
	held   []Event // read ahead, to be given first
	ended  bool
	err    error
}

func openLocal(ctx context.Context, l Local, r Request) (s *localSource) {
	ctx, cancel := context.WithCancel(ctx)
	s = &localSource{stop: func() {}, cancel: cancel}
	defer func() {
		if recover() != nil {
			s.ended, s.err = true, ErrPanicked
		}
	}()
	s.pull, s.stop = iter.Pull2(l.Answer(ctx, r))
	return s
}

// read takes the next event from the model; at the end ok is false.
func (s *localSource) read() (e Event, ok bool, err error) {
	if s.ended {
		return Event{}, false, s.err
	}
	defer func() {
		if recover() != nil {
			s.ended, s.err = true, ErrPanicked
			e, ok, err = Event{}, false, ErrPanicked
		}
	}()
	e, err, ok = s.pull()
	if !ok || err != nil {
		s.ended, s.err = true, err
		return Event{}, false, err
	}
	if e.Scored {
		s.tokens++
	}
	if e.Usage != nil {
		s.said = e.Usage
	}
	return e, true, nil
}

// ahead reads one event and keeps it to be given first.
func (s *localSource) ahead() (e Event, ok bool, err error) {
	if e, ok, err = s.read(); ok {
		s.held = append(s.held, e)
	}
	return e, ok, err
}

func (s *localSource) next() (Event, bool, error) {
	if len(s.held) > 0 {
		e := s.held[0]
		s.held = s.held[1:]
		return e, true, nil
	}
	return s.read()
}

func (s *localSource) usage() (price.Usage, bool) {
	if s.said != nil {
		return *s.said, true
	}
	return price.Usage{Out: s.tokens}, false
}

// close stops the model. One that panics at its end is no longer needed.
func (s *localSource) close() {
	defer func() { _ = recover() }()
	s.cancel()
	s.stop()
	s.ended = true
}

// wholeSource is an upstream's answer in one piece.
type wholeSource struct {
	a    *upstream.Answer
	done bool
}

func (s *wholeSource) next() (Event, bool, error) {
	if s.done {
		return Event{}, false, nil
	}
	s.done = true
	e := Event{Raw: s.a.Raw, Text: s.a.Text, Finish: s.a.Finish}
	if s.a.Metered {
		e.Usage = &s.a.Usage
	}
	return e, true, nil
}

func (s *wholeSource) usage() (price.Usage, bool) { return s.a.Usage, s.a.Metered }
func (s *wholeSource) close()                     {}

// streamSource is an upstream's answer event by event.
type streamSource struct{ s *upstream.Stream }

func (s streamSource) next() (Event, bool, error) {
	e, ok := s.s.Next()
	if !ok {
		return Event{}, false, s.s.Err()
	}
	return Event{Raw: e.Raw, Text: e.Text, Finish: e.Finish, Usage: e.Usage}, true, nil
}

func (s streamSource) usage() (price.Usage, bool) { return s.s.Usage() }
func (s streamSource) close()                     { s.s.Close() }
