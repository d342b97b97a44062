package config

import "math"

// Budget bounds what leaves.
type Budget struct {
	Share  float64 // of the requests to virtual models; 1: no bound
	Window int     // requests in a row among which the share holds too; 0: 100
	Daily  float64 // money a day (UTC), in the unit of the prices; 0: no bound
	At     Pos
}

func (b *Budget) read(v value) {
	b.At = v.pos()
	v.object(keys{
		"share":  func(v value) { v.number(&b.Share, 0, 1) },
		"window": func(v value) { v.integer(&b.Window, 1, 1<<20) },
		"daily":  b.readDaily,
	})
}

// readDaily refuses 0, which could be taken for "nothing": that is share 0.
func (b *Budget) readDaily(v value) {
	v.number(&b.Daily, math.SmallestNonzeroFloat64, math.Inf(1))
}
