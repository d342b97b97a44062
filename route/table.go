package route

import "context"

// Table is an ordered list of conditions: a prompt goes where the first that holds says. It is safe for concurrent use.
type Table struct {
	Rows    []Row
	Default string // of prompts that no row takes
	Broken  string // of prompts that a broken signal left undecided
}

// Row is one condition of a table.
type Row struct {
	Name string
	If   Signal // nil: always
	To   string
}

// Choice is where a table sends a prompt and why. It holds nothing of the prompt.
type Choice struct {
	Decision   string             `json:"decision"` // the row's name, or default
	Model      string             `json:"model"`
	Row        int                `json:"-"` // -1: none
	Confidence float64            `json:"confidence"`
	Threshold  float64            `json:"threshold,omitempty"`
	Label      string             `json:"label,omitempty"`
	Reason     Reason             `json:"reason"`
	Readings   map[string]Reading `json:"signals,omitempty"` // by row, as far as they were read
	Err        error              `json:"-"`                 // of the signal that broke
}

// ReasonDefault says that there was nothing to decide: the table has no rows.
const ReasonDefault Reason = "default"

// ReasonBroken says that a signal failed, which is not that none matched.
const ReasonBroken Reason = "router_failed"

// Choose reads the rows in order. A broken signal, or the end of ctx, ends it: what stands behind cannot be known to come first.
func (t *Table) Choose(ctx context.Context, p *Prompt) Choice {
	c := Choice{Decision: Default, Model: t.Default, Row: -1, Confidence: 1, Reason: ReasonNoMatch, Readings: map[string]Reading{}}
	if len(t.Rows) == 0 {
		c.Reason = ReasonDefault
	}
	for i, row := range t.Rows {
		r, err := Reading{Match: true, Confidence: 1, Reason: ReasonAlways}, error(nil)
		if row.If != nil {
			r, err = row.If.Read(ctx, p)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return Choice{Decision: Default, Model: t.Broken, Row: -1, Reason: ReasonBroken, Readings: c.Readings, Err: err}
		}
		c.Readings[row.Name] = r
		if r.Match {
			c.Decision, c.Model, c.Row = row.Name, row.To, i
			c.Confidence, c.Threshold, c.Label, c.Reason = r.Confidence, r.Threshold, r.Label, r.Reason
			return c
		}
		c.Confidence = min(c.Confidence, r.Confidence)
		if r.Reason == ReasonEmpty {
			c.Reason = ReasonEmpty
		}
	}
	return c
}
