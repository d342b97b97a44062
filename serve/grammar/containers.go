package grammar

import "slices"

// member is one property of an object.
type member struct {
	text     *node // "name": value
	required bool
}

// object is an object whose properties stand in the order of the schema. Where the schema names none, any keys are
// allowed as additionalProperties says.
func (b *builder) object(o *object, root any) *node {
	var more any = true
	if o.has("additionalProperties") {
		more = o.get("additionalProperties")
	}
	list := b.members(o, more, root)
	lo, hi := b.count(o, "minProperties", 0), b.count(o, "maxProperties", -1)
	must := 0
	for _, m := range list {
		if m.required {
			must++
		}
	}
	if lo > must || hi >= 0 && hi < len(list) || hi >= 0 && len(list) == 0 && more != false {
		b.fail("minProperties and maxProperties are supported only where required and properties meet them already")
	}
	if len(list) == 0 {
		if more == false {
			return b.lit("{}")
		}
		return b.mapping(b.schema(more, root))
	}
	return b.seq(b.lit("{"), b.inOrder(list), b.lit("}"))
}

// members lists the properties, and behind them those that are required and not named.
func (b *builder) members(o *object, more, root any) []member {
	props, ok := o.get("properties").(*object)
	if o.has("properties") && !ok {
		b.fail("properties: want an object")
	}
	if props == nil {
		props = &object{}
	}
	var required []string
	if o.has("required") {
		list, ok := o.get("required").([]any)
		for _, v := range list {
			s, isText := v.(string)
			ok = ok && isText
			required = append(required, s)
		}
		if !ok {
			b.fail("required: want a list of names")
		}
	}
	var out []member
	for _, name := range props.keys {
		out = append(out, b.member(name, props.get(name), root, slices.Contains(required, name)))
	}
	for i, name := range required {
		if props.has(name) || slices.Contains(required[:i], name) {
			continue
		}
		if more == false {
			b.fail("required: %q is not among the properties, and additionalProperties is false", name)
		}
		out = append(out, b.member(name, more, root, true))
	}
	return out
}

func (b *builder) member(name string, schema, root any, required bool) member {
	return member{b.seq(b.lit(quote(name)+":"), b.space(), b.schema(schema, root)), required}
}

// inOrder is the members in order, those that are not required each there or not.
func (b *builder) inOrder(list []member) *node {
	// From the end: rest[0] is what may follow where nothing stands before, rest[1] where something does.
	rest := [2]*node{b.empty(), b.empty()}
	for i := len(list) - 1; i >= 0; i-- {
		m := list[i]
		first, later := b.seq(m.text, rest[1]), b.seq(b.lit(","), b.space(), m.text, rest[1])
		if !m.required {
			first, later = b.alt(first, rest[0]), b.alt(later, rest[1])
		}
		rest = [2]*node{first, later}
	}
	return rest[0]
}

// array is a list: the items of prefixItems first, all of them, then items.
func (b *builder) array(o *object, root any) *node {
	if u, ok := o.get("uniqueItems").(bool); o.has("uniqueItems") && (!ok || u) {
		b.fail("uniqueItems is not supported")
	}
	lo, hi := b.count(o, "minItems", 0), b.count(o, "maxItems", -1)
	if hi >= 0 && lo > hi {
		b.fail("minItems %d is more than maxItems %d", lo, hi)
	}
	var items any = true
	if o.has("items") {
		items = o.get("items")
	}
	prefix, ok := o.get("prefixItems").([]any)
	if o.has("prefixItems") && !ok {
		b.fail("prefixItems: want a list of schemas")
	}
	if len(prefix) == 0 {
		if items == false {
			hi, items = 0, true
		}
		if hi == 0 {
			if lo > 0 {
				b.fail("minItems: no items are allowed")
			}
			return b.lit("[]")
		}
		return b.list(b.schema(items, root), lo, hi)
	}
	return b.tuple(prefix, items, root, lo, hi)
}

func (b *builder) tuple(prefix []any, items, root any, lo, hi int) *node {
	if hi >= 0 && hi < len(prefix) {
		prefix = prefix[:hi]
	}
	kids := []*node{b.lit("[")}
	for i, p := range prefix {
		if i > 0 {
			kids = append(kids, b.lit(","), b.space())
		}
		kids = append(kids, b.schema(p, root))
	}
	switch n := len(prefix); {
	case items == false && lo > n:
		b.fail("minItems %d is more than prefixItems allows", lo)
	case items != false && n == 0:
		return b.lit("[]")
	case items != false:
		more := b.repeat(b.seq(b.lit(","), b.space(), b.schema(items, root)), max(lo-n, 0), -1)
		if hi >= 0 {
			more.hi = hi - n
		}
		kids = append(kids, more)
	}
	return b.seq(append(kids, b.lit("]"))...)
}

// disjoint says that surely no value fits both schemas.
func disjoint(x, y, root any, depth int) bool {
	a, okA := resolve(x, root, depth)
	c, okC := resolve(y, root, depth)
	if !okA || !okC {
		return false
	}
	va, vc := constants(a), constants(c)
	if va != nil && vc != nil {
		return !slices.ContainsFunc(va, func(v any) bool {
			return slices.ContainsFunc(vc, func(w any) bool { return compact(v) == compact(w) })
		})
	}
	ta, tc := typesOf(a), typesOf(c)
	if ta != nil && tc != nil && !slices.ContainsFunc(ta, func(t string) bool { return slices.Contains(tc, t) }) {
		return true
	}
	if !slices.Equal(ta, []string{"object"}) || !slices.Equal(tc, []string{"object"}) || depth == 0 {
		return false
	}
	pa, pc := sub(a, "properties"), sub(c, "properties")
	for _, name := range pa.keys {
		if pc.has(name) && requires(a, name) && requires(c, name) && disjoint(pa.get(name), pc.get(name), root, depth-1) {
			return true
		}
	}
	return false
}

// resolve follows $ref.
func resolve(v, root any, depth int) (*object, bool) {
	o, ok := v.(*object)
	for ; ok && o.has("$ref") && depth > 0; depth-- {
		path, _ := o.get("$ref").(string)
		if o, ok = lookup(path, root).(*object); !ok {
			return nil, false
		}
	}
	return o, ok
}

func constants(o *object) []any {
	if o.has("const") {
		return []any{o.get("const")}
	}
	list, _ := o.get("enum").([]any)
	return list
}

// typesOf are the types as the schema names them; an integer is a number too. Constants have theirs.
func typesOf(o *object) []string {
	names, _ := o.get("type").([]any)
	if t, ok := o.get("type").(string); ok {
		names = []any{t}
	}
	for _, v := range constants(o) {
		for _, t := range []string{"null", "boolean", "string", "number", "array", "object"} {
			if !o.has("type") && isType(v, t) {
				names = append(names, t)
			}
		}
	}
	var out []string
	for _, n := range names {
		t, _ := n.(string)
		if t == "integer" {
			t = "number"
		}
		out = append(out, t)
	}
	return out
}

func sub(o *object, key string) *object {
	if p, ok := o.get(key).(*object); ok {
		return p
	}
	return &object{}
}

func requires(o *object, name string) bool {
	list, _ := o.get("required").([]any)
	return slices.Contains(list, any(name))
}
