package tokenizer

import "unicode/utf8"

// span is a range of bytes of the input.
type span struct{ a, b int32 }

// piece is a part of the text on its way to the model: the text as normalised so far and, for each of its
// bytes, the bytes of the input it came from.
//
// align is nil while nothing was changed: then byte i of text is byte start+i of the input and belongs to
// the span of its whole character. Pieces are values; text and align are shared between them and never
// written after they were made.
type piece struct {
	text  string
	align []span
	start int32 // where the piece begins in the input
	width int32 // how many bytes of the input it stands for
}

func wholePiece(input string) piece {
	return piece{text: input, width: int32(len(input))}
}

// slice returns the part text[i:j]. An empty part of a changed piece begins at start+i, as in the reference.
func (p piece) slice(i, j int) piece {
	if p.align == nil {
		return piece{text: p.text[i:j], start: p.start + int32(i), width: int32(j - i)}
	}
	q := piece{text: p.text[i:j], align: p.align[i:j:j], start: p.start + int32(i)}
	if i < j {
		q.start = p.align[i].a
		q.width = max(p.align[j-1].b-q.start, 0)
	}
	return q
}

// source returns the bytes of the input that text[i:j] came from. Where the reference has no answer it keeps
// the token's own offsets, and so does this.
func (p piece) source(i, j int) span {
	switch {
	case i >= j:
		return span{p.start + int32(i), p.start + int32(j)}
	case j > len(p.text):
		return span{int32(i), int32(j)}
	case p.align != nil:
		return span{p.align[i].a, p.align[j-1].b}
	}
	for i > 0 && !utf8.RuneStart(p.text[i]) {
		i--
	}
	for j < len(p.text) && !utf8.RuneStart(p.text[j]) {
		j++
	}
	return span{p.start + int32(i), p.start + int32(j)}
}

// aligned returns the spans of all bytes, made now if the piece had none.
func (p piece) aligned() []span {
	if p.align != nil {
		return p.align
	}
	out := make([]span, 0, len(p.text))
	for i := 0; i < len(p.text); {
		_, n := utf8.DecodeRuneInString(p.text[i:])
		s := span{p.start + int32(i), p.start + int32(i+n)}
		for range n {
			out = append(out, s)
		}
		i += n
	}
	return out
}
