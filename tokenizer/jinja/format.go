package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// formatPercent is Python's s % v.
func formatPercent(c *context, s string, v any) (any, error) {
	pos := []any{v}
	if l, ok := v.(*List); ok && l.Tuple {
		pos = l.Items
	}
	dict, _ := v.(*Dict)
	var b strings.Builder
	used := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		spec, n, key := percentSpec(s[i+1:])
		if n == 0 {
			return nil, errorf("ValueError", "incomplete format")
		}
		i += n
		if spec[len(spec)-1] == '%' {
			b.WriteByte('%')
			continue
		}
		var arg any
		if key != nil && dict != nil {
			arg, _ = dict.Get(*key)
		} else {
			if used >= len(pos) {
				return nil, typeErrorf("not enough arguments for format string")
			}
			arg = pos[used]
			used++
		}
		text, err := percentOne(spec, arg)
		if err != nil {
			return nil, err
		}
		b.WriteString(text)
	}
	if used < len(pos) && dict == nil {
		return nil, typeErrorf("not all arguments converted during string formatting")
	}
	return c.text(b.String())
}

// percentSpec reads flags, width, precision and verb; n is 0 where they are cut off.
func percentSpec(s string) (spec string, n int, key *string) {
	if strings.HasPrefix(s, "(") {
		if end := strings.IndexByte(s, ')'); end > 0 {
			k := s[1:end]
			key, n = &k, end+1
		}
	}
	from := n
	for n < len(s) && strings.IndexByte("#0- +.123456789", s[n]) >= 0 {
		n++
	}
	if n >= len(s) || n-from > 12 {
		return "", 0, nil
	}
	return s[from : n+1], n + 1, key
}

func percentOne(spec string, v any) (string, error) {
	verb := spec[len(spec)-1]
	flags := "%" + spec[:len(spec)-1]
	for _, part := range strings.FieldsFunc(flags, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(part); err != nil || n > 10_000 {
			return "", errorf("ValueError", "width too big")
		}
	}
	switch verb {
	case 's':
		return fmt.Sprintf(flags+"s", str(v)), nil
	case 'r':
		return fmt.Sprintf(flags+"s", repr(v)), nil
	case 'd', 'i', 'u', 'x', 'X', 'o':
		f, ok := asFloat(v)
		if !ok {
			return "", typeErrorf("%%%c format: a real number is required, not %s", verb, typeName(v))
		}
		n, isInt := asInt(v)
		if !isInt {
			n = int64(math.Trunc(f))
		}
		return fmt.Sprintf(flags+map[byte]string{'x': "x", 'X': "X", 'o': "o"}[verb]+map[bool]string{true: "d"}[strings.IndexByte("diu", verb) >= 0], n), nil
	case 'f', 'F', 'e', 'E', 'g', 'G':
		f, ok := asFloat(v)
		if !ok {
			return "", typeErrorf("must be real number, not %s", typeName(v))
		}
		if !strings.Contains(flags, ".") && (verb == 'g' || verb == 'G') {
			flags += ".6"
		}
		return fmt.Sprintf(flags+string(verb), f), nil
	}
	return "", errorf("ValueError", "unsupported format character '%c'", verb)
}

// filterInt is int(v), 0 or the default where that fails.
func filterInt(_ *context, v any, a args) (any, error) {
	otherwise := a.or(0, "default", int64(0))
	switch x := v.(type) {
	case float64:
		if math.Abs(x) < 1<<62 {
			return int64(x), nil
		}
		return otherwise, nil
	case string:
		s := strings.TrimFunc(x, pySpace)
		if i, err := pyInt(s, int(a.int(1, "base", 10))); err == nil {
			return i, nil
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<62 {
			return int64(f), nil
		}
		return otherwise, nil
	}
	if i, ok := asInt(v); ok {
		return i, nil
	}
	return otherwise, nil
}

func filterFloat(_ *context, v any, a args) (any, error) {
	if f, ok := asFloat(v); ok {
		return f, nil
	}
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimFunc(s, pySpace), 64); err == nil {
			return f, nil
		}
	}
	return a.or(0, "default", 0.0), nil
}
