package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// elsewhere is a toy that speaks enough of the OpenAI API to stand for a big model: it answers every request with the same words, one
// at a time. It can be killed and started again, as real ones are.
type elsewhere struct {
	addr string
	key  string
	slow time.Duration // before each word

	mu  sync.Mutex
	srv *http.Server
}

const words = "This answer comes from elsewhere, word by word, and costs money."

func (e *elsewhere) start() error {
	ln, err := net.Listen("tcp", e.addr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", e.answer)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	e.mu.Lock()
	e.addr, e.srv = ln.Addr().String(), srv
	e.mu.Unlock()
	go srv.Serve(ln)
	return nil
}

// kill closes the listener and every connection, in the midst of whatever is on its way.
func (e *elsewhere) kill() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.srv.Close()
}

func (e *elsewhere) answer(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	slow := e.slow
	e.mu.Unlock()
	var q struct {
		Model  string
		Stream bool
	}
	if r.Header.Get("Authorization") != "Bearer "+e.key || json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<20)).Decode(&q) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	const usage = `"usage":{"prompt_tokens":20,"completion_tokens":11,"total_tokens":31}`
	if !q.Stream {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"e-1","object":"chat.completion","created":1,"model":%q,"choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],%s}`, q.Model, words, usage)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	chunk := func(delta, finish, more string) {
		fmt.Fprintf(w, "data: {\"id\":\"e-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":%q,\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%s}]%s}\n\n", q.Model, delta, finish, more)
		http.NewResponseController(w).Flush()
	}
	for _, word := range strings.SplitAfter(words, " ") {
		time.Sleep(slow)
		text, _ := json.Marshal(word)
		chunk(`{"content":`+string(text)+`}`, "null", "")
	}
	chunk("{}", `"stop"`, ","+usage)
	fmt.Fprint(w, "data: [DONE]\n\n")
}
