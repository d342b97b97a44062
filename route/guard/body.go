package guard

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
)

// maxDepth is how deep the JSON of a request may be nested; maxNested how often JSON may lie in a string of JSON.
const (
	maxDepth  = 200
	maxNested = 4
)

// reader walks the JSON of a request and gathers every text in it: keys, strings, numbers, the parts of one content put
// together as a model reads them, and what lies in strings that hold JSON (the arguments of tool calls).
type reader struct {
	dec    *json.Decoder
	depth  int
	nested int
	texts  []string
	joined []string // read once more, together with what stands beside it
	opaque bool     // there is something that is no text: an image, a sound, a file
	whole  bool     // all was read
}

// readBody reads a request as far as it can be read.
func readBody(body []byte, nested int) *reader {
	r := &reader{dec: json.NewDecoder(bytes.NewReader(body)), nested: nested}
	r.dec.UseNumber()
	if _, ok := r.value("", false); ok {
		_, err := r.dec.Token()
		r.whole = err == io.EOF
	}
	return r
}

// value reads one value, which stands under a key, and gives its own text. part: it is an element of an array under "content".
func (r *reader) value(key string, part bool) (text string, ok bool) {
	t, err := r.dec.Token()
	if err != nil {
		return "", false
	}
	switch v := t.(type) {
	case json.Delim:
		if r.depth++; r.depth > maxDepth {
			return "", false
		}
		defer func() { r.depth-- }()
		if v == '{' {
			return r.object(part)
		}
		return "", r.array(key == "content")
	case string:
		r.text(key, v)
		return v, true
	case json.Number:
		r.texts = append(r.texts, v.String())
	}
	return "", true
}

// object reads the rest of an object and gives the text of its member "text".
func (r *reader) object(part bool) (text string, ok bool) {
	kind := ""
	for r.dec.More() {
		t, err := r.dec.Token()
		if err != nil {
			return "", false
		}
		name := t.(string)
		r.texts = append(r.texts, name)
		v, ok := r.value(name, false)
		if !ok {
			return "", false
		}
		switch name {
		case "text":
			text = v
		case "type":
			kind = v
		}
	}
	if part && !slices.Contains([]string{"text", "input_text", "output_text", "refusal"}, kind) {
		r.opaque = true
	}
	_, err := r.dec.Token()
	return text, err == nil
}

// array reads the rest of an array; the texts of its elements are read put together as well.
func (r *reader) array(parts bool) bool {
	var texts []string
	for r.dec.More() {
		v, ok := r.value("", parts)
		if !ok {
			return false
		}
		if v != "" {
			texts = append(texts, v)
		}
	}
	if len(texts) > 1 {
		r.joined = append(r.joined, strings.Join(texts, ""))
	}
	_, err := r.dec.Token()
	return err == nil
}

var dataURL = regexp.MustCompile(`^\s*data:[a-zA-Z]+/[a-zA-Z0-9.+\-]+[;,]`)

// text takes a string and, where it holds JSON itself, what is in that. With its key before it, the value of a password is one.
func (r *reader) text(key, s string) {
	r.texts = append(r.texts, s)
	if key != "" && len(key)+len(s) < 512 {
		r.joined = append(r.joined, key+": "+s)
	}
	if dataURL.MatchString(s) {
		r.opaque = true
	}
	if trimmed := strings.TrimSpace(s); r.nested < maxNested && (strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")) {
		inner := readBody([]byte(trimmed), r.nested+1)
		r.joined = append(append(r.joined, inner.texts...), inner.joined...)
	}
}

// redactBody puts [KIND] in the place of every finding in the strings of a request.
func (g *Guard) redactBody(body []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(g.redactValue(v))
	return bytes.TrimSpace(out.Bytes()), err
}

func (g *Guard) redactValue(v any) any {
	switch v := v.(type) {
	case string:
		return g.Redact(v)
	case []any:
		for i := range v {
			v[i] = g.redactValue(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = g.redactValue(v[k])
		}
	}
	return v
}
