package config

import (
	"slices"
	"strings"
)

// references holds names against each other.
func (c *Config) references(r *reader) {
	x := &checker{c: c, r: r, models: map[string]bool{}, upstreams: map[string]bool{}, routers: map[string]bool{}}
	owner := map[string]Pos{}
	claim := func(name string, at Pos, set map[string]bool) {
		if first, twice := owner[name]; twice {
			x.wrong(at, "a name that nothing else has", clip(name)+" again, beside "+first.Field)
		}
		owner[name] = at
		if set != nil {
			set[name] = true
		}
	}
	for _, m := range c.Models {
		claim(m.Name, m.At, x.models)
	}
	for _, u := range c.Upstreams {
		claim(u.Name, u.At, x.upstreams)
	}
	for _, v := range c.Virtual {
		claim(v.Name, v.At, nil)
	}
	for _, o := range c.Routers {
		x.routers[o.Name] = true
		if o.Encoder != "" && !x.models[o.Encoder] {
			x.wrong(o.At.At("encoder"), "one of models: "+list(x.models), clip(o.Encoder))
		}
	}
	if c.Ledger.Reference != "" && !x.upstreams[c.Ledger.Reference] {
		x.wrong(c.Ledger.At.At("reference"), "one of upstreams: "+list(x.upstreams), clip(c.Ledger.Reference))
	}
	if c.Ledger.Reference == "" && len(c.Upstreams) == 1 {
		c.Ledger.Reference = c.Upstreams[0].Name
	}
	for i := range c.Virtual {
		x.virtual(&c.Virtual[i])
	}
}

type checker struct {
	c                          *Config
	r                          *reader
	models, upstreams, routers map[string]bool
}

func (x *checker) wrong(at Pos, want, found string) {
	x.r.faults = append(x.r.faults, at.Fault(want, found))
}

// list names what there is, for errors.
func list(set map[string]bool) string {
	if len(set) == 0 {
		return "(there are none)"
	}
	var names []string
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	if len(names) > 20 {
		names = append(names[:20], "…")
	}
	return strings.Join(names, ", ")
}

// target checks a name of a model or an upstream and says whether it is the latter.
func (x *checker) target(at Pos, name string) (leaves bool) {
	if name != "" && !x.models[name] && !x.upstreams[name] {
		x.wrong(at, "one of models: "+list(x.models)+"; or of upstreams: "+list(x.upstreams), clip(name))
	}
	return x.upstreams[name]
}

func (x *checker) local(at Pos, name string) {
	if name != "" && !x.models[name] {
		x.wrong(at, "one of models: "+list(x.models), clip(name))
	}
}

func (x *checker) virtual(v *Virtual) {
	leaves := x.target(v.at["default"], v.Default)
	leaves = x.target(v.at["shadow"], v.Shadow) || leaves
	x.local(v.at["fallback"], v.Fallback)
	for _, r := range v.Routes {
		leaves = x.target(r.At.At("model"), r.Model) || leaves
		if r.When != nil {
			x.when(r.When)
		}
		if r.Cascade == nil {
			continue
		}
		leaves = true
		if x.upstreams[r.Model] {
			x.wrong(r.At.At("model"), "a local model, as its log-probabilities decide", clip(r.Model))
		}
		if r.Cascade.To != "" && !x.upstreams[r.Cascade.To] {
			x.wrong(r.Cascade.At.At("to"), "one of upstreams: "+list(x.upstreams), clip(r.Cascade.To))
		}
	}
	if leaves && v.Fallback == "" {
		x.wrong(v.At, "a key fallback, as requests may leave: the local model that answers what must stay", "none")
	}
	if v.Default == "" {
		v.Default = v.Fallback
	}
}

func (x *checker) when(w *When) {
	if w.Router != "" && !x.routers[w.Router] {
		x.wrong(w.At.At("router"), "one of routers: "+list(x.routers), clip(w.Router))
	}
	for _, o := range w.Any {
		x.when(o)
	}
	if w.Not != nil {
		x.when(w.Not)
	}
}
