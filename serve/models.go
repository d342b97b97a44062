package serve

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/serve/engine"
	"github.com/seed2fbf7788/switchyard/serve/grammar"
	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
)

// Source is a model to serve: its name in the API, and how it is opened. One of Open and Encoder is set.
type Source struct {
	Name    string
	Key     string // what was opened and how: a Host keeps a model whose name and key stay; "": it is opened anew
	Open    func() (*model.Model, error)
	Encoder func() (*model.Encoder, error) // for /v1/embeddings
}

// served is one model of the server.
type served struct {
	Source
	opts    engine.Options
	created int64

	once    sync.Once
	ready   chan struct{} // closed when loading has ended, well or not
	live    *live         // nil for an encoder
	encoder *model.Encoder
	err     error

	users atomic.Int32 // servers that have it
}

// live is an open model with all that its requests need.
type live struct {
	name        string
	m           *model.Model
	e           *engine.Engine
	template    *chat.Template
	stops       []string // of the plain template
	plain       bool
	templateErr error
	fingerprint string

	words sync.Once
	vocab *grammar.Vocab // for constraints, once one is wanted
	fault error
}

// vocabulary prepares the vocabulary for constraints, once.
func (l *live) vocabulary() (*grammar.Vocab, error) {
	l.words.Do(func() {
		tok, err := l.m.Tokenizer()
		if err != nil {
			l.fault = err
			return
		}
		l.vocab = grammar.NewVocab(tok, l.m.Spec().Vocab)
	})
	return l.vocab, l.fault
}

func newServed(s Source, o engine.Options) *served {
	m := &served{Source: s, opts: o, created: time.Now().Unix(), ready: make(chan struct{})}
	m.users.Store(1)
	return m
}

// keep gives a server's model where it is what the source would open, else a new one. A nil server has none.
func (s *Server) keep(src Source, o engine.Options) *served {
	if s != nil && src.Key != "" {
		if m := s.models[src.Name]; m != nil && m.Key == src.Key && m.opts == o && m.state() != "failed" {
			m.users.Add(1)
			return m
		}
	}
	return newServed(src, o)
}

// release gives a model up; the last server that has it closes it.
func (m *served) release() error {
	if m.users.Add(-1) > 0 {
		return nil
	}
	m.once.Do(func() { m.err = model.ErrClosed; close(m.ready) })
	<-m.ready
	var all error
	if m.live != nil {
		all = errors.Join(all, m.live.e.Close(), m.live.m.Close())
	}
	if m.encoder != nil {
		all = errors.Join(all, m.encoder.Close())
	}
	return all
}

// load opens the model, once.
func (s *served) load() {
	s.once.Do(func() {
		defer close(s.ready)
		var err error
		if s.Encoder != nil {
			s.encoder, err = s.Encoder()
		} else {
			err = s.openModel()
		}
		if err != nil {
			s.err = fmt.Errorf("model %s: %w", s.Name, err)
		}
	})
}

func (s *served) openModel() error {
	m, err := s.Open()
	if err != nil {
		return err
	}
	l := &live{name: s.Name, m: m, e: engine.New(m, s.opts), fingerprint: "sy_" + m.Hash()[:12]}
	l.template, l.stops, l.plain, l.templateErr = m.ChatTemplate()
	s.live = l
	return nil
}

// wait waits for the model, and loads it where nobody has asked for it before.
func (s *served) wait(ctx context.Context) error {
	go s.load()
	select {
	case <-s.ready:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// now is the model where it is open; nil for encoders.
func (s *served) now() *live {
	select {
	case <-s.ready:
		return s.live
	default:
		return nil
	}
}

// state is loading, ready or failed.
func (s *served) state() string {
	select {
	case <-s.ready:
		if s.err != nil {
			return "failed"
		}
		return "ready"
	default:
		return "loading"
	}
}
