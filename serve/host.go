package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// Host is a server whose options can be changed while it works. Every request is answered to its end by the options that it met;
// a model that both have, with the same Source.Key, stays open. It is safe for concurrent use.
type Host struct {
	now     atomic.Pointer[Server]
	handler http.Handler

	reload sync.Mutex // one change at a time
	mu     sync.Mutex
	live   map[*Server]bool // that still have requests, with the newest
	closed error
	ended  sync.WaitGroup // of servers being closed
}

// NewHost begins with the server of some options; see New.
func NewHost(o Options) (*Host, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	h := &Host{live: map[*Server]bool{}}
	h.handler = http.HandlerFunc(h.serve)
	h.enter(s)
	return h, nil
}

// enter makes a server the newest.
func (h *Host) enter(s *Server) {
	s.users.Store(1) // the host's own hold, until the next takes its place
	h.mu.Lock()
	h.live[s] = true
	h.mu.Unlock()
	s.metrics.current.Store(s)
	h.now.Store(s)
}

// Reload opens what the new options have beyond the old ones, and when all of it is open lets new requests meet them. On an error the
// old ones stay. Options that belong to the process are not changed: Log, MaxBody and the like are each request's, the address and
// what was given to Serve stay.
func (h *Host) Reload(ctx context.Context, o Options) error {
	h.reload.Lock()
	defer h.reload.Unlock()
	old := h.now.Load()
	s, err := newServer(o, old)
	if err != nil {
		return err
	}
	if err := s.loaded(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	if old.draining() {
		return errors.Join(engine.ErrDraining, s.Close())
	}
	h.enter(s)
	h.leave(old)
	return nil
}

// loaded waits until every model that is opened at start is open.
func (s *Server) loaded(ctx context.Context) error {
	if s.opts.Lazy {
		return nil
	}
	for _, name := range s.order {
		if err := s.models[name].wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Handler is the whole API of whichever server is the newest when a request comes.
func (h *Host) Handler() http.Handler { return h.handler }

func (h *Host) serve(w http.ResponseWriter, r *http.Request) {
	s := h.now.Load()
	for !s.hold() { // it was replaced, and its last request left, since
		s = h.now.Load()
	}
	defer h.leave(s)
	s.handler.ServeHTTP(w, r)
}

// hold keeps a server from being closed; false where it already is.
func (s *Server) hold() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// leave gives up a hold; the last one out closes the server.
func (h *Host) leave(s *Server) {
	if s.users.Add(-1) > 0 {
		return
	}
	h.ended.Go(func() {
		err := s.Close()
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.live, s)
		h.closed = errors.Join(h.closed, err)
	})
}

// Serve answers on a listener until ctx ends; see Server.Serve.
func (h *Host) Serve(ctx context.Context, ln net.Listener, drain time.Duration) error {
	return serveOn(ctx, ln, drain, h)
}

// servers are those that still work.
func (h *Host) servers() (list []*Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.live {
		list = append(list, s)
	}
	return list
}

func (h *Host) stop() {
	for _, s := range h.servers() {
		s.stop()
	}
}

// Drain ends all servers' requests; see Server.Drain.
func (h *Host) Drain(ctx context.Context) error {
	var all error
	for _, s := range h.servers() {
		all = errors.Join(all, s.Drain(ctx))
	}
	return all
}

// Close frees everything; requests must have ended.
func (h *Host) Close() error {
	if s := h.now.Load(); !s.gone.Swap(true) {
		h.leave(s)
	}
	h.ended.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.live); n > 0 {
		return errors.Join(h.closed, fmt.Errorf("serve: %d servers still had requests", n))
	}
	return h.closed
}

func (h *Host) options() *Options { return &h.now.Load().opts }
