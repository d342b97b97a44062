package grammar

import "strings"

// Within is a constraint on the parts of a text that stand between two marks: text is free until the opening mark was
// written; what follows must fit the grammar and end with the closing mark, behind which text is free again. Blanks and
// line breaks beside the marks are allowed where a token brings them along with the opening mark.
type Within struct {
	g           *Grammar
	open, close string
	tail        string // of the free text, shorter than the opening mark
	in          *Constraint
	rest        string // of the closing mark, once the grammar is done
	bits        []uint64
}

// Within starts a text of that kind.
func (g *Grammar) Within(open, close string) *Within {
	return &Within{g: g, open: open, close: close, bits: make([]uint64, (g.v.size+63)/64)}
}

// Mask is that of Constraint while text stands between the marks; nil, which allows everything, elsewhere.
func (w *Within) Mask(remaining int, ends []int32) []uint64 {
	switch {
	case w.rest != "":
		return w.closing()
	case w.in != nil:
		return w.in.Mask(remaining, nil)
	}
	return nil
}

// closing allows the tokens that write the beginning of the closing mark.
func (w *Within) closing() []uint64 {
	clear(w.bits)
	for n := 1; n <= len(w.rest); n++ {
		if id, ok := w.g.v.find(w.rest[:n]); ok {
			w.bits[id/64] |= 1 << (id % 64)
		}
	}
	if none(w.bits) {
		return nil // the vocabulary cannot write the mark: the text is free
	}
	return w.bits
}

// Accept takes the token that was drawn.
func (w *Within) Accept(id int32) {
	if int(id) >= len(w.g.v.bytes) {
		return
	}
	text := w.g.v.bytes[id]
	switch {
	case w.rest != "":
		var ok bool
		if w.rest, ok = strings.CutPrefix(w.rest, text); !ok {
			w.rest = ""
		}
	case w.in != nil:
		w.inside(text)
	default:
		w.outside(text)
	}
}

// outside looks for the opening mark.
func (w *Within) outside(text string) {
	all := w.tail + text
	if at := strings.LastIndex(all, w.open); at >= 0 {
		w.in, w.tail = w.g.New(), ""
		w.inside(strings.TrimLeft(all[at+len(w.open):], " \n"))
		return
	}
	w.tail = all[max(0, len(all)-len(w.open)+1):]
}

// inside follows the grammar; a text that has left it, as a token across the mark may make it, is free again.
func (w *Within) inside(text string) {
	w.in.Write(text)
	switch {
	case w.in.at == nil:
		w.in = nil
	case w.in.Done():
		w.in, w.rest = nil, w.close
	}
}

// Done is never so: free text ends as any other.
func (w *Within) Done() bool { return false }
