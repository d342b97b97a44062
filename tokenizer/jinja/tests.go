package jinja

import (
	"strings"
)

// testFunc is a test: v is name(a…).
type testFunc func(c *context, v any, a args) (bool, error)

func (x testExpr) eval(c *context) (any, error) {
	v, err := x.of.eval(c)
	if err != nil {
		return nil, err
	}
	a, err := x.args.evalArgs(c)
	if err != nil {
		return nil, err
	}
	return x.fn(c, v, a)
}

// is makes a test of a function on the value alone.
func is(f func(v any) bool) testFunc {
	return func(_ *context, v any, _ args) (bool, error) { return f(v), nil }
}

// ofType makes a test for one of some types.
func ofType(names ...string) testFunc {
	return is(func(v any) bool {
		for _, n := range names {
			if typeName(v) == n {
				return true
			}
		}
		return false
	})
}

// comparing makes a test of a comparison.
func comparing(op string) testFunc {
	return func(c *context, v any, a args) (bool, error) { return compareOp(c, op, v, a.or(0, "other", nil)) }
}

func modulo(v any, by any, want int64) (bool, error) {
	r, err := arith(nil, "%", v, by)
	if err != nil {
		return false, err
	}
	return equal(r, want), nil
}

// findTest returns a test by name, nil where there is none.
func findTest(name string) testFunc {
	iterable := is(func(v any) bool {
		switch v.(type) {
		case string, *List, *Dict, *undefined:
			return true
		}
		return false
	})
	undef := is(func(v any) bool { _, ok := v.(*undefined); return ok })
	return map[string]testFunc{
		"defined":   is(func(v any) bool { _, ok := v.(*undefined); return !ok }),
		"undefined": undef,
		"none":      is(func(v any) bool { return v == nil }),
		"true":      is(func(v any) bool { return v == true }), "false": is(func(v any) bool { return v == false }),
		"boolean": ofType("bool"), "string": ofType("str"), "mapping": ofType("dict"),
		"integer": ofType("int"), "float": ofType("float"), "number": ofType("int", "float", "bool"),
		"sequence": ofType("str", "list", "tuple", "dict", "Undefined"), "iterable": iterable,
		"callable": ofType("function", "Macro"), "escaped": is(func(any) bool { return false }),
		"lower": is(func(v any) bool { s := str(v); return s == strings.ToLower(s) && s != strings.ToUpper(s) }),
		"upper": is(func(v any) bool { s := str(v); return s == strings.ToUpper(s) && s != strings.ToLower(s) }),
		"odd":   func(_ *context, v any, _ args) (bool, error) { return modulo(v, int64(2), 1) },
		"even":  func(_ *context, v any, _ args) (bool, error) { return modulo(v, int64(2), 0) },
		"divisibleby": func(_ *context, v any, a args) (bool, error) {
			return modulo(v, a.or(0, "num", nil), 0)
		},
		"sameas": func(_ *context, v any, a args) (bool, error) {
			o := a.or(0, "other", nil)
			switch v.(type) {
			case *List, *Dict:
				return v == o, nil
			}
			return typeName(v) == typeName(o) && equal(v, o), nil
		},
		"filter": is(func(v any) bool { return findFilter(str(v)) != nil }),
		"test":   is(func(v any) bool { return findTest(str(v)) != nil }),
		"in":     comparing("in"),
		"eq":     comparing("=="), "equalto": comparing("=="), "==": comparing("=="),
		"ne": comparing("!="), "!=": comparing("!="),
		"lt": comparing("<"), "lessthan": comparing("<"), "<": comparing("<"),
		"le": comparing("<="), "<=": comparing("<="),
		"gt": comparing(">"), "greaterthan": comparing(">"), ">": comparing(">"),
		"ge": comparing(">="), ">=": comparing(">="),
	}[name]
}
