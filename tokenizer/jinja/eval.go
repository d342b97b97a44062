package jinja

import (
	"math"
	"strings"
)

func (x constant) eval(*context) (any, error) { return x.v, nil }

func (x name) eval(c *context) (any, error) {
	if v, ok := c.vars.get(x.id); ok {
		return v, nil
	}
	return &undefined{"'" + x.id + "' is undefined"}, nil
}

func (x listExpr) eval(c *context) (any, error) {
	l := &List{Tuple: x.tuple}
	for _, it := range x.items {
		v, err := it.eval(c)
		if err != nil {
			return nil, err
		}
		l.Items = append(l.Items, v)
	}
	return l, c.spend(1 + len(l.Items))
}

func (x dictExpr) eval(c *context) (any, error) {
	d := NewDict()
	for i := range x.keys {
		k, err := x.keys[i].eval(c)
		if err != nil {
			return nil, err
		}
		v, err := x.vals[i].eval(c)
		if err != nil {
			return nil, err
		}
		if _, ok := hashable(k); !ok {
			return nil, typeErrorf("unhashable type: '%s'", typeName(k))
		}
		d.Set(k, v)
	}
	return d, c.spend(1 + d.Len())
}

func (x ternary) eval(c *context) (any, error) {
	v, err := x.cond.eval(c)
	switch {
	case err != nil:
		return nil, err
	case truthy(v):
		return x.yes.eval(c)
	case x.no == nil:
		return &undefined{"the inline if-expression evaluated to false and no else section was defined."}, nil
	}
	return x.no.eval(c)
}

func (x concat) eval(c *context) (any, error) {
	var b strings.Builder
	for _, p := range x.parts {
		v, err := p.eval(c)
		if err != nil {
			return nil, err
		}
		b.WriteString(str(v))
		if _, err := c.text(b.String()); err != nil {
			return nil, err
		}
	}
	return b.String(), nil
}

func (x unary) eval(c *context) (any, error) {
	v, err := x.x.eval(c)
	if err != nil {
		return nil, err
	}
	if x.op == "not" {
		return !truthy(v), nil
	}
	if err := defined(v); err != nil {
		return nil, err
	}
	switch n := v.(type) {
	case bool:
		return x.sign(c, toInt(n))
	case int64:
		return x.sign(c, n)
	case float64:
		if x.op == "-" {
			n = -n
		}
		return n, nil
	}
	return nil, typeErrorf("bad operand type for unary %s: '%s'", x.op, typeName(v))
}

func (x unary) sign(_ *context, n int64) (any, error) {
	if x.op == "-" {
		n = -n
	}
	return n, nil
}

