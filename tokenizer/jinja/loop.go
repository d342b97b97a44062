package jinja

import "strings"

// loopInfo is the variable loop.
type loopInfo struct {
	items   []any
	at      int
	depth   int
	changed []any
	again   func(c *context, v any) (any, error) // of a recursive loop
}

func (l *loopInfo) attr(name string) (any, bool) {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.at + 1), true
	case "index0":
		return int64(l.at), true
	case "revindex":
		return int64(n - l.at), true
	case "revindex0":
		return int64(n - l.at - 1), true
	case "first":
		return l.at == 0, true
	case "last":
		return l.at == n-1, true
	case "length":
		return int64(n), true
	case "depth":
		return int64(l.depth + 1), true
	case "depth0":
		return int64(l.depth), true
	case "previtem":
		if l.at == 0 {
			return &undefined{"there is no previous item"}, true
		}
		return l.items[l.at-1], true
	case "nextitem":
		if l.at == n-1 {
			return &undefined{"there is no next item"}, true
		}
		return l.items[l.at+1], true
	case "cycle":
		return function(func(_ *context, a args) (any, error) {
			if len(a.pos) == 0 {
				return nil, typeErrorf("no items for cycling given")
			}
			return a.pos[l.at%len(a.pos)], nil
		}), true
	case "changed":
		return function(func(_ *context, a args) (any, error) {
			if l.changed != nil && equal(&List{Items: l.changed}, &List{Items: a.pos}) {
				return false, nil
			}
			l.changed = append([]any{}, a.pos...)
			return true, nil
		}), true
	}
	return nil, false
}

func (s forStmt) run(c *context) (signal, error) {
	v, err := s.over.eval(c)
	if err != nil {
		return next, err
	}
	return next, s.loop(c, v, 0)
}

// loop runs over v; a scope of its own for each turn.
func (s forStmt) loop(c *context, v any, depth int) error {
	if c.depth++; c.depth > maxCalls {
		return errorf("RecursionError", "maximum recursion depth exceeded")
	}
	defer func() { c.depth-- }()
	items, err := iterate(c, v)
	if err != nil {
		return err
	}
	if s.cond != nil {
		if items, err = s.filtered(c, items); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		_, err := s.els.run(c.scope())
		return err
	}
	l := &loopInfo{items: items, depth: depth}
	if s.recursive {
		l.again = func(d *context, v any) (any, error) {
			e := *d
			e.out = &strings.Builder{}
			err := s.loop(&e, v, depth+1)
			return e.out.String(), err
		}
	}
	for i, it := range items {
		if err := c.spend(1); err != nil {
			return err
		}
		l.at = i
		d := c.scope()
		d.vars.set("loop", l)
		if err := s.target.assign(d, it); err != nil {
			return err
		}
		sig, err := s.body.run(d)
		if err != nil {
			return err
		}
		if sig == breaks {
			break
		}
	}
	return nil
}

func (s forStmt) filtered(c *context, items []any) ([]any, error) {
	var out []any
	for _, it := range items {
		d := c.scope()
		if err := s.target.assign(d, it); err != nil {
			return nil, err
		}
		ok, err := s.cond.eval(d)
		if err != nil {
			return nil, err
		}
		if truthy(ok) {
			out = append(out, it)
		}
	}
	return out, nil
}

// iterate returns what a for loop over v sees.
func iterate(c *context, v any) ([]any, error) {
	switch x := v.(type) {
	case *List:
		return x.Items, c.spend(len(x.Items) / 8)
	case *Dict:
		return x.keys, c.spend(x.Len() / 8)
	case string:
		if err := c.spend(len(x)); err != nil {
			return nil, err
		}
		out := make([]any, 0, len(x))
		for _, r := range x {
			out = append(out, string(r))
		}
		return out, nil
	case *undefined:
		return nil, nil
	}
	return nil, typeErrorf("'%s' object is not iterable", typeName(v))
}
