package jinja

import (
	"strings"
	"time"
)

// Limits of one run: enough for any conversation, little enough for a server.
const (
	maxSteps  = 4_000_000
	maxOutput = 64 << 20 // bytes of output
	maxString = 32 << 20 // bytes of one string
	maxCalls  = 150      // nesting of macros and recursive loops
)

// context is one run of a template.
type context struct {
	vars  *frame
	out   *strings.Builder
	depth int
	meter *meter
}

// meter counts what a run has used.
type meter struct{ steps, bytes int }

// spend counts n steps; work on strings counts by their bytes.
func (c *context) spend(n int) error {
	if c.meter.steps += n; c.meter.steps > maxSteps {
		return errorf("RuntimeError", "the template runs for too long")
	}
	return nil
}

// text checks a new string against the limits.
func (c *context) text(s string) (any, error) {
	if len(s) > maxString {
		return nil, errorf("RuntimeError", "the template builds a string of %d bytes", len(s))
	}
	return s, c.spend(1 + len(s)/256)
}

// frame holds the names of one scope.
type frame struct {
	up   *frame
	vars map[string]any
}

func (f *frame) get(id string) (any, bool) {
	for ; f != nil; f = f.up {
		if v, ok := f.vars[id]; ok {
			return v, true
		}
	}
	return nil, false
}

func (f *frame) set(id string, v any) {
	if f.vars == nil {
		f.vars = map[string]any{}
	}
	f.vars[id] = v
}

// scope returns the context for an inner scope.
func (c *context) scope() *context {
	d := *c
	d.vars = &frame{up: c.vars}
	return &d
}

// Render runs the template on vars, which is not changed. now is what strftime_now reads. Errors are of type
// *Error; after one, no output is returned.
func (t *Template) Render(vars map[string]any, now time.Time) (string, error) {
	var out strings.Builder
	c := &context{vars: &frame{up: globals(now)}, out: &out, meter: &meter{}}
	for k, v := range vars {
		c.vars.set(k, v)
	}
	_, err := t.body.run(c)
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

func (c *context) write(s string) error {
	if c.meter.bytes += len(s); c.meter.bytes > 2*maxOutput || c.out.Len()+len(s) > maxOutput {
		return errorf("RuntimeError", "the template writes more than %d bytes", maxOutput)
	}
	c.out.WriteString(s)
	return nil
}

// capture runs a block and returns what it writes.
func (c *context) capture(b block) (string, error) {
	d := c.scope()
	d.out = &strings.Builder{}
	_, err := b.run(d)
	return d.out.String(), err
}

func (b block) run(c *context) (signal, error) {
	for _, s := range b {
		if err := c.spend(1); err != nil {
			return next, err
		}
		if sig, err := s.run(c); err != nil || sig != next {
			return sig, err
		}
	}
	return next, nil
}

func (s data) run(c *context) (signal, error) { return next, c.write(s.text) }

func (s output) run(c *context) (signal, error) {
	v, err := s.x.eval(c)
	if err != nil {
		return next, err
	}
	return next, c.write(str(v))
}

func (s ifStmt) run(c *context) (signal, error) {
	v, err := s.cond.eval(c)
	if err != nil {
		return next, err
	}
	if truthy(v) {
		return s.yes.run(c)
	}
	return s.no.run(c)
}

func (s setStmt) run(c *context) (signal, error) {
	v, err := s.val.eval(c)
	if err != nil {
		return next, err
	}
	return next, s.target.assign(c, v)
}

func (s setBlock) run(c *context) (signal, error) {
	text, err := c.capture(s.body)
	if err != nil {
		return next, err
	}
	v, err := applyFilters(c, s.filter, text)
	if err != nil {
		return next, err
	}
	return next, s.target.assign(c, v)
}

func applyFilters(c *context, fs []filterExpr, v any) (any, error) {
	for _, f := range fs {
		f.of = constant{v}
		var err error
		if v, err = f.eval(c); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (t target) assign(c *context, v any) error {
	if t.many != nil {
		items, err := iterate(c, v)
		if err != nil {
			return err
		}
		if len(items) > len(t.many) {
			return errorf("ValueError", "too many values to unpack (expected %d)", len(t.many))
		} else if len(items) < len(t.many) {
			return errorf("ValueError", "not enough values to unpack (expected %d, got %d)", len(t.many), len(items))
		}
		for i, sub := range t.many {
			if err := sub.assign(c, items[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if t.attr == "" {
		c.vars.set(t.name, v)
		return nil
	}
	ns, _ := c.vars.get(t.name)
	n, ok := ns.(*namespace)
	if !ok {
		return errorf("TemplateRuntimeError", "cannot assign attribute on non-namespace object")
	}
	if strings.HasPrefix(t.attr, "_") {
		return underscore(t.attr)
	}
	n.vars.Set(t.attr, v)
	return nil
}

func underscore(name string) error {
	return errorf("SecurityError", "Chat templates cannot store underscore-prefixed attributes on a namespace, but got %s. "+
		"Please rename the attribute.", repr(name))
}

func (s withStmt) run(c *context) (signal, error) {
	d := c.scope()
	for i, t := range s.targets {
		v, err := s.vals[i].eval(c)
		if err != nil {
			return next, err
		}
		d.vars.set(t.name, v)
	}
	return s.body.run(d)
}

func (s scopeStmt) run(c *context) (signal, error) {
	text, err := c.capture(s.body)
	if err != nil {
		return next, err
	}
	return next, c.write(text)
}

func (s filterStmt) run(c *context) (signal, error) {
	text, err := c.capture(s.body)
	if err != nil {
		return next, err
	}
	v, err := applyFilters(c, s.filters, text)
	if err != nil {
		return next, err
	}
	return next, c.write(str(v))
}

func (s doStmt) run(c *context) (signal, error) {
	_, err := s.x.eval(c)
	return next, err
}

func (s jumpStmt) run(*context) (signal, error) { return s.to, nil }

func (s macroStmt) run(c *context) (signal, error) {
	c.vars.set(s.name, &macro{name: s.name, sig: s.sig, body: s.body, home: c.vars})
	return next, nil
}

func (s callStmt) run(c *context) (signal, error) {
	caller := &macro{name: "caller", sig: s.sig, body: s.body, home: c.vars}
	v, err := s.call.invoke(c, caller)
	if err != nil {
		return next, err
	}
	return next, c.write(str(v))
}
