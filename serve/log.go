package serve

import (
	"context"
	"net/http"
	"runtime/debug"
	"time"
)

// notes is what handlers tell the log about a request.
type notes struct {
	id     string
	model  string
	prompt int // tokens
}

type notesKey struct{}

// note changes the notes of a request.
func note(r *http.Request, f func(*notes)) {
	if n, ok := r.Context().Value(notesKey{}).(*notes); ok {
		f(n)
	}
}

func requestID(r *http.Request) string {
	if n, ok := r.Context().Value(notesKey{}).(*notes); ok {
		return n.id
	}
	return ""
}

// logged gives every request an id, counts it, logs it, and turns a panic into a 500 for this request alone.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := &notes{id: r.Header.Get("X-Request-Id")}
		if !plainID(n.id) {
			n.id = newID("req_")
		}
		w.Header().Set("X-Request-Id", n.id)
		sw := &statusWriter{ResponseWriter: w}
		start := time.Now()
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				s.opts.Log.Error("panic", "id", n.id, "panic", p, "stack", string(debug.Stack()))
				if sw.status == 0 {
					writeError(sw, &apiError{status: http.StatusInternalServerError, Type: "server_error", Message: "The server failed. The request id is " + n.id + "."})
				}
			}
			s.metrics.request(r.Pattern, sw.status, time.Since(start))
			s.opts.Log.Info("request", "id", n.id, "method", r.Method, "path", clip(r.URL.Path, 200), "status", sw.status, "model", n.model,
				"prompt_tokens", n.prompt, "bytes", sw.bytes, "seconds", time.Since(start).Seconds(), "remote", r.RemoteAddr)
		}()
		r = r.WithContext(context.WithValue(r.Context(), notesKey{}, n))
		next.ServeHTTP(sw, r)
	})
}

// plainID says whether a client's request id may be repeated in headers and logs.
func plainID(id string) bool {
	for _, b := range []byte(id) {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return id != "" && len(id) <= 128
}

// statusWriter remembers what was answered.
type statusWriter struct {
	http.ResponseWriter
	status, bytes int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += n
	return n, err
}

// Unwrap lets http.ResponseController through.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
