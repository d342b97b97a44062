package jinja

import (
	"cmp"
	"strings"
)

func (x compare) eval(c *context) (any, error) {
	a, err := x.first.eval(c)
	if err != nil {
		return nil, err
	}
	for i, op := range x.ops {
		b, err := x.rest[i].eval(c)
		if err != nil {
			return nil, err
		}
		ok, err := compareOp(c, op, a, b)
		if err != nil || !ok {
			return false, err
		}
		a = b
	}
	return true, nil
}

func compareOp(c *context, op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return equal(a, b), nil
	case "!=":
		return !equal(a, b), nil
	case "in":
		return contains(c, b, a)
	case "not in":
		ok, err := contains(c, b, a)
		return !ok, err
	}
	n, err := order(op, a, b)
	switch op {
	case "<":
		return n < 0, err
	case "<=":
		return n <= 0, err
	case ">":
		return n > 0, err
	}
	return n >= 0, err
}

// equal is a == b.
func equal(a, b any) bool { return equalDeep(a, b, 0) }

func equalDeep(a, b any, depth int) bool {
	if depth > 100 {
		return false
	}
	if f, ok := asFloat(a); ok {
		g, ok := asFloat(b)
		return ok && f == g
	}
	switch x := a.(type) {
	case *List:
		y, ok := b.(*List)
		if !ok || x.Tuple != y.Tuple || len(x.Items) != len(y.Items) {
			return false
		}
		for i := range x.Items {
			if !equalDeep(x.Items[i], y.Items[i], depth+1) {
				return false
			}
		}
		return true
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || x.Len() != y.Len() {
			return false
		}
		for i, k := range x.keys {
			v, ok := y.Get(k)
			if !ok || !equalDeep(x.vals[i], v, depth+1) {
				return false
			}
		}
		return true
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case nil, string, *namespace, *macro, *loopInfo:
		return a == b
	}
	return false
}

// order compares two values of one kind.
func order(op string, a, b any) (int, error) {
	for _, v := range []any{a, b} {
		if err := defined(v); err != nil {
			return 0, err
		}
	}
	if f, ok := asFloat(a); ok {
		if g, ok := asFloat(b); ok {
			return cmp.Compare(f, g), nil
		}
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	case *List:
		y, ok := b.(*List)
		if !ok || x.Tuple != y.Tuple {
			break
		}
		for i := range min(len(x.Items), len(y.Items)) {
			if !equal(x.Items[i], y.Items[i]) {
				return order(op, x.Items[i], y.Items[i])
			}
		}
		return cmp.Compare(len(x.Items), len(y.Items)), nil
	}
	return 0, typeErrorf("'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
}

// contains is v in box.
func contains(c *context, box, v any) (bool, error) {
	switch x := box.(type) {
	case string:
		s, ok := v.(string)
		if !ok {
			return false, typeErrorf("'in <string>' requires string as left operand, not %s", typeName(v))
		}
		return strings.Contains(x, s), c.spend(1 + len(x)/256)
	case *List:
		for _, it := range x.Items {
			if equal(it, v) {
				return true, nil
			}
		}
		return false, c.spend(1 + len(x.Items))
	case *Dict:
		if _, ok := hashable(v); !ok {
			return false, typeErrorf("unhashable type: '%s'", typeName(v))
		}
		_, ok := x.Get(v)
		return ok, nil
	case *undefined:
		return false, nil
	}
	return false, typeErrorf("argument of type '%s' is not iterable", typeName(box))
}
