package grammar

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// annotations are keywords that allow everything.
func annotations() []string {
	return []string{"title", "description", "default", "examples", "example", "$comment", "$schema", "$id", "$defs", "definitions", "deprecated",
		"readOnly", "writeOnly", "contentEncoding", "contentMediaType", "discriminator"}
}

// keywords of each type that are understood, beside annotations and type.
func keywords() map[string][]string {
	return map[string][]string{
		"object":  {"properties", "required", "additionalProperties", "minProperties", "maxProperties", "propertyOrdering"},
		"array":   {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
		"string":  {"minLength", "maxLength", "pattern", "format"},
		"number":  {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
		"integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
		"boolean": {}, "null": {},
	}
}

// schema is the texts that fit one schema.
func (b *builder) schema(v any, root any) *node {
	if b.err != nil {
		return b.empty()
	}
	if allow, ok := v.(bool); ok {
		if !allow {
			b.fail("a schema that is false allows nothing")
		}
		return b.any()
	}
	o, ok := v.(*object)
	if !ok {
		b.fail("want an object or true")
		return b.empty()
	}
	for key, f := range map[string]func(*object, any) *node{"$ref": b.ref, "enum": b.enum, "const": b.enum, "anyOf": b.anyOf, "oneOf": b.oneOf, "allOf": b.allOf} {
		if o.has(key) {
			return f(o, root)
		}
	}
	return b.typed(o, root)
}

// alone refuses other keywords beside those named, which are handled together.
func (b *builder) alone(o *object, names ...string) {
	for _, k := range o.keys {
		if !slices.Contains(names, k) && !slices.Contains(annotations(), k) {
			b.fail("keyword %q is not supported beside %q", k, names[0])
		}
	}
}

// ref follows a pointer within the schema.
func (b *builder) ref(o *object, root any) *node {
	b.alone(o, "$ref")
	path, ok := o.get("$ref").(string)
	if !ok || path != "#" && !strings.HasPrefix(path, "#/") {
		b.fail("$ref: want a pointer within the schema, such as #/$defs/NAME")
		return b.empty()
	}
	if n := b.named[path]; n != nil {
		return n
	}
	at := lookup(path, root)
	if at == nil {
		b.fail("$ref %q: nothing is there", path)
		return b.empty()
	}
	n := b.add(&node{kind: kindRef})
	b.named[path] = n
	n.kids = []*node{b.schema(at, root)}
	return n
}

// lookup finds what a pointer means; nil where there is nothing.
func lookup(path string, root any) any {
	at := root
	for _, part := range strings.Split(path, "/")[1:] {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		parent, ok := at.(*object)
		if !ok || !parent.has(part) {
			return nil
		}
		at = parent.get(part)
	}
	return at
}

const maxEnum = 1000

// enum lists the values of enum or const; a type beside them leaves out those that are of another.
func (b *builder) enum(o *object, _ any) *node {
	b.alone(o, "enum", "const", "type")
	values := []any{o.get("const")}
	if o.has("enum") {
		list, ok := o.get("enum").([]any)
		if !ok || len(list) == 0 || len(list) > maxEnum {
			b.fail("enum: want 1 to %d values", maxEnum)
			return b.empty()
		}
		if o.has("const") {
			want := compact(o.get("const"))
			list = slices.DeleteFunc(slices.Clone(list), func(v any) bool { return compact(v) != want })
		}
		values = list
	}
	types := b.types(o)
	var alts []*node
	for _, v := range values {
		if len(types) == 0 || slices.ContainsFunc(types, func(t string) bool { return isType(v, t) }) {
			alts = append(alts, b.constant(v))
		}
	}
	if len(alts) == 0 {
		b.fail("enum: no value is left that the type allows")
		return b.empty()
	}
	return b.alt(alts...)
}

func isType(v any, t string) bool {
	switch v := v.(type) {
	case nil:
		return t == "null"
	case bool:
		return t == "boolean"
	case string:
		return t == "string"
	case json.Number:
		f, err := v.Float64()
		return t == "number" || t == "integer" && err == nil && f == math.Trunc(f)
	case []any:
		return t == "array"
	}
	return t == "object"
}

const maxAlternatives = 256

func (b *builder) branches(o *object, key string) []any {
	b.alone(o, key)
	list, ok := o.get(key).([]any)
	if !ok || len(list) == 0 || len(list) > maxAlternatives {
		b.fail("%s: want 1 to %d schemas", key, maxAlternatives)
	}
	return list
}

func (b *builder) anyOf(o *object, root any) *node { return b.either(b.branches(o, "anyOf"), root) }

func (b *builder) either(list []any, root any) *node {
	alts := make([]*node, len(list))
	for i, s := range list {
		alts[i] = b.schema(s, root)
	}
	return b.alt(alts...)
}

// oneOf is anyOf where no value fits two branches.
func (b *builder) oneOf(o *object, root any) *node {
	list := b.branches(o, "oneOf")
	for i := range list {
		for j := range i {
			if !disjoint(list[i], list[j], root, maxDepth) {
				b.fail("oneOf is supported where types or constant properties tell the branches apart; %d and %d may both fit: use anyOf", j, i)
				return b.empty()
			}
		}
	}
	return b.either(list, root)
}

// allOf is supported with one schema.
func (b *builder) allOf(o *object, root any) *node {
	list := b.branches(o, "allOf")
	if len(list) != 1 {
		b.fail("allOf is supported with one schema only, found %d", len(list))
		return b.empty()
	}
	return b.schema(list[0], root)
}

func (b *builder) types(o *object) []string {
	var out []string
	switch t := o.get("type").(type) {
	case nil:
		if o.has("type") {
			b.fail("type: want a name or a list of names")
		}
	case string:
		out = []string{t}
	case []any:
		for _, v := range t {
			s, _ := v.(string)
			out = append(out, s)
		}
	default:
		b.fail("type: want a name or a list of names")
	}
	for _, t := range out {
		if _, ok := keywords()[t]; !ok {
			b.fail("type: want object, array, string, number, integer, boolean or null, found %q", t)
		}
	}
	return out
}

// typed is a schema of one or several types; without a type its keywords tell it.
func (b *builder) typed(o *object, root any) *node {
	types := b.types(o)
	if len(types) == 0 {
		for _, t := range []string{"object", "array", "string", "number"} {
			if slices.ContainsFunc(keywords()[t], o.has) {
				types = append(types, t)
			}
		}
	}
	known := append(annotations(), "type")
	for _, t := range types {
		known = append(known, keywords()[t]...)
	}
	for _, k := range o.keys {
		if !slices.Contains(known, k) {
			b.fail("keyword %q is not supported", k)
		}
	}
	if len(types) == 0 {
		return b.any()
	}
	alts := make([]*node, len(types))
	for i, t := range types {
		alts[i] = b.one(t, o, root)
	}
	return b.alt(alts...)
}

func (b *builder) one(t string, o *object, root any) *node {
	switch t {
	case "object":
		return b.object(o, root)
	case "array":
		return b.array(o, root)
	case "string":
		return b.text(o)
	case "number", "integer":
		return b.numberSchema(o, t == "integer")
	case "boolean":
		return b.alt(b.lit("true"), b.lit("false"))
	}
	return b.lit("null")
}

// maxCount bounds lengths and numbers of items.
const maxCount = 100000

// count reads a length; def where it is missing.
func (b *builder) count(o *object, key string, def int) int {
	if !o.has(key) {
		return def
	}
	n, _ := o.get(key).(json.Number)
	f, err := n.Float64()
	if err != nil || f != math.Trunc(f) || f < 0 || f > maxCount {
		b.fail("%s: want a whole number from 0 to %d", key, maxCount)
		return 0
	}
	return int(f)
}

func (b *builder) text(o *object) *node {
	lo, hi := b.count(o, "minLength", 0), b.count(o, "maxLength", -1)
	if hi >= 0 && lo > hi {
		b.fail("minLength %d is more than maxLength %d", lo, hi)
	}
	switch {
	case o.has("pattern") && (o.has("minLength") || o.has("maxLength") || o.has("format")):
		b.fail("pattern is not supported beside minLength, maxLength and format")
	case o.has("format") && (o.has("minLength") || o.has("maxLength")):
		b.fail("format is not supported beside minLength and maxLength")
	case o.has("pattern"):
		p, ok := o.get("pattern").(string)
		if !ok {
			b.fail("pattern: want a string")
		}
		return b.pattern(p)
	case o.has("format"):
		f, _ := o.get("format").(string)
		p, ok := formats()[f]
		if !ok {
			b.fail("format %q is not supported", f)
		}
		return b.pattern(p)
	}
	return b.str(lo, hi)
}
