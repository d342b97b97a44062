package model

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// GenerateOptions say how a text goes on; the zero value continues greedily until the model ends or the context is full.
type GenerateOptions struct {
	Sampling
	MaxTokens int      // 0: as many as the context holds
	Stop      []string // the text ends before the first of these
	StopIDs   []int32  // ids that end the text, beside the model's own
	IgnoreEOS bool     // the model's end-of-text ids are tokens as any other
	Special   bool     // special tokens appear in the text
	NoBOS     bool     // no special tokens are added to the prompt
}

// Token is one step of a generation. Text is what became certain with it: a rune is never split, so Text may be empty
// and a later one longer. The concatenation of all Texts is the generated text.
type Token struct {
	ID      int32
	Text    string
	LogProb float32 // natural logarithm of the token's softmax probability, before any sampling option
}

// Finish says why a generation ended.
type Finish string

// Why a generation ended.
const (
	FinishNone   Finish = ""       // it has not, or the caller left the loop
	FinishStop   Finish = "stop"   // an end-of-text id, a stop id or a stop string
	FinishLength Finish = "length" // MaxTokens, or the context is full
)

// Stats are the counts and times of the last generation.
type Stats struct {
	Prompt, Generated int           // tokens computed of the prompt; tokens generated
	Prefill, Decode   time.Duration // time until the first token was known; time after it
	Finish            Finish
}

// Session is one text that grows: generations continue what the session holds. It belongs to one goroutine at a time;
// Close gives its memory back.
type Session struct {
	m      *Model
	seq    *Sequence
	logits tensor.Mat // [1,V] behind the last token
	watch  moe.Observer
	gate   *GateOverride
	mixed  bool // the sequence holds tokens that followed other gates
	stats  Stats
	batch  [1]Span
	next   [1]int32

	pending []int32 // tokens that were generated last and are not in the sequence yet
}

// NewSession makes an empty session.
func (m *Model) NewSession() *Session {
	return &Session{m: m, seq: m.NewSequence(), logits: tensor.NewMat(1, m.spec.Vocab)}
}

// Close frees the session's part of the cache.
func (s *Session) Close() { s.seq.Free() }

// Sequence is what the session holds so far.
func (s *Session) Sequence() *Sequence { return s.seq }

// Stats are those of the last generation; they are complete once its loop has ended.
func (s *Session) Stats() Stats { return s.stats }

// Observe lets an observer see the routing of every later step; nil sees none, at no cost.
func (s *Session) Observe(o moe.Observer) { s.watch = o }

// UseGate makes every later step follow an override; nil is the model's own gates.
func (s *Session) UseGate(g *GateOverride) {
	s.mixed = s.mixed || s.seq.Len() > 0 && g.String() != s.gate.String()
	s.gate = g
}

// Generate continues prompt, appended to what the session holds. The loop ends after the first error; cancelling ctx
// ends it within one token, also while the prompt is read. The session stays usable.
func (s *Session) Generate(ctx context.Context, prompt string, o GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		ids, err := s.m.encode(prompt, o.NoBOS || s.seq.Len()+len(s.pending) > 0)
		if err != nil {
			yield(Token{}, err)
			return
		}
		s.generate(ctx, ids, o, yield)
	}
}

// GenerateIDs is Generate with a prompt of ids. Without a tokenizer, tokens have no Text.
func (s *Session) GenerateIDs(ctx context.Context, ids []int32, o GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) { s.generate(ctx, ids, o, yield) }
}

func (s *Session) generate(ctx context.Context, ids []int32, o GenerateOptions, yield func(Token, error) bool) {
	g, err := s.begin(ctx, ids, o)
	if err != nil {
		yield(Token{}, err)
		return
	}
	decoding := time.Now()
	defer func() { s.stats.Decode = time.Since(decoding) }()
	for {
		t, end := g.token()
		if end != FinishNone {
			s.stats.Finish = end
			if t.Text != "" {
				yield(t, nil)
			}
			return
		}
		s.stats.Generated++
		if !yield(t, nil) {
			return
		}
		if g.n == o.MaxTokens { // nobody asks what would come next: compute the token with the next prompt
			s.pending = append(s.pending, t.ID)
			continue
		}
		if err := s.step(ctx, t.ID); err != nil {
			yield(Token{}, err)
			return
		}
	}
}

// begin checks the options and reads the prompt.
func (s *Session) begin(ctx context.Context, ids []int32, o GenerateOptions) (*generation, error) {
	s.stats = Stats{}
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.MaxTokens < 0 {
		return nil, fmt.Errorf("%w: n: want 0 (no limit) or more, found %d", ErrOption, o.MaxTokens)
	}
	start := time.Now()
	ids = append(s.pending, ids...)
	held := s.seq.Len()
	if err := s.m.PrefillSpan(ctx, Span{Seq: s.seq, Tokens: ids, Out: s.logits, Gate: s.gate}, s.watch); err != nil {
		s.seq.Truncate(held) // chunks that were read before the error
		return nil, err
	}
	s.pending = s.pending[:0]
	s.stats.Prompt, s.stats.Prefill = len(ids), time.Since(start)
	return newGeneration(s, o), nil
}

// step appends one token and computes the logits behind it.
func (s *Session) step(ctx context.Context, id int32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.next[0] = id
	s.batch[0] = Span{Seq: s.seq, Tokens: s.next[:], Out: s.logits, Gate: s.gate}
	return s.m.Step(ctx, s.batch[:], s.watch)
}
