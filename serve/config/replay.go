package config

// Replay is the log of decisions: a JSON object a line.
type Replay struct {
	File    string // "": none
	Prompts bool   // the text that was decided on is logged too
	At      Pos
}

func (r *Replay) read(v value) {
	r.At = v.pos()
	v.object(keys{
		"file":    func(v value) { v.path(&r.File) },
		"prompts": func(v value) { v.boolean(&r.Prompts) },
	})
	if r.File == "" {
		v.wrong("a key file", "none")
	}
}
