package jinja

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// List is a Python list or, with Tuple, a tuple.
type List struct {
	Items []any
	Tuple bool
	names []string // of the items, as a named tuple of Python has them; else nil
}

// Dict is a Python dict: it keeps the order of its keys.
type Dict struct {
	keys  []any
	vals  []any
	index map[any]int
}

// NewDict returns an empty Dict.
func NewDict() *Dict { return &Dict{index: map[any]int{}} }

// Get returns the value of a key, which must be hashable.
func (d *Dict) Get(key any) (any, bool) {
	k, ok := hashable(key)
	if !ok {
		return nil, false
	}
	i, ok := d.index[k]
	if !ok {
		return nil, false
	}
	return d.vals[i], true
}

// Set adds or replaces a value; a new key goes last. Keys that are not hashable are ignored.
func (d *Dict) Set(key, val any) {
	k, ok := hashable(key)
	if !ok {
		return
	}
	if i, ok := d.index[k]; ok {
		d.vals[i] = val
		return
	}
	d.index[k] = len(d.keys)
	d.keys, d.vals = append(d.keys, key), append(d.vals, val)
}

// Len returns the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// hashable makes 1, 1.0 and true one key, as in Python.
func hashable(v any) (any, bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), true
		}
		return x, true
	case *List:
		if x.Tuple {
			return "tuple:" + repr(x), true
		}
		return nil, false
	case *Dict:
		return nil, false
	}
	return v, true
}

// undefined is the value of a name that does not exist.
type undefined struct{ msg string }

func typeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *Dict:
		return "dict"
	case *List:
		if x.Tuple {
			return "tuple"
		}
		return "list"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "TemplateNamespace"
	case *macro:
		return "Macro"
	case *loopInfo:
		return "LoopContext"
	}
	return "function"
}

// objectName is what Jinja calls a value in messages about attributes.
func objectName(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "transformers.utils.chat_template_utils._cached_compile_jinja_template.<locals>.TemplateNamespace object"
	case *macro:
		return "jinja2.runtime.Macro object"
	case *loopInfo:
		return "jinja2.runtime.LoopContext object"
	}
	return typeName(v) + " object"
}

// truthy is bool(v).
func truthy(v any) bool {
	switch x := v.(type) {
	case nil:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case *List:
		return len(x.Items) > 0
	case *Dict:
		return x.Len() > 0
	case *undefined:
		return false
	}
	return true
}

// str is str(v).
func str(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case *undefined:
		return ""
	}
	return repr(v)
}

// repr is repr(v).
func repr(v any) string {
	var b strings.Builder
	writeRepr(&b, v, 0)
	return b.String()
}

func writeRepr(b *strings.Builder, v any, depth int) {
	if depth > 100 {
		b.WriteString("...")
		return
	}
	switch x := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[x])
	case int64:
		b.WriteString(strconv.FormatInt(x, 10))
	case float64:
		b.WriteString(floatRepr(x))
	case string:
		b.WriteString(stringRepr(x))
	case *undefined:
		b.WriteString("Undefined")
	case *List:
		open, shut := "[", "]"
		if x.Tuple {
			open, shut = "(", ")"
		}
		b.WriteString(open)
		for i, it := range x.Items {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, it, depth+1)
		}
		if x.Tuple && len(x.Items) == 1 {
			b.WriteString(",")
		}
		b.WriteString(shut)
	case *Dict:
		b.WriteString("{")
		for i := range x.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			writeRepr(b, x.keys[i], depth+1)
			b.WriteString(": ")
			writeRepr(b, x.vals[i], depth+1)
		}
		b.WriteString("}")
	default:
		b.WriteString("<" + objectName(v) + ">")
	}
}

// floatRepr is the shortest text that reads back the same, in Python's form.
func floatRepr(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// stringRepr quotes as Python does: single quotes unless only these occur inside.
func stringRepr(s string) string {
	quote := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		quote = '"'
	}
	var b strings.Builder
	b.WriteByte(quote)
	for _, r := range s {
		switch {
		case r == rune(quote) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < ' ' || r == 0x7F || r > 0x7F && r <= 0xFF && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case !unicode.IsPrint(r) && r <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte(quote)
	return b.String()
}

// FromJSON reads JSON into values, keeping the order of keys.
func FromJSON(data []byte) (any, error) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	v, err := decodeJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if d.More() {
		return nil, fmt.Errorf("text after the JSON value")
	}
	return v, nil
}

func decodeJSON(d *json.Decoder, depth int) (any, error) {
	if depth > 200 {
		return nil, fmt.Errorf("JSON nested too deeply")
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch x := t.(type) {
	case json.Delim:
		if x == '[' {
			l := &List{}
			for d.More() {
				v, err := decodeJSON(d, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err = d.Token()
			return l, err
		}
		m := NewDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := decodeJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			m.Set(k, v)
		}
		_, err = d.Token()
		return m, err
	case json.Number:
		if !strings.ContainsAny(string(x), ".eE") {
			if i, err := strconv.ParseInt(string(x), 10, 64); err == nil {
				return i, nil
			}
		}
		return x.Float64()
	}
	return t, nil
}

// Keys returns the keys in order. The slice belongs to the Dict.
func (d *Dict) Keys() []any { return d.keys }
