package serve

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Limits of the connections below the API.
const (
	idleTimeout = 2 * time.Minute
	maxHeader   = 64 << 10
	lastWords   = 5 * time.Second // for the ends of streams to leave after a drain
)

// Serve answers on a listener until ctx ends. Then it stops accepting, gives what is at work as long as drain to
// end, ends the rest with proper last chunks, and frees the models. A drain that was cut short is no error.
func (s *Server) Serve(ctx context.Context, ln net.Listener, drain time.Duration) error {
	srv := &http.Server{Handler: s.handler, ReadHeaderTimeout: s.opts.HeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return errors.Join(err, s.Close())
	case <-ctx.Done():
	}
	s.opts.Log.Info("draining", "seconds", drain.Seconds())
	limit, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	last, stop := context.WithTimeout(context.Background(), drain+lastWords)
	defer stop()
	closed := make(chan error, 1)
	s.drain.Store(true)
	go func() { closed <- srv.Shutdown(last) }()
	if err := s.Drain(limit); err != nil {
		s.opts.Log.Warn("drain cut short", "error", err)
	}
	if err := <-closed; err != nil {
		srv.Close()
	}
	return s.Close()
}
