package config

import "math"

// Budget bounds what leaves. Zero values are no bounds; Share below 0 is none either.
type Budget struct {
	Share float64 // of all requests to virtual models; -1: not bounded
	Daily float64 // money a day, in the unit of the prices; -1: not bounded
	At    Pos
}

func (b *Budget) read(v value) {
	b.At = v.pos()
	v.object(keys{
		"share": func(v value) { v.number(&b.Share, 0, 1) },
		"daily": func(v value) { v.number(&b.Daily, 0, math.Inf(1)) },
	})
}
