package model

import (
	"math"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// generation is the state of one run of Session.Generate.
type generation struct {
	s       *Session
	o       GenerateOptions
	sampler *Sampler
	stream  *tokenizer.Stream // nil without a tokenizer
	stops   stopper
	ends    []int32
	n       int
}

func newGeneration(s *Session, o GenerateOptions) *generation {
	g := &generation{s: s, o: o, sampler: NewSampler(o.Sampling), stops: stopper{stops: o.Stop}}
	g.sampler.Accept(s.seq.Tokens()...)
	if s.m.text.tok != nil {
		g.stream = s.m.text.tok.NewStream(!o.Special)
	}
	g.ends = slices.Clone(o.StopIDs)
	if !o.IgnoreEOS {
		g.ends = append(g.ends, s.m.spec.EOS...)
	}
	return g
}

// token chooses the next token, or says why there is none; then the text that was held back comes with it.
func (g *generation) token() (Token, Finish) {
	if g.stops.hit {
		return Token{}, FinishStop
	}
	if g.n > 0 && g.n == g.o.MaxTokens || g.s.seq.Len() >= g.s.m.Context() {
		return g.rest(), FinishLength
	}
	logits := g.s.logits.Row(0)
	id := g.sampler.Sample(logits)
	if slices.Contains(g.ends, id) {
		return g.rest(), FinishStop
	}
	g.n++
	g.sampler.Generated(id)
	t := Token{ID: id, LogProb: LogProb(logits, id)}
	if g.stream != nil {
		t.Text = g.stops.add(g.stream.Next(id))
	}
	return t, FinishNone
}

// rest is what the detokenizer and the search for stop strings held back.
func (g *generation) rest() Token {
	if g.stream == nil {
		return Token{}
	}
	text := g.stops.add(g.stream.Flush())
	if !g.stops.hit {
		text += g.stops.held
	}
	return Token{ID: -1, Text: text}
}

// LogProb is log softmax(logits)[id], summed in f64.
func LogProb(logits []float32, id int32) float32 {
	top := float64(slices.Max(logits))
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - top)
	}
	return float32(float64(logits[id]) - top - math.Log(sum))
}

// stopper finds stop strings in a stream: text that may be the beginning of one is held back.
type stopper struct {
	stops []string
	held  string
	hit   bool
}

// add takes more text and returns what may be shown; after a hit, what stood before the stop string.
func (s *stopper) add(text string) string {
	if s.hit {
		return ""
	}
	all := s.held + text
	first := -1
	for _, stop := range s.stops {
		if i := strings.Index(all, stop); stop != "" && i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first >= 0 {
		s.hit, s.held = true, ""
		return all[:first]
	}
	keep := 0
	for _, stop := range s.stops {
		keep = max(keep, overlap(all, stop))
	}
	s.held = all[len(all)-keep:]
	return all[:len(all)-keep]
}

// overlap is the length of the longest end of text that is a proper beginning of stop.
func overlap(text, stop string) int {
	for n := min(len(text), len(stop)-1); n > 0; n-- {
		if text[len(text)-n:] == stop[:n] {
			return n
		}
	}
	return 0
}
