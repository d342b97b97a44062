package tokenizer

import "strings"

// Stream decodes ids one by one. It never splits a character: text is returned once no later id can change
// it. It is for one goroutine.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	stages      []stage
	out         strings.Builder
}

// NewStream starts a stream. The texts that Next returns and what Flush returns, joined, are what Decode
// gives for all ids.
func (t *Tokenizer) NewStream(skipSpecial bool) *Stream {
	s := &Stream{t: t, skipSpecial: skipSpecial}
	for _, make := range t.decoder {
		s.stages = append(s.stages, make())
	}
	return s
}

// Next takes one more id and returns the text that has become certain, often none.
func (s *Stream) Next(id int32) string {
	tok, ok := s.t.decodeToken(id)
	if !ok || s.skipSpecial && s.t.added.special[tok] {
		return ""
	}
	s.push(0, frag{tok, true, true})
	return s.take()
}

// Flush ends the stream and returns the rest of the text. The Stream must not be used afterwards.
func (s *Stream) Flush() string {
	for i, st := range s.stages {
		st.close(func(f frag) { s.push(i+1, f) })
	}
	s.stages = nil
	return s.take()
}

// push gives a frag to stage i.
func (s *Stream) push(i int, f frag) {
	if i == len(s.stages) {
		s.out.WriteString(f.text)
		return
	}
	s.stages[i].push(f, func(g frag) { s.push(i+1, g) })
}

func (s *Stream) take() string {
	text := s.out.String()
	s.out.Reset()
	return text
}
