package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// method returns a bound method of Python's str, list or dict.
func method(v any, name string) (any, bool) {
	switch x := v.(type) {
	case string:
		m, ok := stringMethods[name]
		if name == "format" {
			m, ok = formatBraces, true
		}
		if !ok {
			return nil, false
		}
		return function(func(c *context, a args) (any, error) { return m(c, x, a) }), true
	case *List:
		switch name {
		case "count", "index":
			return function(func(_ *context, a args) (any, error) { return x.search(name, a) }), true
		case "append", "extend", "insert", "pop", "remove", "reverse", "sort", "clear":
			return unsafeAttr(v, name), true
		case "copy":
			return function(func(*context, args) (any, error) { return x, nil }), true
		}
	case *Dict:
		return dictMethod(x, name)
	}
	return nil, false
}

func unsafeAttr(v any, name string) *undefined {
	return &undefined{"access to attribute " + stringRepr(name) + " of " + stringRepr(typeName(v)) + " object is unsafe."}
}

func (l *List) search(name string, a args) (any, error) {
	n := int64(0)
	for i, it := range l.Items {
		if equal(it, a.or(0, "value", nil)) {
			if name == "index" {
				return int64(i), nil
			}
			n++
		}
	}
	if name == "index" {
		return nil, errorf("ValueError", "%s is not in list", repr(a.or(0, "value", nil)))
	}
	return n, nil
}

func dictMethod(d *Dict, name string) (any, bool) {
	var f function
	switch name {
	case "get":
		f = func(_ *context, a args) (any, error) {
			if v, ok := d.Get(a.or(0, "key", nil)); ok {
				return v, nil
			}
			return a.or(1, "default", nil), nil
		}
	case "keys":
		f = func(*context, args) (any, error) { return &List{Items: d.keys}, nil }
	case "values":
		f = func(*context, args) (any, error) { return &List{Items: d.vals}, nil }
	case "items":
		f = func(c *context, _ args) (any, error) { return d.items(), c.spend(d.Len()) }
	case "copy":
		f = func(*context, args) (any, error) { return d, nil }
	case "pop", "popitem", "update", "clear", "setdefault":
		return unsafeAttr(d, name), true
	default:
		return nil, false
	}
	return f, true
}

// items returns the pairs of a dict as tuples.
func (d *Dict) items() *List {
	out := &List{}
	for i := range d.keys {
		out.Items = append(out.Items, &List{Items: []any{d.keys[i], d.vals[i]}, Tuple: true})
	}
	return out
}

type stringMethod func(c *context, s string, a args) (any, error)

// plain makes a method of a function without arguments.
func plain(f func(string) string) stringMethod {
	return func(c *context, s string, _ args) (any, error) { return c.text(f(s)) }
}

// every makes a method that asks whether s is not empty and all its characters satisfy ok.
func every(ok func(rune) bool) stringMethod {
	return func(_ *context, s string, _ args) (any, error) {
		for _, r := range s {
			if !ok(r) {
				return false, nil
			}
		}
		return s != "", nil
	}
}

