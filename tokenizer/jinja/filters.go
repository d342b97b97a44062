package jinja

import (
	"math"
	"strings"
	"unicode/utf8"
)

// filterFunc is a filter: v|name(a…).
type filterFunc func(c *context, v any, a args) (any, error)

func (x filterExpr) eval(c *context) (any, error) {
	v, err := x.of.eval(c)
	if err != nil {
		return nil, err
	}
	a, err := x.args.evalArgs(c)
	if err != nil {
		return nil, err
	}
	if err := c.spend(1); err != nil {
		return nil, err
	}
	return x.fn(c, v, a)
}

// onString makes a filter of a function on strings.
func onString(f func(string) string) filterFunc {
	return func(c *context, v any, _ args) (any, error) { return c.text(f(str(v))) }
}

// onItems makes a filter of a function on the items of a sequence.
func onItems(f func(c *context, items []any, a args) (any, error)) filterFunc {
	return func(c *context, v any, a args) (any, error) {
		items, err := iterate(c, v)
		if err != nil {
			return nil, err
		}
		return f(c, items, a)
	}
}

// byMethod makes a filter of a method of str.
func byMethod(m stringMethod) filterFunc {
	return func(c *context, v any, a args) (any, error) { return m(c, str(v), a) }
}

// findFilter returns a filter by name, nil where there is none. It is asked while a template is parsed.
func findFilter(name string) filterFunc {
	if f := listFilter(name); f != nil {
		return f
	}
	return map[string]filterFunc{
		"upper": onString(upper), "lower": onString(lower), "title": onString(titleWords),
		"capitalize": onString(capitalize), "string": onString(func(s string) string { return s }),
		"safe": onString(func(s string) string { return s }), "trim": byMethod(stripMethod(true, true)),
		"escape": onString(escapeHTML), "e": onString(escapeHTML), "forceescape": onString(escapeHTML),
		"striptags": onString(stripTags),
		"center":    filterCenter, "replace": filterReplace, "truncate": filterTruncate, "indent": filterIndent,
		"wordcount": func(_ *context, v any, _ args) (any, error) { return int64(len(strings.Fields(str(v)))), nil },
		"format":    func(c *context, v any, a args) (any, error) { return formatPercent(c, str(v), formatArgs(a)) },
		"default":   filterDefault, "d": filterDefault,
		"length": filterLength, "count": filterLength,
		"int": filterInt, "float": filterFloat, "abs": filterAbs, "round": filterRound,
		"tojson": filterJSON, "urlencode": filterURL, "wordwrap": filterWrap,
		"pprint": func(c *context, v any, _ args) (any, error) { return c.text(repr(sorted(v, 0))) },
		"attr": func(_ *context, v any, a args) (any, error) {
			name := a.str(0, "name", "")
			if s, ok := special(v, name); ok {
				return s, nil
			}
			if m, ok := method(v, name); ok {
				return m, nil
			}
			return missing(v, name), nil
		},
	}[name]
}

func formatArgs(a args) any {
	if a.kw != nil && a.kw.Len() > 0 {
		return a.kw
	}
	return &List{Items: a.pos, Tuple: true}
}

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
}

func stripTags(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		j := strings.IndexByte(s[max(i, 0):], '>')
		if i < 0 || j < 0 {
			b.WriteString(s)
			return strings.Join(strings.Fields(b.String()), " ")
		}
		b.WriteString(s[:i])
		s = s[i+j+1:]
	}
}

func filterCenter(c *context, v any, a args) (any, error) {
	return stringMethods["center"](c, str(v), args{pos: []any{a.int(0, "width", 80)}})
}

func filterReplace(c *context, v any, a args) (any, error) {
	return replaceText(c, str(v), a.str(0, "old", ""), a.str(1, "new", ""), int(a.int(2, "count", -1)))
}

func filterTruncate(c *context, v any, a args) (any, error) {
	rs, n := []rune(str(v)), int(a.int(0, "length", 255))
	end, leeway := a.str(2, "end", "..."), int(a.int(3, "leeway", 5))
	if len(rs) <= n+leeway {
		return string(rs), nil
	}
	cut := string(rs[:max(min(n-utf8.RuneCountInString(end), len(rs)), 0)])
	if !truthy(a.or(1, "killwords", false)) {
		if i := strings.LastIndexByte(cut, ' '); i >= 0 {
			cut = cut[:i]
		}
	}
	return c.text(cut + end)
}

func filterIndent(c *context, v any, a args) (any, error) {
	width := a.or(0, "width", int64(4))
	indent, ok := width.(string)
	if n, isInt := asInt(width); isInt && !ok {
		if n > maxString {
			return nil, errorf("RuntimeError", "the template builds a string that is too long")
		}
		indent = strings.Repeat(" ", int(max(n, 0)))
	}
	s, blank := str(v), truthy(a.or(2, "blank", false))
	if (strings.Count(s, "\n")+1)*len(indent) > maxString {
		return nil, errorf("RuntimeError", "the template builds a string that is too long")
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		if i > 0 && (blank || lines[i] != "") || i == 0 && truthy(a.or(1, "first", false)) {
			lines[i] = indent + lines[i]
		}
	}
	return c.text(strings.Join(lines, "\n"))
}

func filterDefault(_ *context, v any, a args) (any, error) {
	_, undef := v.(*undefined)
	if undef || truthy(a.or(1, "boolean", false)) && !truthy(v) {
		return a.or(0, "default_value", ""), nil
	}
	return v, nil
}

func filterLength(_ *context, v any, _ args) (any, error) {
	switch x := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(x)), nil
	case *List:
		return int64(len(x.Items)), nil
	case *Dict:
		return int64(x.Len()), nil
	case *loopInfo:
		return int64(len(x.items)), nil
	case *undefined:
		return int64(0), nil
	}
	return nil, typeErrorf("object of type '%s' has no len()", typeName(v))
}

func filterAbs(_ *context, v any, _ args) (any, error) {
	if i, ok := asInt(v); ok {
		return max(i, -i), nil
	}
	if f, ok := asFloat(v); ok {
		return math.Abs(f), nil
	}
	return nil, typeErrorf("bad operand type for abs(): '%s'", typeName(v))
}

func filterRound(_ *context, v any, a args) (any, error) {
	f, ok := asFloat(v)
	if !ok {
		return nil, typeErrorf("type %s doesn't define __round__ method", typeName(v))
	}
	if i, ok := asInt(v); ok && a.str(1, "method", "common") == "common" {
		return roundInt(i, -a.int(0, "precision", 0)), nil
	}
	scale := math.Pow(10, float64(a.int(0, "precision", 0)))
	switch a.str(1, "method", "common") {
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	}
	return math.RoundToEven(f*scale) / scale, nil
}

// roundInt rounds to a multiple of 10^digits, the even one of two that are equally near.
func roundInt(i, digits int64) int64 {
	if digits <= 0 {
		return i
	}
	if digits > 18 {
		return 0
	}
	unit := int64(math.Pow10(int(digits)))
	rest := ((i % unit) + unit) % unit
	down := i - rest
	if rest > unit/2 || rest == unit/2 && down/unit%2 != 0 {
		return down + unit
	}
	return down
}
