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
	return serveOn(ctx, ln, drain, s)
}

// app is a Server or a Host.
type app interface {
	Handler() http.Handler
	Drain(ctx context.Context) error
	Close() error
	stop() // no more requests from here on
	options() *Options
}

func serveOn(ctx context.Context, ln net.Listener, drain time.Duration, a app) error {
	srv := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: a.options().HeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	select {
	case err := <-failed:
		return errors.Join(err, a.Close())
	case <-ctx.Done():
	}
	a.options().Log.Info("draining", "seconds", drain.Seconds())
	limit, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	last, stop := context.WithTimeout(context.Background(), drain+lastWords)
	defer stop()
	closed := make(chan error, 1)
	a.stop()
	go func() { closed <- srv.Shutdown(last) }()
	if err := a.Drain(limit); err != nil {
		a.options().Log.Warn("drain cut short", "error", err)
	}
	if err := <-closed; err != nil {
		srv.Close()
	}
	return a.Close()
}
