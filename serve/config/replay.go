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

// Ledger is the account of what was spent and saved: a JSON object a line.
type Ledger struct {
	File      string // "": in memory alone
	Reference string // upstream whose price says what a local answer saved; "": the one upstream, where there is one only
	At        Pos
}

func (l *Ledger) read(v value) {
	l.At = v.pos()
	v.object(keys{
		"file":      func(v value) { v.path(&l.File) },
		"reference": func(v value) { v.str(&l.Reference) },
	})
}
