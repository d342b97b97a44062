package jinja

import (
	"strings"
	"time"
)

// globals returns the names that every template sees.
func globals(now time.Time) *frame {
	return &frame{vars: map[string]any{
		"raise_exception": function(func(_ *context, a args) (any, error) {
			return nil, &Error{Kind: "TemplateError", Message: a.str(0, "message", ""), Raised: true}
		}),
		"strftime_now": function(func(_ *context, a args) (any, error) {
			return strftime(now, a.str(0, "format", "")), nil
		}),
		"namespace": function(makeNamespace),
		"dict":      function(func(_ *context, a args) (any, error) { return mergeDict(a), nil }),
		"range":     function(makeRange),
		"cycler":    function(makeCycler),
		"joiner": function(func(_ *context, a args) (any, error) {
			used, sep := false, a.str(0, "sep", ", ")
			return function(func(*context, args) (any, error) {
				if !used {
					used = true
					return "", nil
				}
				return sep, nil
			}), nil
		}),
	}}
}

func mergeDict(a args) *Dict {
	d := NewDict()
	for _, src := range append(append([]any{}, a.pos...), a.kw) {
		if m, ok := src.(*Dict); ok && m != nil {
			for i, k := range m.keys {
				d.Set(k, m.vals[i])
			}
		}
	}
	return d
}

func makeNamespace(_ *context, a args) (any, error) {
	d := mergeDict(a)
	for _, k := range d.keys {
		if s, ok := k.(string); ok && strings.HasPrefix(s, "_") {
			return nil, underscore(s)
		}
	}
	return &namespace{d}, nil
}

// maxRange is the sandbox's bound on range().
const maxRange = 100_000

func makeRange(c *context, a args) (any, error) {
	var n [3]int64
	for i, v := range a.pos {
		k, ok := asInt(v)
		if !ok || i > 2 {
			return nil, typeErrorf("'%s' object cannot be interpreted as an integer", typeName(v))
		}
		n[i] = k
	}
	from, to, step := n[0], n[1], n[2]
	switch len(a.pos) {
	case 0:
		return nil, typeErrorf("range expected at least 1 argument, got 0")
	case 1:
		from, to = 0, n[0]
	}
	if len(a.pos) < 3 {
		step = 1
	}
	if step == 0 {
		return nil, errorf("ValueError", "range() arg 3 must not be zero")
	}
	out := &List{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if len(out.Items) == maxRange {
			return nil, errorf("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
		}
		out.Items = append(out.Items, i)
	}
	return out, c.spend(1 + len(out.Items))
}

func makeCycler(_ *context, a args) (any, error) {
	if len(a.pos) == 0 {
		return nil, typeErrorf("at least one item has to be provided")
	}
	at := 0
	d := NewDict()
	d.Set("current", a.pos[0])
	d.Set("next", function(func(*context, args) (any, error) {
		v := a.pos[at]
		at = (at + 1) % len(a.pos)
		d.Set("current", a.pos[at])
		return v, nil
	}))
	d.Set("reset", function(func(*context, args) (any, error) {
		at = 0
		d.Set("current", a.pos[0])
		return nil, nil
	}))
	return &namespace{d}, nil
}

// strftime formats a time as C does, in the C locale.
func strftime(t time.Time, format string) string {
	layouts := map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'B': "January",
		'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon", 'p': "PM", 'y': "06", 'j': "002", 'e': "_2", 'F': "2006-01-02",
		'T': "15:04:05", 'R': "15:04", 'D': "01/02/06", 'x': "01/02/06", 'X': "15:04:05", 'c': "Mon Jan _2 15:04:05 2006",
		'f': "000000"}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		trim := false
		if format[i] == '-' && i+1 < len(format) {
			trim = true
			i++
		}
		layout, ok := layouts[format[i]]
		switch {
		case format[i] == 'f':
			s := t.Format(".000000")
			b.WriteString(s[1:])
		case ok && trim:
			if s := strings.TrimLeft(t.Format(layout), "0 "); s != "" {
				b.WriteString(s)
			} else {
				b.WriteByte('0')
			}
		case ok:
			b.WriteString(t.Format(layout))
		case format[i] == '%':
			b.WriteByte('%')
		case format[i] == 'n':
			b.WriteByte('\n')
		case format[i] == 't':
			b.WriteByte('\t')
		case format[i] == 'w':
			b.WriteByte('0' + byte(t.Weekday()))
		case format[i] == 'Z' || format[i] == 'z': // the time of datetime.now() has no zone
		default:
			b.WriteByte('%')
			b.WriteByte(format[i])
		}
	}
	return b.String()
}
