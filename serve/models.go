package serve

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/serve/engine"
	"github.com/seed2fbf7788/switchyard/serve/grammar"
	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
)

// Source is a model to serve: its name in the API, and how it is opened.
type Source struct {
	Name string
	Open func() (*model.Model, error)
}

// served is one model of the server.
type served struct {
	name    string
	open    func() (*model.Model, error)
	opts    engine.Options
	created int64

	once  sync.Once
	ready chan struct{} // closed when loading has ended, well or not
	live  *live
	err   error
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
	return &served{name: s.Name, open: s.Open, opts: o, created: time.Now().Unix(), ready: make(chan struct{})}
}

// load opens the model, once.
func (s *served) load() {
	s.once.Do(func() {
		defer close(s.ready)
		m, err := s.open()
		if err != nil {
			s.err = fmt.Errorf("model %s: %w", s.name, err)
			return
		}
		l := &live{name: s.name, m: m, e: engine.New(m, s.opts), fingerprint: "sy_" + m.Hash()[:12]}
		l.template, l.stops, l.plain, l.templateErr = m.ChatTemplate()
		s.live = l
	})
}

// get waits for the model, and loads it where nobody has asked for it before.
func (s *served) get(ctx context.Context) (*live, error) {
	go s.load()
	select {
	case <-s.ready:
		return s.live, s.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// now is the model where it is open.
func (s *served) now() *live {
	select {
	case <-s.ready:
		return s.live
	default:
		return nil
	}
}

// loading says that loading has begun and not ended, or has failed.
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
