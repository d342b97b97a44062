package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrSchema is returned for a schema that is malformed, asks for what is not supported, or that nothing fits.
var ErrSchema = errors.New("bad schema")

func (b *builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("%w: "+format, append([]any{ErrSchema}, args...)...)
	}
}

// object is a JSON object that keeps the order of its keys.
type object struct {
	keys []string
	m    map[string]any
}

func (o *object) get(k string) any { return o.m[k] }

func (o *object) has(k string) bool { _, ok := o.m[k]; return ok }

// maxDepth bounds how deep a schema nests.
const maxDepth = 64

// parseJSON reads one value, objects in order, numbers as they are written.
func parseJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := parseValue(dec, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSchema, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something stands behind the value", ErrSchema)
	}
	return v, nil
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it nests deeper than %d", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &object{m: map[string]any{}}
		for dec.More() {
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			if key := k.(string); !o.has(key) {
				o.keys = append(o.keys, key)
			}
			o.m[k.(string)] = v
		}
		_, err := dec.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	return t, nil
}

// quote writes a string as JSON does, with no more escapes than it must have.
func quote(s string) string {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.Encode(s) //nolint:errcheck // strings always encode
	return strings.TrimSuffix(buf.String(), "\n")
}
