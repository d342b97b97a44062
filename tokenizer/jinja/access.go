package jinja

import "strings"

// namespace is what namespace() makes: the one value that templates can change.
type namespace struct{ vars *Dict }

func (x attribute) eval(c *context) (any, error) {
	v, err := x.of.eval(c)
	if err != nil {
		return nil, err
	}
	return getAttr(v, x.name)
}

// getAttr is v.name: an attribute or method, else an item of that name.
func getAttr(v any, name string) (any, error) {
	if err := defined(v); err != nil {
		return nil, err
	}
	if a, ok := special(v, name); ok {
		return a, nil
	}
	if m, ok := method(v, name); ok {
		return m, nil
	}
	if d, ok := v.(*Dict); ok {
		if val, ok := d.Get(name); ok {
			return val, nil
		}
	}
	return missing(v, name), nil
}

func missing(v, key any) *undefined {
	if s, ok := key.(string); ok {
		return &undefined{stringRepr(objectName(v)) + " has no attribute " + stringRepr(s)}
	}
	return &undefined{objectName(v) + " has no element " + repr(key)}
}

// special returns attributes of the values that Jinja itself makes.
func special(v any, name string) (any, bool) {
	switch x := v.(type) {
	case *namespace:
		return x.vars.Get(name)
	case *loopInfo:
		return x.attr(name)
	case *List:
		for i, n := range x.names {
			if n == name {
				return x.Items[i], true
			}
		}
	case *macro:
		if name == "name" {
			return x.name, true
		}
	}
	return nil, false
}

func (x item) eval(c *context) (any, error) {
	v, err := x.of.eval(c)
	if err != nil {
		return nil, err
	}
	k, err := x.key.eval(c)
	if err != nil {
		return nil, err
	}
	return getItem(v, k)
}

// getItem is v[k]: an item, else an attribute of that name.
func getItem(v, k any) (any, error) {
	if err := defined(v); err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case *Dict:
		if val, ok := x.Get(k); ok {
			return val, nil
		}
	case *List:
		if i, ok := asInt(k); ok {
			if i < 0 {
				i += int64(len(x.Items))
			}
			if 0 <= i && i < int64(len(x.Items)) {
				return x.Items[i], nil
			}
		}
	case string:
		if i, ok := asInt(k); ok {
			if s, ok := runeAt(x, i); ok {
				return s, nil
			}
		}
	}
	if s, ok := k.(string); ok {
		if a, ok := special(v, s); ok {
			return a, nil
		}
		if m, ok := method(v, s); ok {
			return m, nil
		}
	}
	return missing(v, k), nil
}

func runeAt(s string, i int64) (string, bool) {
	rs := []rune(s)
	if i < 0 {
		i += int64(len(rs))
	}
	if i < 0 || i >= int64(len(rs)) {
		return "", false
	}
	return string(rs[i]), true
}

func (x sliceExpr) eval(c *context) (any, error) {
	v, err := x.of.eval(c)
	if err != nil {
		return nil, err
	}
	var bounds [3]any
	for i, e := range []expr{x.from, x.to, x.step} {
		if e == nil {
			continue
		}
		if bounds[i], err = e.eval(c); err != nil {
			return nil, err
		}
		if _, ok := asInt(bounds[i]); !ok && bounds[i] != nil {
			if err := defined(bounds[i]); err != nil {
				return nil, err
			}
			return nil, typeErrorf("slice indices must be integers or None or have an __index__ method")
		}
	}
	if err := defined(v); err != nil {
		return nil, err
	}
	switch s := v.(type) {
	case string:
		rs := []rune(s)
		at, err := sliceRange(len(rs), bounds)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		for _, i := range at {
			b.WriteRune(rs[i])
		}
		return c.text(b.String())
	case *List:
		at, err := sliceRange(len(s.Items), bounds)
		if err != nil {
			return nil, err
		}
		out := &List{Tuple: s.Tuple}
		for _, i := range at {
			out.Items = append(out.Items, s.Items[i])
		}
		return out, c.spend(1 + len(at))
	}
	return missing(v, "slice"), nil
}

// sliceRange returns the positions that [from:to:step] selects of n.
func sliceRange(n int, b [3]any) ([]int, error) {
	step := int64(1)
	if b[2] != nil {
		step, _ = asInt(b[2])
	}
	if step == 0 {
		return nil, errorf("ValueError", "slice step cannot be zero")
	}
	size := int64(n)
	lo, hi := int64(0), size
	if step < 0 {
		lo, hi = -1, size-1
	}
	bound := func(v any, otherwise int64) int64 {
		i, ok := asInt(v)
		if !ok {
			return otherwise
		}
		if i < 0 {
			i += size
		}
		return min(max(i, lo), hi)
	}
	var from, to int64
	if step > 0 {
		from, to = bound(b[0], lo), bound(b[1], hi)
	} else {
		from, to = bound(b[0], hi), bound(b[1], lo)
	}
	var out []int
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, int(i))
		if step > size || step < -size-1 {
			break
		}
	}
	return out, nil
}
