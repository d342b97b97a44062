package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokData
	tokBlockBegin
	tokBlockEnd
	tokVarBegin
	tokVarEnd
	tokName
	tokInt
	tokFloat
	tokString
	tokOp
)

type token struct {
	kind tokenKind
	text string
	line int
}

// lexer cuts a template into tokens.
type lexer struct {
	src       string
	pos       int
	out       []token
	lineStart bool // the last tag ended with its newline, or nothing came yet
}

func lex(src string) ([]token, error) {
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	src = strings.TrimSuffix(src, "\n")
	l := &lexer{src: src, lineStart: true}
	for l.pos < len(l.src) {
		if err := l.text(); err != nil {
			return nil, err
		}
	}
	l.emit(tokEOF, "")
	return l.out, nil
}

func (l *lexer) line() int { return strings.Count(l.src[:min(l.pos, len(l.src))], "\n") + 1 }

func (l *lexer) emit(k tokenKind, s string) { l.out = append(l.out, token{k, s, 0}) }

func (l *lexer) fail(format string, args ...any) error {
	return &Error{Kind: "TemplateSyntaxError", Message: fmt.Sprintf(format, args...), Line: l.line()}
}

// text reads data up to the next tag, and the tag.
func (l *lexer) text() error {
	rest := l.src[l.pos:]
	at := 0
	for {
		i := strings.IndexByte(rest[at:], '{')
		if i < 0 || at+i+1 >= len(rest) {
			l.emit(tokData, rest)
			l.pos = len(l.src)
			return nil
		}
		at += i
		if c := rest[at+1]; c == '{' || c == '%' || c == '#' {
			break
		}
		at++
	}
	data, tag := rest[:at], rest[at+1]
	l.pos += at + 2
	sign := byte(0)
	if l.pos < len(l.src) && (l.src[l.pos] == '-' || l.src[l.pos] == '+' && tag != '{') {
		sign = l.src[l.pos]
		l.pos++
	}
	switch {
	case sign == '-':
		data = strings.TrimRightFunc(data, unicode.IsSpace)
	case sign == 0 && tag != '{':
		data = l.lstrip(data)
	}
	if data != "" {
		l.emit(tokData, data)
	}
	switch tag {
	case '#':
		return l.comment()
	case '%':
		if raw, err := l.raw(); raw || err != nil {
			return err
		}
		return l.expression(tokBlockBegin, tokBlockEnd, "%}")
	}
	return l.expression(tokVarBegin, tokVarEnd, "}}")
}

// lstrip drops the white space between the beginning of the line and a tag.
func (l *lexer) lstrip(data string) string {
	from := strings.LastIndexByte(data, '\n') + 1
	if (from > 0 || l.lineStart) && strings.TrimSpace(data[from:]) == "" {
		return data[:from]
	}
	return data
}

// closeTag consumes what follows the end of a block or comment: all white space after '-', else one newline.
func (l *lexer) closeTag(sign byte, block bool) {
	l.lineStart = false
	switch {
	case sign == '-':
		trimmed := strings.TrimLeftFunc(l.src[l.pos:], unicode.IsSpace)
		end := len(l.src) - len(trimmed)
		l.lineStart = end > l.pos && l.src[end-1] == '\n'
		l.pos = end
	case sign == 0 && block && l.pos < len(l.src) && l.src[l.pos] == '\n':
		l.pos++
		l.lineStart = true
	}
}

func (l *lexer) comment() error {
	i := strings.Index(l.src[l.pos:], "#}")
	if i < 0 {
		return l.fail("Missing end of comment tag")
	}
	sign := byte(0)
	if i > 0 {
		if c := l.src[l.pos+i-1]; c == '-' || c == '+' {
			sign = c
		}
	}
	l.pos += i + 2
	l.closeTag(sign, true)
	return nil
}

// raw reads {% raw %}…{% endraw %} as data.
func (l *lexer) raw() (bool, error) {
	rest := strings.TrimLeftFunc(l.src[l.pos:], unicode.IsSpace)
	after, ok := strings.CutPrefix(rest, "raw")
	after = strings.TrimLeftFunc(after, unicode.IsSpace)
	sign, end := endMark(after)
	if !ok || end == 0 {
		return false, nil
	}
	l.pos = len(l.src) - len(after) + end
	l.closeTag(sign, true)
	body := l.src[l.pos:]
	for at := 0; ; at += 2 {
		i := strings.Index(body[at:], "{%")
		if i < 0 {
			return true, l.fail("Missing end of raw directive")
		}
		at += i
		tail := body[at+2:]
		open := byte(0)
		if tail != "" && (tail[0] == '-' || tail[0] == '+') {
			open, tail = tail[0], tail[1:]
		}
		tail, ok := strings.CutPrefix(strings.TrimLeftFunc(tail, unicode.IsSpace), "endraw")
		tail = strings.TrimLeftFunc(tail, unicode.IsSpace)
		sign, end := endMark(tail)
		if !ok || end == 0 {
			continue
		}
		data := body[:at]
		if open == '-' {
			data = strings.TrimRightFunc(data, unicode.IsSpace)
		} else if open == 0 {
			data = l.lstrip(data)
		}
		l.emit(tokData, data)
		l.pos = len(l.src) - len(tail) + end
		l.closeTag(sign, true)
		return true, nil
	}
}

