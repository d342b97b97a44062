package tokenizer

import "unicode/utf8"

// charStep is the distance in bytes between two known character counts.
const charStep = 64

// charIndex answers which character a byte belongs to, in constant time.
type charIndex struct {
	text   string
	counts []int32 // characters that begin before byte i·charStep; nil where the text is ASCII
}

func newCharIndex(text string) *charIndex {
	c := &charIndex{text: text}
	n := utf8.RuneCountInString(text)
	if n == len(text) {
		return c
	}
	total := int32(0)
	for i := 0; i < len(text); i++ {
		if i%charStep == 0 {
			c.counts = append(c.counts, total)
		}
		if utf8.RuneStart(text[i]) {
			total++
		}
	}
	return c
}

// of returns the number of the character that byte i, which lies inside of the text, belongs to.
func (c *charIndex) of(i int) int {
	if c.counts == nil {
		return i
	}
	n := c.counts[i/charStep] - 1
	for j := i / charStep * charStep; j <= i; j++ {
		if utf8.RuneStart(c.text[j]) {
			n++
		}
	}
	return int(n)
}

// charOffsets turns spans of bytes into ranges of characters. What lies outside of the text is left as it is.
// Reference: tokenizers, tokenizer/pre_tokenizer.rs, BytesToCharOffsetConverter.
func charOffsets(text string, spans []span) [][2]int {
	out := make([][2]int, len(spans))
	index := newCharIndex(text)
	for i, s := range spans {
		a, b := int(s.a), int(s.b)
		switch {
		case a < 0 || a >= len(text):
			out[i] = [2]int{a, b}
		case b >= 0 && b < len(text):
			out[i] = [2]int{index.of(a), index.of(b)}
		case b >= 1 && b-1 < len(text):
			out[i] = [2]int{index.of(a), index.of(b-1) + 1}
		default:
			out[i] = [2]int{index.of(a), index.of(a) + 2}
		}
	}
	return out
}
