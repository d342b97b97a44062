package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// Options of New; the zero value of each but Models works.
type Options struct {
	Models []Source
	Mix    *Mix // virtual models; the server closes it, also where New fails
	Lazy   bool // models are opened when a request first names them, and not at start
	Engine engine.Options

	Keys  Keys // API keys; none: everybody may ask
	Pprof bool // profiles at /debug/pprof/, with a key where there are keys

	MaxBody       int64         // bytes of a body; 0: 4 MiB
	HeaderTimeout time.Duration // for a request's header to arrive; 0: 10 s
	BodyTimeout   time.Duration // for a body to arrive; 0: 30 s
	WriteTimeout  time.Duration // for a client to take a part of a stream; 0: 30 s
	Ping          time.Duration // between comments on a silent stream; 0: 15 s

	Log        *slog.Logger // nil: none
	LogPrompts bool         // bodies of requests are logged too
}

func (o *Options) defaults() {
	if o.MaxBody <= 0 {
		o.MaxBody = 4 << 20
	}
	for d, def := range map[*time.Duration]time.Duration{&o.HeaderTimeout: 10 * time.Second, &o.BodyTimeout: 30 * time.Second, &o.WriteTimeout: 30 * time.Second, &o.Ping: 15 * time.Second} {
		if *d <= 0 {
			*d = def
		}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Server answers the API. Handler is its face; it is safe for concurrent use.
type Server struct {
	opts   Options
	models map[string]*served
	order  []string // as they were given
	made   time.Time

	virtual      map[string]*Virtual
	virtualOrder []string
	metrics      *metrics
	drain        atomic.Bool
	handler      http.Handler

	users atomic.Int64 // requests at work, and the host's hold; of servers of a Host only
	gone  atomic.Bool  // the host has given up its hold at its end
}

// New makes a server and begins to open its models, unless they are lazy.
func New(o Options) (*Server, error) { return newServer(o, nil) }

// newServer takes over models and metrics of the one before, where there is one.
func newServer(o Options, before *Server) (*Server, error) {
	o.defaults()
	s := &Server{opts: o, models: map[string]*served{}, made: time.Now()}
	if err := s.name(o); err != nil {
		return nil, errors.Join(err, o.Mix.close())
	}
	for _, m := range o.Models {
		s.models[m.Name] = before.keep(m, o.Engine)
	}
	s.metrics = before.keepMetrics()
	s.metrics.current.CompareAndSwap(nil, s)
	s.setMix(o.Mix)
	s.handler = s.routes()
	if !o.Lazy {
		for _, m := range s.models {
			go func() {
				if m.load(); m.err != nil {
					o.Log.Error("model failed to load", "model", m.Name, "error", m.err)
				}
			}()
		}
	}
	return s, nil
}

// name checks the names of models and lists them.
func (s *Server) name(o Options) error {
	if len(o.Models) == 0 {
		return fmt.Errorf("serve: want at least one model, found none")
	}
	for _, m := range o.Models {
		if _, twice := s.models[m.Name]; m.Name == "" || twice {
			return fmt.Errorf("serve: model names: want each once and not empty, found %q", m.Name)
		}
		s.models[m.Name] = nil
		s.order = append(s.order, m.Name)
	}
	return o.Mix.check(s.models)
}

// Handler is the whole API, the page and the metrics.
func (s *Server) Handler() http.Handler { return s.handler }

// routes lists what the server answers.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", s.auth(s.chatCompletions))
	mux.HandleFunc("POST /v1/completions", s.auth(s.completions))
	mux.HandleFunc("POST /v1/responses", s.auth(s.responses))
	mux.HandleFunc("POST /v1/embeddings", s.auth(s.embeddings))
	mux.HandleFunc("GET /v1/models", s.auth(s.listModels))
	mux.HandleFunc("GET /v1/models/{id...}", s.auth(s.oneModel))
	mux.HandleFunc("POST /tokenize", s.auth(s.tokenize))
	mux.HandleFunc("POST /detokenize", s.auth(s.detokenize))
	mux.HandleFunc("GET /health", s.health)
	mux.Handle("GET /metrics", s.metrics.handler())
	s.page(mux)
	if s.opts.Pprof {
		s.profiles(mux)
	}
	mux.HandleFunc("/", s.notFound)
	return s.logged(s.bodyInTime(s.sameOrigin(mux)))
}

// notFound answers what nobody else does: a wrong method or an unknown path.
func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	writeError(w, &apiError{status: http.StatusNotFound, Type: typeInvalid, Code: "unknown_url",
		Message: fmt.Sprintf("Unknown request URL: %s %s.", clip(r.Method, 20), clip(r.URL.Path, 200))})
}

