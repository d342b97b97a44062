package loader

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// scan reads JSON left to right without building a tree, and refuses what encoding/json lets pass: duplicate keys,
// invalid UTF-8, deep nesting. NaN, Infinity and -Infinity, which Python writes, are read as literals; whoever asks for
// such a value refuses it.
type scan struct {
	data  []byte
	pos   int
	depth int
}

const maxDepth = 64

// scanObject reads data as one object and nothing after it but white space.
func scanObject(data []byte, each func(s *scan, key string) error) error {
	if !utf8.Valid(data) {
		return fmt.Errorf("invalid UTF-8")
	}
	s := &scan{data: data}
	if err := s.object(func(key string) error { return each(s, key) }); err != nil {
		return err
	}
	if s.space(); s.pos != len(data) {
		return s.fail("the end")
	}
	return nil
}

// object reads an object; each must consume the value of its key.
func (s *scan) object(each func(key string) error) error {
	seen := map[string]struct{}{}
	return s.list('{', '}', func() error {
		key, err := s.str()
		if err != nil {
			return err
		}
		if _, dup := seen[key]; dup {
			return fmt.Errorf("duplicate key %q", clean(key))
		}
		seen[key] = struct{}{}
		if s.space(); !s.take(':') {
			return s.fail("':'")
		}
		return each(key)
	})
}

// array reads an array; each must consume one value.
func (s *scan) array(each func() error) error { return s.list('[', ']', each) }

func (s *scan) list(open, end byte, each func() error) error {
	if s.space(); !s.take(open) {
		return s.fail(fmt.Sprintf("'%c'", open))
	}
	if s.depth++; s.depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.space(); s.take(end) {
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		s.space()
		if s.take(end) {
			return nil
		}
		if !s.take(',') {
			return s.fail(fmt.Sprintf("',' or '%c'", end))
		}
		s.space()
	}
}

// value reads any value and gives its bytes.
func (s *scan) value() (json.RawMessage, error) {
	s.space()
	start, err := s.pos, error(nil)
	switch s.peek() {
	case '{':
		err = s.object(func(string) error { _, err := s.value(); return err })
	case '[':
		err = s.array(func() error { _, err := s.value(); return err })
	case '"':
		_, err = s.str()
	default:
		err = s.literal()
	}
	return s.data[start:s.pos:s.pos], err
}

// str reads a string.
func (s *scan) str() (string, error) {
	if s.space(); !s.take('"') {
		return "", s.fail("a string")
	}
	start, plain := s.pos, true
	for s.pos < len(s.data) && s.data[s.pos] != '"' {
		switch c := s.data[s.pos]; {
		case c < ' ':
			return "", s.fail("a string without control characters")
		case c == '\\':
			plain = false
			s.pos++
		}
		s.pos++
	}
	if s.pos >= len(s.data) {
		s.pos = len(s.data)
		return "", s.fail("'\"'")
	}
	s.pos++
	if plain {
		return string(s.data[start : s.pos-1]), nil
	}
	var out string
	if err := json.Unmarshal(s.data[start-1:s.pos], &out); err != nil {
		s.pos = start
		return "", s.fail("a string with valid escapes")
	}
	return out, nil
}

// literal reads a number, true, false, null or one of Python's three.
func (s *scan) literal() error {
	start := s.pos
	for s.pos < len(s.data) && isWord(s.data[s.pos]) {
		s.pos++
	}
	switch word := string(s.data[start:min(s.pos, start+16)]); word {
	case "true", "false", "null", "NaN", "Infinity", "-Infinity":
		return nil
	}
	if isNumber(s.data[start:s.pos]) {
		return nil
	}
	s.pos = start
	return s.fail("a value")
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '+' || c == '-' || c == '.'
}

// isNumber leans on encoding/json for the grammar; words were cut out above, so a valid text that starts with a digit
// or a minus is a number. Longer ones than any double prints to are refused.
func isNumber(b []byte) bool {
	return len(b) > 0 && len(b) < 512 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9') && json.Valid(b)
}

func (s *scan) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

func (s *scan) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

func (s *scan) take(c byte) bool {
	if s.peek() != c || s.pos == len(s.data) {
		return false
	}
	s.pos++
	return true
}

func (s *scan) fail(want string) error {
	found := "the end"
	if s.pos < len(s.data) {
		r, _ := utf8.DecodeRune(s.data[s.pos:])
		found = fmt.Sprintf("%q", r)
	}
	return fmt.Errorf("invalid JSON at byte %d: want %s, found %s", s.pos, want, found)
}
