package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

// newID makes an id as OpenAI's look.
func newID(prefix string) string {
	var b [12]byte
	rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}

// usage counts tokens.
type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
	Details    struct {
		Cached int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// run is one API request at work: a job for each choice.
type run struct {
	s      *Server
	l      *live
	ctx    context.Context
	cancel context.CancelFunc
	id     string
	made   int64
	p      params
	jobs   []*engine.Job
	usage  usage
	tokens []int // generated, by choice

	source func(func(news) error) error // nil: the jobs; else who hands their news on
}

// start submits a job for each choice of each prompt.
func (s *Server) start(r *http.Request, l *live, id string, p params, prompts [][]int32) (*run, error) {
	g := &run{s: s, l: l, id: id, made: time.Now().Unix(), p: p}
	rules, err := p.grammar(s, l)
	if err != nil {
		return nil, err
	}
	g.ctx, g.cancel = context.WithCancel(r.Context())
	for _, prompt := range prompts {
		for i := range p.n {
			req := p.choice(i, prompt)
			if err := p.room(rules, l.e.Limit(&req)); err != nil {
				g.cancel()
				return nil, err
			}
			req.Constraint = p.constraint(rules)
			j, err := l.e.Submit(g.ctx, req)
			if err != nil {
				g.cancel()
				return nil, err
			}
			g.jobs = append(g.jobs, j)
		}
		g.usage.Prompt += len(prompt)
	}
	g.tokens = make([]int, len(g.jobs))
	note(r, func(n *notes) { n.model, n.prompt = l.name, g.usage.Prompt })
	return g, nil
}

// news is what one choice has to tell.
type news struct {
	choice int
	list   []engine.Token
	finish model.Finish
	err    error
}

// stream calls f with the news of all choices as they come, until each has ended or f or a choice fails. An engine that shuts
// down ends a choice as a limit of length does: its client gets a proper end.
func (g *run) stream(f func(news) error) error {
	if g.source != nil {
		return g.source(f)
	}
	return g.answer(f)
}

// answer follows the jobs.
func (g *run) answer(f func(news) error) error {
	defer g.cancel()
	var failed error
	hear := func(n news) {
		if failed != nil {
			return // the others end soon: the context is cancelled
		}
		if failed = n.err; failed == nil {
			g.count(n)
			failed = f(n)
		}
		if failed != nil {
			g.cancel()
		}
	}
	if len(g.jobs) == 1 { // no goroutine stands between the engine and the client
		g.follow(0, g.jobs[0], hear)
	} else {
		g.gather(hear)
	}
	g.usage.Total = g.usage.Prompt + g.usage.Completion
	for _, j := range g.jobs {
		g.usage.Details.Cached += j.Cached()
	}
	return failed
}

// gather follows all jobs and calls f with the news of one after the other.
func (g *run) gather(f func(news)) {
	ch := make(chan news)
	var wg sync.WaitGroup
	for i, j := range g.jobs {
		wg.Go(func() { g.follow(i, j, func(n news) { ch <- n }) })
	}
	go func() { wg.Wait(); close(ch) }()
	for n := range ch {
		f(n)
	}
}

// follow reads one job to its end.
func (g *run) follow(i int, j *engine.Job, f func(news)) {
	last := time.Time{}
	for {
		list, finish, err := j.Next(g.ctx)
		if g.s.draining() && err != nil && g.ctx.Err() == nil {
			finish, err = model.FinishLength, nil
		}
		for _, t := range list {
			g.s.metrics.token(g.l.name, j.Arrived(), last, t.Time)
			if !t.Time.IsZero() {
				last = t.Time
			}
		}
		if finish != "" || err != nil {
			g.s.metrics.ended(g.l.name, j.Arrived(), finish, err)
		}
		f(news{i, list, finish, err})
		if finish != "" || err != nil {
			return
		}
	}
}

func (g *run) count(n news) {
	for _, t := range n.list {
		if t.ID >= 0 {
			g.usage.Completion++
			g.tokens[n.choice]++
		}
	}
}

// finished is what the API calls the end of a text.
func finished(f model.Finish) string { return string(f) }

// fault ends a stream that has begun with an error.
func (g *run) fault(out *sse, err error) {
	out.data(map[string]any{"error": asAPI(err)})
}

// headers tells what is known before the answer.
func (g *run) headers(w http.ResponseWriter) {
	w.Header().Set("X-Switchyard-Model", g.l.name)
	w.Header().Set("X-Switchyard-Cached-Tokens", fmt.Sprint(g.usage.Details.Cached))
	g.setExperts(w.Header(), "")
}
