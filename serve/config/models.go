package config

import "strings"

// Builtin in the place of a model's folder is the built-in model.
const Builtin = "builtin"

// Model is a local model. Two names may have the same folder and differ in their gates.
type Model struct {
	Name    string
	Dir     string // "": the built-in model
	Quant   string
	Compute string
	KV      string
	Gate    string
	Level   string
	Threads int
	At      Pos
}

func (c *Config) readModels(v value) {
	v.each("a mapping of names to models", func(name string, v value) {
		m := Model{Name: name, At: v.pos()}
		v.name(name)
		found := false
		v.object(keys{
			"dir":     func(v value) { found = true; m.readDir(v) },
			"quant":   func(v value) { v.oneOf(&m.Quant, "none", "int8", "int4", "mixed") },
			"compute": func(v value) { v.oneOf(&m.Compute, "f32", "bf16", "bf16x3") },
			"kv":      func(v value) { v.oneOf(&m.KV, "f32", "f16") },
			"gate":    func(v value) { v.str(&m.Gate) },
			"level":   func(v value) { v.str(&m.Level) },
			"threads": func(v value) { v.integer(&m.Threads, 0, 1<<12) },
		})
		if !found {
			v.wrong("a key dir", "none")
		}
		c.Models = append(c.Models, m)
	})
}

func (m *Model) readDir(v value) {
	if v.n.Value != Builtin {
		v.path(&m.Dir)
	}
}

// name checks a name that clients and headers will see.
func (v value) name(s string) {
	bad := s == "" || len(s) > 100 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
	if bad {
		v.wrong("a name of 1 to 100 letters, digits and marks of ASCII", clip(s))
	}
}
