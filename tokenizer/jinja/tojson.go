package jinja

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// filterJSON is tojson as transformers overrides it: json.dumps with ensure_ascii off and no HTML escapes.
func filterJSON(c *context, v any, a args) (any, error) {
	w := &jsonWriter{ascii: truthy(a.or(0, "ensure_ascii", false)), item: ", ", key: ": ", sorted: truthy(a.or(3, "sort_keys", false)), c: c}
	switch ind := a.or(1, "indent", nil).(type) {
	case int64:
		w.indent, w.lines, w.item = strings.Repeat(" ", int(min(max(ind, 0), 64))), true, ","
	case string:
		w.indent, w.lines, w.item = ind, true, ","
	}
	if sep, ok := a.or(2, "separators", nil).(*List); ok && len(sep.Items) == 2 {
		w.item, w.key = str(sep.Items[0]), str(sep.Items[1])
	}
	if err := w.write(v, 0); err != nil {
		return nil, err
	}
	return c.text(w.b.String())
}

type jsonWriter struct {
	b         strings.Builder
	c         *context
	ascii     bool
	sorted    bool
	lines     bool
	indent    string
	item, key string
}

func (w *jsonWriter) newline(depth int) {
	if w.lines {
		w.b.WriteString("\n" + strings.Repeat(w.indent, depth))
	}
}

func (w *jsonWriter) write(v any, depth int) error {
	if depth > 100 || w.b.Len() > maxString {
		return errorf("RecursionError", "maximum recursion depth exceeded while encoding a JSON object")
	}
	if err := w.c.spend(1); err != nil {
		return err
	}
	switch x := v.(type) {
	case nil:
		w.b.WriteString("null")
	case bool:
		fmt.Fprint(&w.b, x)
	case int64:
		fmt.Fprint(&w.b, x)
	case float64:
		w.b.WriteString(strings.NewReplacer("inf", "Infinity", "nan", "NaN").Replace(floatRepr(x)))
	case string:
		w.str(x)
	case *List:
		return w.list("[", "]", len(x.Items), depth, func(i int) error { return w.write(x.Items[i], depth+1) })
	case *Dict:
		return w.dict(x, depth)
	default:
		return typeErrorf("Object of type %s is not JSON serializable", typeName(v))
	}
	return nil
}

func (w *jsonWriter) list(open, shut string, n, depth int, item func(i int) error) error {
	w.b.WriteString(open)
	for i := range n {
		if i > 0 {
			w.b.WriteString(w.item)
		}
		w.newline(depth + 1)
		if err := item(i); err != nil {
			return err
		}
	}
	if n > 0 {
		w.newline(depth)
	}
	w.b.WriteString(shut)
	return nil
}

func (w *jsonWriter) dict(d *Dict, depth int) error {
	keys := d.keys
	if w.sorted {
		var err error
		if keys, err = sortBy(w.c, keys, false, true, nil); err != nil {
			return err
		}
	}
	return w.list("{", "}", len(keys), depth, func(i int) error {
		switch k := keys[i].(type) {
		case string:
			w.str(k)
		case nil, bool, int64, float64:
			w.b.WriteByte('"')
			if err := w.write(k, depth+1); err != nil {
				return err
			}
			w.b.WriteByte('"')
		default:
			return typeErrorf("keys must be str, int, float, bool or None, not %s", typeName(k))
		}
		w.b.WriteString(w.key)
		v, _ := d.Get(keys[i])
		return w.write(v, depth+1)
	})
}

func (w *jsonWriter) str(s string) {
	w.b.WriteByte('"')
	for _, r := range s {
		i := strings.IndexRune("\"\\\n\r\t\b\f", r)
		switch {
		case i >= 0:
			w.b.WriteString(`\` + `"\nrtbf`[i:i+1])
		case r < ' ' || w.ascii && r > 0x7E && r <= 0xFFFF:
			fmt.Fprintf(&w.b, `\u%04x`, r)
		case w.ascii && r > 0xFFFF:
			a, b := utf16.EncodeRune(r)
			fmt.Fprintf(&w.b, `\u%04x\u%04x`, a, b)
		default:
			w.b.WriteRune(r)
		}
	}
	w.b.WriteByte('"')
}