var stringMethods = map[string]stringMethod{
	"upper": plain(upper), "lower": plain(lower), "casefold": plain(fold),
	"title": plain(titleCase), "capitalize": plain(capitalize), "swapcase": plain(swapCase),
	"strip": stripMethod(true, true), "lstrip": stripMethod(true, false), "rstrip": stripMethod(false, true),
	"isdigit": every(isDigit), "isdecimal": every(unicode.IsDigit), "isnumeric": every(unicode.IsNumber),
	"isalpha": every(unicode.IsLetter), "isspace": every(unicode.IsSpace),
	"isalnum": every(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
	"isupper": func(_ *context, s string, _ args) (any, error) {
		return s == strings.ToUpper(s) && s != strings.ToLower(s), nil
	},
	"islower": func(_ *context, s string, _ args) (any, error) {
		return s == strings.ToLower(s) && s != strings.ToUpper(s), nil
	},
	"istitle":      func(_ *context, s string, _ args) (any, error) { return s == titleCase(s) && s != lower(s), nil },
	"isidentifier": func(_ *context, s string, _ args) (any, error) { return s != "" && nameLen(s) == len(s), nil },
	"expandtabs":   expandTabs,
	"startswith":   affix(strings.HasPrefix), "endswith": affix(strings.HasSuffix),
	"split": splitMethod, "rsplit": rsplitMethod, "splitlines": splitLines,
	"join": func(c *context, s string, a args) (any, error) {
		items, err := iterate(c, a.or(0, "iterable", nil))
		if err != nil {
			return nil, err
		}
		var parts []string
		for i, it := range items {
			p, ok := it.(string)
			if !ok {
				return nil, typeErrorf("sequence item %d: expected str instance, %s found", i, typeName(it))
			}
			parts = append(parts, p)
		}
		return c.text(strings.Join(parts, s))
	},
	"replace": func(c *context, s string, a args) (any, error) {
		return replaceText(c, s, a.str(0, "old", ""), a.str(1, "new", ""), int(a.int(2, "count", -1)))
	},
	"find": findMethod(strings.Index, false), "rfind": findMethod(strings.LastIndex, false),
	"index": findMethod(strings.Index, true), "rindex": findMethod(strings.LastIndex, true),
	"count": func(_ *context, s string, a args) (any, error) {
		return int64(strings.Count(s, a.str(0, "sub", ""))), nil
	},
	"removeprefix": func(c *context, s string, a args) (any, error) {
		return c.text(strings.TrimPrefix(s, a.str(0, "", "")))
	},
	"removesuffix": func(c *context, s string, a args) (any, error) {
		return c.text(strings.TrimSuffix(s, a.str(0, "", "")))
	},
	"partition": func(_ *context, s string, a args) (any, error) {
		sep := a.str(0, "sep", "")
		x, y, ok := strings.Cut(s, sep)
		if !ok {
			sep = ""
		}
		return &List{Items: []any{x, sep, y}, Tuple: true}, nil
	},
	"rpartition": func(_ *context, s string, a args) (any, error) {
		sep := a.str(0, "sep", "")
		i := strings.LastIndex(s, sep)
		if i < 0 {
			return &List{Items: []any{"", "", s}, Tuple: true}, nil
		}
		return &List{Items: []any{s[:i], sep, s[i+len(sep):]}, Tuple: true}, nil
	},
	"ljust": pad(func(n int) (int, int) { return 0, n }), "rjust": pad(func(n int) (int, int) { return n, 0 }),
	"center": pad(func(n int) (int, int) { return n / 2, n - n/2 }),
	"zfill": func(c *context, s string, a args) (any, error) {
		n := int(a.int(0, "width", 0)) - utf8.RuneCountInString(s)
		if n <= 0 || n > maxString {
			return s, nil
		}
		sign := ""
		if s != "" && (s[0] == '-' || s[0] == '+') {
			sign, s = s[:1], s[1:]
		}
		return c.text(sign + strings.Repeat("0", n) + s)
	},
}

func replaceText(c *context, s, old, new string, n int) (any, error) {
	count := strings.Count(s, old)
	if n >= 0 {
		count = min(count, n)
	}
	if len(s)+count*len(new) > maxString {
		return nil, errorf("RuntimeError", "the template builds a string of more than %d bytes", maxString)
	}
	return c.text(strings.Replace(s, old, new, n))
}

func stripMethod(left, right bool) stringMethod {
	return func(c *context, s string, a args) (any, error) {
		return c.text(strip(s, a.or(0, "chars", nil), left, right))
	}
}

// strip removes white space, or the characters of cut, from the ends.
func strip(s string, cut any, left, right bool) string {
	in := unicode.IsSpace
	if set, ok := cut.(string); ok {
		in = func(r rune) bool { return strings.ContainsRune(set, r) }
	} else {
		in = pySpace
	}
	if left {
		s = strings.TrimLeftFunc(s, in)
	}
	if right {
		s = strings.TrimRightFunc(s, in)
	}
	return s
}

// pySpace is str.isspace of Python: four control characters more than Unicode's White_Space.
func pySpace(r rune) bool { return unicode.IsSpace(r) || 0x1C <= r && r <= 0x1F }

func affix(has func(s, x string) bool) stringMethod {
	return func(_ *context, s string, a args) (any, error) {
		arg := a.or(0, "prefix", nil)
		s, _, ok := window(s, a)
		if !ok {
			return false, nil
		}
		if l, ok := arg.(*List); ok && l.Tuple {
			for _, it := range l.Items {
				if x, ok := it.(string); ok && has(s, x) {
					return true, nil
				}
			}
			return false, nil
		}
		x, ok := arg.(string)
		if !ok {
			return nil, typeErrorf("startswith first arg must be str or a tuple of str, not %s", typeName(arg))
		}
		return has(s, x), nil
	}
}

func strList(c *context, parts []string) (any, error) {
	l := &List{}
	for _, p := range parts {
		l.Items = append(l.Items, p)
	}
	return l, c.spend(1 + len(parts))
}

func splitMethod(c *context, s string, a args) (any, error) {
	n := int(a.int(1, "maxsplit", -1))
	sep, ok := a.or(0, "sep", nil).(string)
	if ok && sep == "" {
		return nil, errorf("ValueError", "empty separator")
	}
	if ok {
		if n >= 0 {
			n++
		}
		return strList(c, strings.SplitN(s, sep, n))
	}
	var out []string
	for s = strings.TrimLeftFunc(s, pySpace); s != ""; s = strings.TrimLeftFunc(s, pySpace) {
		i := strings.IndexFunc(s, pySpace)
		if i < 0 || n >= 0 && len(out) == n {
			if i >= 0 && n >= 0 {
				s = strings.TrimRightFunc(s, pySpace)
			}
			out = append(out, s)
			break
		}
		out = append(out, s[:i])
		s = s[i:]
	}
	return strList(c, out)
}

func rsplitMethod(c *context, s string, a args) (any, error) {
	n := int(a.int(1, "maxsplit", -1))
	sep, ok := a.or(0, "sep", nil).(string)
	if n < 0 {
		return splitMethod(c, s, a)
	}
	if !ok {
		return strList(c, rsplitSpace(s, n))
	}
	if sep == "" {
		return nil, errorf("ValueError", "empty separator")
	}
	parts := strings.Split(s, sep)
	if k := len(parts) - n; k > 1 {
		parts = append([]string{strings.Join(parts[:k], sep)}, parts[k:]...)
	}
	return strList(c, parts)
}

func splitLines(c *context, s string, a args) (any, error) {
	keep := truthy(a.or(0, "keepends", false))
	var out []string
	for s != "" {
		i := strings.IndexAny(s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if i < 0 {
			out = append(out, s)
			break
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			n = 2
		}
		if keep {
			out = append(out, s[:i+n])
		} else {
			out = append(out, s[:i])
		}
		s = s[i+n:]
	}
	return strList(c, out)
}

func findMethod(index func(s, x string) int, must bool) stringMethod {
	return func(_ *context, s string, a args) (any, error) {
		part, before, ok := window(s, a)
		i := -1
		if ok {
			i = index(part, a.str(0, "sub", ""))
		}
		if i < 0 {
			if must {
				return nil, errorf("ValueError", "substring not found")
			}
			return int64(-1), nil
		}
		return int64(before + utf8.RuneCountInString(part[:i])), nil
	}
}

func pad(share func(n int) (int, int)) stringMethod {
	return func(c *context, s string, a args) (any, error) {
		n := int(min(a.int(0, "width", 0), maxString)) - utf8.RuneCountInString(s)
		if n <= 0 {
			return s, nil
		}
		left, right := share(n)
		fill := a.str(1, "fillchar", " ")
		return c.text(strings.Repeat(fill, left) + s + strings.Repeat(fill, right))
	}
}

func titleCase(s string) string {
	var b strings.Builder
	inside := false
	for _, r := range s {
		if inside {
			b.WriteRune(unicode.ToLower(r))
		} else {
			b.WriteRune(unicode.ToTitle(r))
		}
		inside = unicode.IsLetter(r)
	}
	return b.String()
}

func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToTitle(r)) + lower(s[n:])
}

func swapCase(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsUpper(r) {
			b.WriteString(lower(string(r)))
		} else {
			b.WriteString(upper(string(r)))
		}
	}
	return b.String()
}