// sameOrigin refuses requests that a page of another site makes a browser send: a server on this machine is otherwise open
// to every page that its user visits.
func (s *Server) sameOrigin(next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, &apiError{status: http.StatusForbidden, Type: typeInvalid, Code: "cross_origin", Message: "Requests from pages of other origins are not taken."})
	}))
	return guard.Handler(next)
}

// body reads the request's object.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (*fields, error) {
	f, err := readBody(w, r, s.opts.MaxBody)
	if err == nil && s.opts.LogPrompts {
		s.opts.Log.Info("body", "id", requestID(r), "body", f.raw)
	}
	return f, err
}

// opened finds a model by its name and waits until it is open.
func (s *Server) opened(r *http.Request, name string) (*served, error) {
	m := s.models[name]
	if m == nil {
		return nil, unknownModel(name)
	}
	if !s.opts.Lazy && m.state() == "loading" {
		return nil, &apiError{status: http.StatusServiceUnavailable, retryAfter: 2, Type: "overloaded_error", Code: "model_loading", Message: fmt.Sprintf("The model %q is still loading.", name)}
	}
	err := m.wait(r.Context())
	if err != nil && r.Context().Err() == nil {
		s.opts.Log.Error("model failed to load", "model", name, "error", err)
		return nil, &apiError{status: http.StatusServiceUnavailable, retryAfter: 60, Type: "server_error", Code: "model_failed", Message: fmt.Sprintf("The model %q could not be loaded.", name)}
	}
	return m, err
}

// model finds a model that generates text.
func (s *Server) model(r *http.Request, name string) (*live, error) {
	m, err := s.opened(r, name)
	if err != nil {
		return nil, err
	}
	return generator(m)
}

// launch checks what needs the model, and starts the choices.
func (s *Server) launch(r *http.Request, l *live, id string, p *params, prompts [][]int32) (*run, error) {
	if s.draining() {
		return nil, engine.ErrDraining
	}
	var err error
	if p.req.Gate, err = l.gate(p.gate); err != nil {
		return nil, named(err, "gate")
	}
	return s.start(r, l, id, *p, prompts)
}

// gate compiles a request's gate. Clauses that name files are the operator's and not a client's.
func (l *live) gate(text string) (*model.GateOverride, error) {
	if len(text) > maxGate {
		return nil, badRequest("gate", "Invalid value for 'gate': want at most %d bytes, found %d.", maxGate, len(text))
	}
	p, err := moe.ParseProgram(text)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"replay", "file"} {
		if len(p.Edits.Paths(key)) > 0 {
			return nil, badRequest("gate", "Invalid value for 'gate': %s= reads files and is not allowed in requests.", key)
		}
	}
	g, err := l.m.CompileGate(text)
	if err == nil && l.m.WholeText(g) {
		return nil, badRequest("gate", "Invalid value for 'gate': want one that decides about each token alone, found one that needs the whole text.")
	}
	return g, err
}

const maxGate = 4096

// open begins a stream of events.
func (g *run) open(w http.ResponseWriter) *sse {
	g.headers(w)
	out := newSSE(w, g.s.opts.Ping, g.s.opts.WriteTimeout, g.cancel)
	out.ended = func() { g.setExperts(w.Header(), http.TrailerPrefix) }
	return out
}

// named puts a parameter's name into errors that have none of their own.
func named(err error, param string) error {
	e := *asAPI(err)
	if e.status == http.StatusBadRequest && (e.Param == "" || e.Param == "messages") {
		e.Param = param
	}
	return &e
}

func (s *Server) draining() bool { return s.drain.Load() }

func (s *Server) stop() { s.drain.Store(true) }

func (s *Server) options() *Options { return &s.opts }

// Drain takes no more requests, waits until those at work have ended or ctx ends, and then ends the rest: streams get a
// proper last chunk with finish_reason length. It closes the engines and the models.
func (s *Server) Drain(ctx context.Context) error {
	s.stop()
	var all error
	for _, m := range s.models {
		l := m.now()
		if l == nil {
			continue
		}
		if err := l.e.Drain(ctx); err != nil {
			all = errors.Join(all, fmt.Errorf("model %s: %w", m.Name, err))
		}
		all = errors.Join(all, l.e.Close())
	}
	return all
}

// Close frees the models that no later server has taken over; requests must have ended. Drain comes before it.
func (s *Server) Close() error {
	var all error
	for _, m := range s.models {
		all = errors.Join(all, m.release())
	}
	return errors.Join(all, s.opts.Mix.close())
}
