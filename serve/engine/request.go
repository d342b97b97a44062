package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
)

// What Submit and Next can fail with, beside the errors of package model.
var (
	// ErrBusy is returned when the queue is full.
	ErrBusy = errors.New("the queue is full")
	// ErrDraining is returned once the engine takes no more requests.
	ErrDraining = errors.New("the server is shutting down")
	// ErrMemory is returned for a request that the KV cache could not hold even alone.
	ErrMemory = errors.New("the KV cache is too small")
)

// Request is one text to continue.
type Request struct {
	Prompt    []int32
	Sampling  model.Sampling
	MaxTokens int      // 0: what the context holds
	Stop      []string // the text ends before the first of these
	IgnoreEOS bool     // the model's end-of-text ids are tokens as any other
	Special   bool     // special tokens appear in the text
	LogProbs  bool     // tokens carry their log-probability
	Top       int      // and those of so many most likely ones
	Priority  int      // lower goes first; equals in order of arrival
	Routing   bool     // keep which experts worked on every token

	Gate       *model.GateOverride // that the text follows; nil: the model's own
	Constraint Constraint          // or nil
}

// Constraint restricts what may be generated. It belongs to one request; its methods are called from one goroutine at a time.
type Constraint interface {
	// Mask gives the ids that may come next, as bits, when so many tokens may follow including this one; nil: all.
	// At least one is set unless Done. ends are the ids that end a text.
	Mask(remaining int, ends []int32) []uint64
	// Accept takes the id that was drawn.
	Accept(id int32)
	// Done says that the text is complete and nothing may follow.
	Done() bool
}

// Token is a generated token. The concatenation of all Texts is the generated text; a rune is never split, so a Text
// may be empty and a later one longer.
type Token struct {
	ID      int32
	Text    string
	LogProb float32
	Top     []Alternative // the most likely tokens, Request.Top of them
	Time    time.Time     // when it was drawn
}

// Alternative is one of the most likely tokens at a place.
type Alternative struct {
	ID      int32
	LogProb float32
}

// Job is a request on its way. Next is for one goroutine.
type Job struct {
	Request
	number   uint64 // of arrival
	ctx      context.Context
	arrived  time.Time
	seq      *model.Sequence
	tokens   []int32 // prompt and what was generated
	sampler  *model.Sampler
	text     assembler
	ends     []int32
	limit    int                               // of generated tokens
	cached   int                               // tokens of the prompt that were shared
	drawn    drawn                             // of the last step
	pick     func(logits []float32, top int32) // step, once
	routing  *routingLog
	setBacks int

	mu      sync.Mutex
	pending []Token
	finish  model.Finish
	err     error
	signal  chan struct{} // one entry: something is there
}

// generated is how many tokens were drawn.
func (j *Job) generated() int { return len(j.tokens) - len(j.Prompt) }

// left is how many tokens wait to be computed.
func (j *Job) left() int { return len(j.tokens) - j.seq.Len() }

// before is the order of service.
func (j *Job) before(o *Job) bool {
	return j.Priority < o.Priority || j.Priority == o.Priority && j.number < o.number
}

// Next waits for tokens. finish is set with the last of them; after it, or after an error, there is nothing more.
func (j *Job) Next(ctx context.Context) (list []Token, finish model.Finish, err error) {
	for {
		j.mu.Lock()
		list, finish, err = j.pending, j.finish, j.err
		j.pending = nil
		j.mu.Unlock()
		if len(list) > 0 || finish != "" || err != nil {
			return list, finish, err
		}
		select {
		case <-j.signal:
		case <-ctx.Done():
			return nil, "", context.Cause(ctx)
		}
	}
}

// deliver hands tokens over, and the end where there is one.
func (j *Job) deliver(list []Token, finish model.Finish, err error) {
	j.mu.Lock()
	j.pending = append(j.pending, list...)
	if j.finish == "" && j.err == nil {
		j.finish, j.err = finish, err
	}
	j.mu.Unlock()
	select {
	case j.signal <- struct{}{}:
	default:
	}
}

// Cached is how many tokens of the prompt were shared with earlier texts; it is known with the first token.
func (j *Job) Cached() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.cached
}

// Arrived is when the request was submitted.
func (j *Job) Arrived() time.Time { return j.arrived }

// Routed gives the experts of every computed token, [tokens, layers, k], once the job has ended; empty places are -1.
func (j *Job) Routed() (ids []int32, tokens, layers, k int) {
	if j.routing == nil {
		return nil, 0, 0, 0
	}
	return j.routing.table()
}

// check refuses a request that could not be served.
func (e *Engine) check(r *Request) error {
	if e.m.WholeText(r.Gate) {
		return fmt.Errorf("%w: gate: want one that decides about each token alone, found one that needs the whole text", model.ErrOption)
	}
	if len(r.Prompt) == 0 {
		return fmt.Errorf("%w: it has no tokens", model.ErrPrompt)
	}
	if err := e.m.CheckIDs(r.Prompt); err != nil {
		return err
	}
	if err := r.Sampling.Check(); err != nil {
		return err
	}
	for id := range r.Sampling.Bias {
		if err := e.m.CheckIDs([]int32{id}); err != nil {
			return err
		}
	}
	if n := e.m.Context(); len(r.Prompt) >= n {
		return fmt.Errorf("%w: the prompt has %d tokens, the model has room for %d, one of them to be generated", model.ErrContext, len(r.Prompt), n)
	}
	if room := e.room(); len(r.Prompt) >= room {
		return fmt.Errorf("%w: the prompt has %d tokens, the cache holds %d", ErrMemory, len(r.Prompt), room)
	}
	return nil
}

// Limit is how many tokens a request may generate: what it asks for, as far as context and cache hold it.
func (e *Engine) Limit(r *Request) int {
	n := min(e.m.Context(), e.room()) - len(r.Prompt)
	if r.MaxTokens > 0 {
		n = min(n, r.MaxTokens)
	}
	return n
}
