package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds the nesting of values; real files nest six deep.
const maxJSONDepth = 128

// jsonReader walks JSON text once, from left to right. Vocabularies of hundreds of thousands of entries
// are the reason that encoding/json is not used: strings without escapes are returned as parts of src.
type jsonReader struct {
	src   string
	pos   int
	depth int
}

func (r *jsonReader) errorf(what string) error {
	return badf("%s at byte %d", what, r.pos)
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *jsonReader) peek() byte {
	for r.pos < len(r.src) {
		switch c := r.src[r.pos]; c {
		case ' ', '\n', '\r', '\t':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// list walks the comma-separated items between open and shut and calls item at the start of each.
func (r *jsonReader) list(open, shut byte, item func() error) error {
	if r.peek() != open {
		return r.errorf("expected '" + string(open) + "'")
	}
	r.pos++
	if r.depth++; r.depth > maxJSONDepth {
		return r.errorf("nested too deeply")
	}
	if r.peek() == shut {
		r.pos++
		r.depth--
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch r.peek() {
		case ',':
			r.pos++
		case shut:
			r.pos++
			r.depth--
			return nil
		default:
			return r.errorf("expected ',' or '" + string(shut) + "'")
		}
	}
}

func (r *jsonReader) array(item func() error) error { return r.list('[', ']', item) }

// object calls member for each key, with the reader at the value, which member must consume.
func (r *jsonReader) object(member func(key string) error) error {
	return r.list('{', '}', func() error {
		key, err := r.str()
		if err != nil {
			return err
		}
		if r.peek() != ':' {
			return r.errorf("expected ':'")
		}
		r.pos++
		return member(key)
	})
}

// str reads a string.
func (r *jsonReader) str() (string, error) {
	if r.peek() != '"' {
		return "", r.errorf("expected a string")
	}
	start := r.pos + 1
	for i := start; i < len(r.src); i++ {
		switch c := r.src[i]; {
		case c == '"':
			r.pos = i + 1
			return r.src[start:i], nil
		case c == '\\':
			r.pos = i
			return r.escaped(start)
		case c < ' ':
			r.pos = i
			return "", r.errorf("control character in a string")
		}
	}
	r.pos = len(r.src)
	return "", r.errorf("unfinished string")
}

// escaped reads the rest of a string whose first escape is at pos.
func (r *jsonReader) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(r.src[start:r.pos])
	for r.pos < len(r.src) {
		c := r.src[r.pos]
		switch {
		case c == '"':
			r.pos++
			return b.String(), nil
		case c < ' ':
			return "", r.errorf("control character in a string")
		case c != '\\':
			b.WriteByte(c)
			r.pos++
			continue
		}
		ch, err := r.escape()
		if err != nil {
			return "", err
		}
		b.WriteRune(ch)
	}
	return "", r.errorf("unfinished string")
}

func (r *jsonReader) escape() (rune, error) {
	if r.pos+1 >= len(r.src) {
		return 0, r.errorf("unfinished escape")
	}
	c := r.src[r.pos+1]
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		r.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, r.errorf("unknown escape")
	}
	hi, err := r.hex4()
	if err != nil || !utf16.IsSurrogate(hi) {
		return hi, err
	}
	if !strings.HasPrefix(r.src[r.pos:], `\u`) {
		return 0, r.errorf("half a surrogate pair")
	}
	lo, err := r.hex4()
	if err != nil {
		return 0, err
	}
	ch := utf16.DecodeRune(hi, lo)
	if ch == utf8.RuneError {
		return 0, r.errorf("half a surrogate pair")
	}
	return ch, nil
}

func (r *jsonReader) hex4() (rune, error) {
	if r.pos+6 > len(r.src) {
		return 0, r.errorf("unfinished escape")
	}
	v, err := strconv.ParseUint(r.src[r.pos+2:r.pos+6], 16, 16)
	if err != nil {
		return 0, r.errorf("bad escape")
	}
	r.pos += 6
	return rune(v), nil
}

// number returns the text of a number.
func (r *jsonReader) number() (string, error) {
	r.peek()
	start := r.pos
	for r.pos < len(r.src) && strings.IndexByte("+-.eE0123456789", r.src[r.pos]) >= 0 {
		r.pos++
	}
	if r.pos == start {
		return "", r.errorf("expected a number")
	}
	return r.src[start:r.pos], nil
}

// id reads a token id: a whole number below 2^31.
func (r *jsonReader) id() (int32, error) {
	r.peek()
	start, n := r.pos, int64(0)
	for r.pos < len(r.src) && r.src[r.pos]-'0' <= 9 {
		if n = n*10 + int64(r.src[r.pos]-'0'); n > 1<<31-1 {
			return 0, r.errorf("token id above 2^31-1")
		}
		r.pos++
	}
	if r.pos == start {
		return 0, r.errorf("expected a token id")
	}
	return int32(n), nil
}

func (r *jsonReader) word(w string) error {
	if !strings.HasPrefix(r.src[r.pos:], w) {
		return r.errorf("unexpected character")
	}
	r.pos += len(w)
	return nil
}

// end checks that nothing but white space is left.
func (r *jsonReader) end() error {
	if r.peek() != 0 || r.pos < len(r.src) {
		return r.errorf("text after the value")
	}
	return nil
}
