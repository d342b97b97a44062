package engine

import (
	"strings"

	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// assembler turns ids into tokens with text. It holds back what may be the beginning of a stop string, and tokens whose
// bytes are not a rune yet, so that what it releases never changes and joined is the text.
type assembler struct {
	stream *tokenizer.Stream // nil: tokens have no text
	stops  []string
	queue  []Token // not released, in order
	held   string  // their text
	hit    bool    // a stop string was met
}

// add takes a drawn token and returns those that may be shown now.
func (a *assembler) add(t Token) []Token {
	if a.hit {
		return nil
	}
	if a.stream == nil {
		return []Token{t}
	}
	t.Text = a.stream.Next(t.ID)
	a.queue = append(a.queue, t)
	a.held += t.Text
	if cut, ok := a.find(); ok {
		return a.stop(cut)
	}
	keep := 0
	for _, s := range a.stops {
		keep = max(keep, overlap(a.held, s))
	}
	return a.release(len(a.held) - keep)
}

// flush ends the text: what was held back comes out. shown says whether the id that ended it is to appear.
func (a *assembler) flush() []Token {
	if a.hit || a.stream == nil {
		return nil
	}
	rest := a.stream.Flush()
	if rest != "" && len(a.queue) == 0 { // a decoder that held back text of a token that is out already
		a.queue = append(a.queue, Token{ID: -1})
	}
	if n := len(a.queue); n > 0 {
		a.queue[n-1].Text += rest
		a.held += rest
	}
	if cut, ok := a.find(); ok {
		return a.stop(cut)
	}
	out := a.queue
	a.queue, a.held = nil, ""
	return out
}

// find is where the first stop string begins in what is held.
func (a *assembler) find() (int, bool) {
	first := -1
	for _, s := range a.stops {
		if i := strings.Index(a.held, s); s != "" && i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	return first, first >= 0
}

// stop cuts the text at byte cut of what is held.
func (a *assembler) stop(cut int) []Token {
	a.hit = true
	var out []Token
	for _, t := range a.queue {
		if cut <= 0 {
			break
		}
		t.Text = t.Text[:min(cut, len(t.Text))]
		cut -= len(t.Text)
		out = append(out, t)
	}
	a.queue, a.held = nil, ""
	return out
}

// release gives the tokens that end within the first n bytes of what is held, up to the last that has text.
func (a *assembler) release(n int) []Token {
	count, end, size := 0, 0, 0
	for i, t := range a.queue {
		if end+len(t.Text) > n {
			break
		}
		if end += len(t.Text); t.Text != "" {
			count, size = i+1, end
		}
	}
	out := a.queue[:count:count]
	a.queue, a.held = a.queue[count:], a.held[size:]
	return out
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
