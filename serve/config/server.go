package config

import (
	"math"
	"time"
)

// Server is how the server runs; its keys are the flags of `serve`, which win where both say something.
type Server struct {
	Addr       string
	Keys       string // file with an API key a line
	NoAuth     bool
	Parallel   int
	MaxQueue   int
	Chunk      int
	KVTokens   int
	Prefixes   bool
	MaxBody    int
	Drain      time.Duration
	Lazy       bool
	Pprof      bool
	LogPrompts bool
	Set        map[string]bool // keys that the file has
}

func (s *Server) read(v value) {
	s.Set = map[string]bool{}
	k := keys{
		"addr":        func(v value) { v.str(&s.Addr) },
		"keys":        func(v value) { v.path(&s.Keys) },
		"no_auth":     func(v value) { v.boolean(&s.NoAuth) },
		"parallel":    func(v value) { v.integer(&s.Parallel, 1, 1<<16) },
		"max_queue":   func(v value) { v.integer(&s.MaxQueue, 0, 1<<24) },
		"chunk":       func(v value) { v.integer(&s.Chunk, 1, 1<<20) },
		"kv_tokens":   func(v value) { v.integer(&s.KVTokens, 0, math.MaxInt32) },
		"prefixes":    func(v value) { v.boolean(&s.Prefixes) },
		"max_body":    func(v value) { v.integer(&s.MaxBody, 1, math.MaxInt32) },
		"drain":       func(v value) { v.duration(&s.Drain, 0, time.Hour) },
		"lazy":        func(v value) { v.boolean(&s.Lazy) },
		"pprof":       func(v value) { v.boolean(&s.Pprof) },
		"log_prompts": func(v value) { v.boolean(&s.LogPrompts) },
	}
	for name, read := range k {
		k[name] = func(v value) { s.Set[name] = true; read(v) }
	}
	v.object(k)
}