// endMark reads the end of a block: %}, -%} or +%}.
func endMark(s string) (sign byte, n int) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, n = s[0], 1
	}
	if strings.HasPrefix(s[n:], "%}") {
		return sign, n + 2
	}
	return 0, 0
}

var operators = []string{"//", "**", "==", "!=", "<=", ">=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", "<", ">", "=", ".", ":", "|", ",", ";"}

// expression reads tokens up to the end mark of the tag.
func (l *lexer) expression(begin, end tokenKind, mark string) error {
	l.out = append(l.out, token{begin, "", l.line()})
	var open []byte
	for {
		rest := strings.TrimLeftFunc(l.src[l.pos:], unicode.IsSpace)
		l.pos = len(l.src) - len(rest)
		if rest == "" {
			return l.fail("unexpected end of template")
		}
		if len(open) == 0 {
			sign := byte(0)
			tail := rest
			if rest[0] == '-' || rest[0] == '+' && mark == "%}" {
				sign, tail = rest[0], rest[1:]
			}
			if strings.HasPrefix(tail, mark) {
				l.pos += len(rest) - len(tail) + 2
				l.out = append(l.out, token{end, "", l.line()})
				l.closeTag(sign, mark == "%}")
				return nil
			}
		}
		if err := l.one(rest, &open); err != nil {
			return err
		}
	}
}

// one reads one token of an expression.
func (l *lexer) one(rest string, open *[]byte) error {
	c := rest[0]
	line := l.line()
	put := func(k tokenKind, s string) { l.out = append(l.out, token{k, s, line}) }
	switch {
	case c == '\'' || c == '"':
		s, n, err := unquote(rest)
		if err != nil {
			return l.fail("%v", err)
		}
		put(tokString, s)
		l.pos += n
		return nil
	case '0' <= c && c <= '9':
		k, s := number(rest)
		if l.pos > 0 && l.src[l.pos-1] == '.' { // x.0.1 is two items, not a fraction
			k, s = tokInt, s[:strings.IndexFunc(s+".", func(r rune) bool { return r < '0' || r > '9' })]
		}
		put(k, strings.ReplaceAll(s, "_", ""))
		l.pos += len(s)
		return nil
	}
	if n := nameLen(rest); n > 0 {
		put(tokName, rest[:n])
		l.pos += n
		return nil
	}
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch op {
		case "(", "[", "{":
			*open = append(*open, ")]}"[strings.IndexByte("([{", op[0])])
		case ")", "]", "}":
			n := len(*open)
			if n == 0 || (*open)[n-1] != op[0] {
				return l.fail("unexpected '%s'", op)
			}
			*open = (*open)[:n-1]
		}
		put(tokOp, op)
		l.pos += len(op)
		return nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return l.fail("unexpected char %s at %d", repr(string(r)), l.pos)
}

func nameLen(s string) int {
	for i, r := range s {
		if !(r == '_' || unicode.IsLetter(r) || i > 0 && (unicode.IsDigit(r) || unicode.IsMark(r))) {
			return i
		}
	}
	return len(s)
}

func number(s string) (tokenKind, string) {
	if len(s) > 2 && s[0] == '0' && strings.IndexByte("xXoObB", s[1]) >= 0 {
		n := 2
		for n < len(s) && strings.IndexByte("0123456789abcdefABCDEF_", s[n]) >= 0 {
			n++
		}
		return tokInt, s[:n]
	}
	digits := func(i int) int {
		for i < len(s) && ('0' <= s[i] && s[i] <= '9' || s[i] == '_') {
			i++
		}
		return i
	}
	kind, n := tokInt, digits(0)
	if n+1 < len(s) && s[n] == '.' && '0' <= s[n+1] && s[n+1] <= '9' {
		kind, n = tokFloat, digits(n+1)
	}
	if n < len(s) && s[n]|0x20 == 'e' {
		i := n + 1
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if end := digits(i); end > i {
			kind, n = tokFloat, end
		}
	}
	return kind, s[:n]
}

// unquote reads a string literal with Python's escapes.
func unquote(s string) (text string, n int, err error) {
	var b strings.Builder
	quote := s[0]
	for i := 1; i < len(s); {
		c := s[i]
		if c == quote {
			return b.String(), i + 1, nil
		}
		if c != '\\' || i+1 >= len(s) {
			b.WriteByte(c)
			i++
			continue
		}
		e := s[i+1]
		i += 2
		if k := strings.IndexByte("ntrabfv\\'\"", e); k >= 0 {
			b.WriteByte("\n\t\r\a\b\f\v\\'\""[k])
			continue
		}
		width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[e]
		switch {
		case e == '\n':
		case width > 0:
			if i+width > len(s) {
				return "", 0, fmt.Errorf("truncated escape")
			}
			v, perr := strconv.ParseUint(s[i:i+width], 16, 32)
			if perr != nil {
				return "", 0, fmt.Errorf("bad escape")
			}
			b.WriteRune(rune(v))
			i += width
		case '0' <= e && e <= '7':
			v, k := int(e-'0'), 0
			for ; k < 2 && i < len(s) && '0' <= s[i] && s[i] <= '7'; k++ {
				v = v*8 + int(s[i]-'0')
				i++
			}
			b.WriteRune(rune(v))
		default:
			b.WriteByte('\\')
			b.WriteByte(e)
		}
	}
	return "", 0, fmt.Errorf("unfinished string")
}