func toInt(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// defined returns the error that using an undefined value gives.
func defined(v any) error {
	if u, ok := v.(*undefined); ok {
		return errorf("UndefinedError", "%s", u.msg)
	}
	return nil
}

func (x binary) eval(c *context) (any, error) {
	a, err := x.x.eval(c)
	if err != nil {
		return nil, err
	}
	if x.op == "and" && !truthy(a) || x.op == "or" && truthy(a) {
		return a, nil
	}
	b, err := x.y.eval(c)
	if err != nil || x.op == "and" || x.op == "or" {
		return b, err
	}
	if err := c.spend(1); err != nil {
		return nil, err
	}
	return arith(c, x.op, a, b)
}

// arith is Python's a op b.
func arith(c *context, op string, a, b any) (any, error) {
	for _, v := range []any{a, b} {
		if err := defined(v); err != nil {
			return nil, err
		}
	}
	if s, ok := a.(string); ok && op == "%" {
		v, err := formatPercent(c, s, b)
		return v, err
	}
	if i, ok := asInt(a); ok {
		if j, ok := asInt(b); ok {
			return intArith(op, i, j)
		}
	}
	if f, ok := asFloat(a); ok {
		if g, ok := asFloat(b); ok {
			return floatArith(op, f, g)
		}
	}
	switch op {
	case "+":
		return add(c, a, b)
	case "*":
		if n, ok := asInt(b); ok {
			return repeat(c, a, n, b)
		}
		if n, ok := asInt(a); ok {
			return repeat(c, b, n, a)
		}
		if _, ok := a.(string); ok {
			return nil, typeErrorf("can't multiply sequence by non-int of type '%s'", typeName(b))
		}
	}
	if op == "**" {
		op = "** or pow()"
	}
	return nil, typeErrorf("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
}

func add(c *context, a, b any) (any, error) {
	switch x := a.(type) {
	case string:
		y, ok := b.(string)
		if !ok {
			return nil, typeErrorf(`can only concatenate str (not "%s") to str`, typeName(b))
		}
		return c.text(x + y)
	case *List:
		y, ok := b.(*List)
		if !ok || x.Tuple != y.Tuple {
			return nil, typeErrorf(`can only concatenate %s (not "%s") to %s`, typeName(a), typeName(b), typeName(a))
		}
		out := append(append(make([]any, 0, len(x.Items)+len(y.Items)), x.Items...), y.Items...)
		return &List{Items: out, Tuple: x.Tuple}, c.spend(1 + len(out))
	}
	return nil, typeErrorf("unsupported operand type(s) for +: '%s' and '%s'", typeName(a), typeName(b))
}

func repeat(c *context, v any, n int64, _ any) (any, error) {
	n = max(n, 0)
	switch x := v.(type) {
	case string:
		if n*int64(len(x)) > maxString || n > maxString {
			return nil, errorf("RuntimeError", "the template builds a string of more than %d bytes", maxString)
		}
		return c.text(strings.Repeat(x, int(n)))
	case *List:
		if n > maxSteps || n*int64(len(x.Items)) > maxSteps {
			return nil, errorf("RuntimeError", "the template builds a list that is too long")
		}
		if err := c.spend(1 + int(n)*len(x.Items)); err != nil {
			return nil, err
		}
		out := &List{Tuple: x.Tuple}
		for range n {
			out.Items = append(out.Items, x.Items...)
		}
		return out, nil
	}
	return nil, typeErrorf("unsupported operand type(s) for *: '%s' and 'int'", typeName(v))
}

func asInt(v any) (int64, bool) {
	switch x := v.(type) {
	case bool:
		return toInt(x), true
	case int64:
		return x, true
	}
	return 0, false
}

func asFloat(v any) (float64, bool) {
	if i, ok := asInt(v); ok {
		return float64(i), true
	}
	f, ok := v.(float64)
	return f, ok
}

func overflow() error { return errorf("OverflowError", "integers above 64 bits are not supported") }

func intArith(op string, a, b int64) (any, error) {
	switch op {
	case "+":
		if s := a + b; (s > a) == (b > 0) {
			return s, nil
		}
		return nil, overflow()
	case "-":
		if s := a - b; (s < a) == (b > 0) {
			return s, nil
		}
		return nil, overflow()
	case "*":
		if a == 0 || b == 0 {
			return int64(0), nil
		}
		if p := a * b; p/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64) {
			return p, nil
		}
		return nil, overflow()
	case "**":
		if b < 0 {
			return floatArith(op, float64(a), float64(b))
		}
		out := any(int64(1))
		for range min(b, 64) {
			var err error
			if out, err = intArith("*", out.(int64), a); err != nil {
				return nil, err
			}
		}
		if b > 64 && a != 0 && a != 1 && a != -1 {
			return nil, overflow()
		}
		if a == -1 && b%2 != 0 {
			return int64(-1), nil
		}
		return out, nil
	}
	if b == 0 {
		return nil, errorf("ZeroDivisionError", "%s", map[string]string{"/": "division by zero",
			"//": "integer division or modulo by zero", "%": "integer modulo by zero"}[op])
	}
	if op == "/" {
		return float64(a) / float64(b), nil
	}
	if a == math.MinInt64 && b == -1 {
		return nil, overflow()
	}
	q, r := a/b, a%b
	if r != 0 && (r < 0) != (b < 0) {
		q, r = q-1, r+b
	}
	if op == "//" {
		return q, nil
	}
	return r, nil
}

func floatArith(op string, a, b float64) (any, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	case "**":
		return math.Pow(a, b), nil
	}
	if b == 0 {
		return nil, errorf("ZeroDivisionError", "%s", map[string]string{"/": "float division by zero",
			"//": "float floor division by zero", "%": "float modulo"}[op])
	}
	switch op {
	case "/":
		return a / b, nil
	case "//":
		return math.Floor(a / b), nil
	}
	m := math.Mod(a, b)
	if m != 0 && (m < 0) != (b < 0) {
		m += b
	}
	return m, nil
}
