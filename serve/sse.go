package serve

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// sse writes server-sent events. It is safe for concurrent use: pings come from a goroutine of their own. After a
// failed write nothing more is written; gone is called, once.
type sse struct {
	mu     sync.Mutex
	w      http.ResponseWriter
	rc     *http.ResponseController
	limit  time.Duration // for a client to take what is written
	failed error
	gone   func()
	ended  func()    // sets trailers; may be nil
	quiet  time.Time // when something was written last
	stop   chan struct{}
}

func newSSE(w http.ResponseWriter, ping, limit time.Duration, gone func()) *sse {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	s := &sse{w: w, rc: http.NewResponseController(w), limit: limit, gone: gone, quiet: time.Now(), stop: make(chan struct{})}
	go s.pings(ping)
	return s
}

// pings writes a comment whenever nothing was written for a while, so that nobody on the way thinks the stream dead.
func (s *sse) pings(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-tick.C:
			s.mu.Lock()
			if now.Sub(s.quiet) >= every/2 {
				s.write([]byte(": ping\n\n"))
			}
			s.mu.Unlock()
		}
	}
}

// close stops the pings.
func (s *sse) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.stop)
	if s.ended != nil {
		s.ended()
	}
	s.rc.SetWriteDeadline(time.Time{})
}

// data writes one event.
func (s *sse) data(v any) { s.event("", v) }

// event writes one event with a name.
func (s *sse) event(name string, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		return // values of ours
	}
	var buf []byte
	if name != "" {
		buf = append(buf, "event: "+name+"\n"...)
	}
	buf = append(append(append(buf, "data: "...), data...), "\n\n"...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(buf)
}

// done writes the end mark.
func (s *sse) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write([]byte("data: [DONE]\n\n"))
}

// write needs the lock.
func (s *sse) write(b []byte) {
	if s.failed != nil {
		return
	}
	s.rc.SetWriteDeadline(time.Now().Add(s.limit))
	n, err := s.w.Write(b)
	if err == nil {
		err = s.rc.Flush()
	}
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	s.quiet = time.Now()
	if s.failed = err; err != nil {
		s.gone()
	}
}
