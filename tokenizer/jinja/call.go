package jinja

import "strings"

// args are the arguments of a call.
type args struct {
	pos []any
	kw  *Dict // nil where there are none
}

// function is a callable value made in Go.
type function func(c *context, a args) (any, error)

// macro is a macro or the caller of a call block.
type macro struct {
	name string
	sig  signature
	body block
	home *frame
}

// get returns a parameter by position or name.
func (a args) get(i int, name string) (any, bool) {
	if i < len(a.pos) {
		return a.pos[i], true
	}
	if a.kw != nil {
		return a.kw.Get(name)
	}
	return nil, false
}

// or is get with a default.
func (a args) or(i int, name string, otherwise any) any {
	if v, ok := a.get(i, name); ok {
		return v
	}
	return otherwise
}

func (a args) str(i int, name, otherwise string) string { return str(a.or(i, name, otherwise)) }

func (a args) int(i int, name string, otherwise int64) int64 {
	n, ok := asInt(a.or(i, name, otherwise))
	if !ok {
		return otherwise
	}
	return n
}

// evalArgs evaluates the arguments of a call.
func (x *call) evalArgs(c *context) (args, error) {
	var a args
	for _, e := range x.args {
		v, err := e.eval(c)
		if err != nil {
			return a, err
		}
		a.pos = append(a.pos, v)
	}
	if x.star != nil {
		v, err := x.star.eval(c)
		if err != nil {
			return a, err
		}
		more, err := iterate(c, v)
		if err != nil {
			return a, err
		}
		a.pos = append(a.pos, more...)
	}
	if len(x.names) > 0 || x.stars != nil {
		a.kw = NewDict()
	}
	for i, n := range x.names {
		v, err := x.values[i].eval(c)
		if err != nil {
			return a, err
		}
		a.kw.Set(n, v)
	}
	if x.stars != nil {
		v, err := x.stars.eval(c)
		if err != nil {
			return a, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return a, typeErrorf("argument after ** must be a mapping, not %s", typeName(v))
		}
		for i, k := range d.keys {
			a.kw.Set(k, d.vals[i])
		}
	}
	return a, nil
}

func (x *call) eval(c *context) (any, error) { return x.invoke(c, nil) }

// invoke calls; caller is what a call block hands to a macro.
func (x *call) invoke(c *context, caller *macro) (any, error) {
	fn, err := x.fn.eval(c)
	if err != nil {
		return nil, err
	}
	if err := defined(fn); err != nil {
		return nil, err
	}
	a, err := x.evalArgs(c)
	if err != nil {
		return nil, err
	}
	if err := c.spend(1); err != nil {
		return nil, err
	}
	switch f := fn.(type) {
	case function:
		return f(c, a)
	case *macro:
		return f.call(c, a, caller)
	case *loopInfo:
		if f.again != nil && len(a.pos) == 1 {
			return f.again(c, a.pos[0])
		}
		return nil, typeErrorf("The loop must have the 'recursive' marker to be called recursively.")
	}
	return nil, typeErrorf("'%s' object is not callable", typeName(fn))
}

// call runs the body in a scope below the place where the macro was defined.
func (m *macro) call(c *context, a args, caller *macro) (any, error) {
	if c.depth++; c.depth > maxCalls {
		return nil, errorf("RecursionError", "maximum recursion depth exceeded")
	}
	defer func() { c.depth-- }()
	d := *c
	d.vars = &frame{up: m.home}
	d.out = &strings.Builder{}
	for i, p := range m.sig.params {
		v, ok := a.get(i, p)
		switch {
		case ok:
		case m.sig.defaults[i] != nil:
			var err error
			if v, err = m.sig.defaults[i].eval(&d); err != nil {
				return nil, err
			}
		default:
			v = &undefined{"parameter '" + p + "' was not provided"}
		}
		d.vars.set(p, v)
	}
	if err := m.extra(&d, a); err != nil {
		return nil, err
	}
	if caller != nil {
		d.vars.set("caller", caller)
	}
	if _, err := m.body.run(&d); err != nil {
		return nil, err
	}
	return c.text(d.out.String())
}

// extra puts arguments beyond the parameters into varargs and kwargs.
func (m *macro) extra(d *context, a args) error {
	more := &List{Tuple: true}
	if len(a.pos) > len(m.sig.params) {
		more.Items = a.pos[len(m.sig.params):]
	}
	kw := NewDict()
	if a.kw != nil {
		for i, k := range a.kw.keys {
			known := false
			for _, p := range m.sig.params {
				known = known || p == k
			}
			if !known {
				kw.Set(k, a.kw.vals[i])
			}
		}
	}
	uses := func(id string) bool { return mentions(m.body, id) }
	if len(more.Items) > 0 && !uses("varargs") {
		return typeErrorf("macro %s takes not more than %d argument(s)", stringRepr(m.name), len(m.sig.params))
	}
	if c, ok := kw.Get("caller"); ok {
		d.vars.set("caller", c)
	} else if kw.Len() > 0 && !uses("kwargs") {
		return typeErrorf("macro %s takes no keyword argument %s", stringRepr(m.name), repr(kw.keys[0]))
	}
	d.vars.set("varargs", more)
	d.vars.set("kwargs", kw)
	return nil
}
