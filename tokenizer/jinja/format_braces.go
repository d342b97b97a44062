package jinja

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// formatBraces is str.format with positions, names, items and attributes of these, conversions and the format
// language of strings and numbers.
func formatBraces(c *context, s string, a args) (any, error) {
	var b strings.Builder
	auto := 0
	for i := 0; i < len(s); i++ {
		if (s[i] == '{' || s[i] == '}') && i+1 < len(s) && s[i+1] == s[i] {
			b.WriteByte(s[i])
			i++
			continue
		}
		if s[i] == '}' {
			return nil, errorf("ValueError", "Single '}' encountered in format string")
		}
		if s[i] != '{' {
			b.WriteByte(s[i])
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return nil, errorf("ValueError", "expected '}' before end of string")
		}
		text, err := formatField(s[i+1:i+end], a, &auto)
		if err != nil {
			return nil, err
		}
		if b.WriteString(text); b.Len() > maxString {
			break
		}
		i += end
	}
	return c.text(b.String())
}

// formatField is one replacement field: reference, !conversion, :format.
func formatField(field string, a args, auto *int) (string, error) {
	ref, spec, _ := strings.Cut(field, ":")
	ref, conversion, converts := strings.Cut(ref, "!")
	n := strings.IndexAny(ref, ".[")
	if n < 0 {
		n = len(ref)
	}
	first, rest := ref[:n], ref[n:]
	if first == "" {
		first = strconv.Itoa(*auto)
		*auto++
	}
	var v any
	ok := false
	if i, err := strconv.Atoi(first); err == nil {
		if i < 0 || i >= len(a.pos) {
			return "", errorf("IndexError", "Replacement index %d out of range for positional args tuple", i)
		}
		v, ok = a.pos[i], true
	} else if a.kw != nil {
		v, ok = a.kw.Get(first)
	}
	if !ok {
		return "", errorf("KeyError", "%s", repr(first))
	}
	v, err := formatPath(v, rest)
	if err != nil {
		return "", err
	}
	switch {
	case converts && conversion == "r":
		v = repr(v)
	case converts && conversion == "s":
		v = str(v)
	case converts:
		return "", errorf("ValueError", "Unknown conversion specifier %s", repr(conversion))
	}
	return formatSpec(v, spec)
}

// formatPath reads .name and [key] of a value.
func formatPath(v any, path string) (any, error) {
	var err error
	for path != "" && err == nil {
		if path[0] == '.' {
			n := strings.IndexAny(path[1:]+".", ".[")
			v, err = getAttr(v, path[1:1+n])
			path = path[1+n:]
			continue
		}
		key, rest, ok := strings.Cut(path[1:], "]")
		if !ok || path[0] != '[' {
			return nil, errorf("ValueError", "Missing ']' in format string")
		}
		path = rest
		if i, aerr := strconv.Atoi(key); aerr == nil {
			v, err = getItem(v, int64(i))
		} else {
			v, err = getItem(v, key)
		}
	}
	return v, err
}

// formatSpec is format(v, spec): [[fill]align][sign][#][0][width][,][.precision][type].
func formatSpec(v any, spec string) (string, error) {
	if spec == "" {
		return str(v), nil
	}
	full := spec
	fill, align := " ", byte(0)
	if r, n := utf8.DecodeRuneInString(spec); n < len(spec) && strings.IndexByte("<>^=", spec[n]) >= 0 {
		fill, align, spec = string(r), spec[n], spec[n+1:]
	} else if strings.IndexByte("<>^=", spec[0]) >= 0 {
		align, spec = spec[0], spec[1:]
	}
	take := func(set string) string {
		n := 0
		for n < len(spec) && strings.IndexByte(set, spec[n]) >= 0 {
			n++
		}
		out := spec[:n]
		spec = spec[n:]
		return out
	}
	sign, alternate := take("+- "), take("#")
	if strings.HasPrefix(spec, "0") && align == 0 {
		fill, align = "0", '='
	}
	width, _ := strconv.Atoi(take("0123456789"))
	group := take(",_")
	precision := ""
	if strings.HasPrefix(spec, ".") {
		spec = spec[1:]
		precision = "." + take("0123456789")
	}
	if len(spec) > 1 || width > 10_000 || len(precision) > 4 || len(sign)+len(group) > 2 {
		return "", errorf("ValueError", "Invalid format specifier '%s' for object of type '%s'", full, typeName(v))
	}
	text, number, err := formatBody(v, spec, sign+alternate, precision)
	if err != nil {
		return "", err
	}
	if group != "" && number {
		text = grouped(text, group[:1])
	}
	if align == 0 {
		align = '<'
		if number {
			align = '>'
		}
	}
	return aligned(text, fill, align, width-utf8.RuneCountInString(text)), nil
}

// formatBody writes the value without width.
func formatBody(v any, verb, flags, precision string) (text string, number bool, err error) {
	_, isInt := asInt(v)
	f, number := asFloat(v)
	switch {
	case !number:
		if verb != "" && verb != "s" {
			return "", false, errorf("ValueError", "Unknown format code '%s' for object of type '%s'", verb, typeName(v))
		}
		text := []rune(str(v))
		if precision != "" {
			n, _ := strconv.Atoi(precision[1:])
			text = text[:min(n, len(text))]
		}
		return string(text), false, nil
	case verb == "%":
		text, err = percentOne(flags+withPrecision(precision)+"f", f*100)
		return text + "%", true, err
	case verb == "b":
		n, _ := asInt(v)
		return strconv.FormatInt(n, 2), true, nil
	case verb == "" && isInt:
		verb = "d"
	case verb == "" && precision == "":
		text := floatRepr(f)
		if strings.HasPrefix(flags, "+") && f >= 0 {
			text = "+" + text
		}
		return text, true, nil
	case verb == "":
		verb = "g"
	}
	text, err = percentOne(flags+precision+verb, v)
	return text, true, err
}

func withPrecision(p string) string {
	if p == "" {
		return ".6"
	}
	return p
}

// grouped puts sep between thousands.
func grouped(text, sep string) string {
	from := len(text) - len(strings.TrimLeft(text, "+- "))
	end := from
	for end < len(text) && '0' <= text[end] && text[end] <= '9' {
		end++
	}
	for i := end - 3; i > from; i -= 3 {
		text = text[:i] + sep + text[i:]
	}
	return text
}

func aligned(text, fill string, align byte, n int) string {
	if n <= 0 {
		return text
	}
	switch align {
	case '<':
		return text + strings.Repeat(fill, n)
	case '^':
		return strings.Repeat(fill, n/2) + text + strings.Repeat(fill, n-n/2)
	case '=':
		if text != "" && strings.IndexByte("+- ", text[0]) >= 0 {
			return text[:1] + strings.Repeat(fill, n) + text[1:]
		}
	}
	return strings.Repeat(fill, n) + text
}
