package engine

import (
	"time"
)

// pace decides how many tokens of prompts a step takes while others decode, so that no prompt stretches the gap between two
// tokens of anybody beyond a bound. Where all prompts are long, a step shall take at most 1 + slackLong times as long as one
// without prompts. Where a short one waits, whose reader wants the first token soon, a step shall take at most 1 + slackShort
// times as long as usual, long prompts included.
//
// It learns the costs from the steps that were made. A cost that rises counts at once, one that falls only slowly,
// because a guess that is too low is what the others feel. Long prompts have a cost of their own: reading the cache behind
// a deep text costs a step much, however few tokens it takes.
type pace struct {
	decode float64 // seconds of a step without prompts
	usual  float64 // seconds of a step in which others decode and no short prompt is read
	short  float64 // seconds that a token of a short prompt adds to decode
	long   float64 // seconds that a token of a long prompt adds to decode
	alone  float64 // seconds of a token where nobody decodes: many at once, each cheaper

	decodeAt int // texts that decoded in the last step that decode was learned from
}

const (
	slackShort = 1.6
	slackLong  = 0.8
	shortText  = 1024 // tokens of a text that counts as short
	minChunk   = 8    // prompts always get on
	dearer     = 1.5  // how much more a token may cost in a small chunk than in a large one, until it is known
	falling    = 0.1  // weight of a step that was cheaper than expected
	rising     = 0.7
)

// budget is how many tokens of prompts the next step may take.
func (p *pace) budget(decoders, chunk int, short bool) int {
	if decoders == 0 {
		return chunk
	}
	cost, spare := p.long, slackLong*p.decode
	if short {
		cost, spare = p.short, (1+slackShort)*p.usual-min(p.decode, p.usual)
	}
	if cost == 0 {
		cost = dearer * p.alone
	}
	cost = max(cost, p.alone)    // no token is cheaper than in a large chunk: what looks so was noise
	if cost == 0 || spare == 0 { // nothing is known yet
		return min(chunk, 4*minChunk)
	}
	return min(chunk, max(minChunk, int(spare/cost)))
}

// learn takes the time of a step with so many texts that decode and tokens of prompts.
func (p *pace) learn(decoders, short, long int, d time.Duration) {
	s := d.Seconds()
	if decoders == 0 {
		if short+long >= minChunk {
			p.alone = ease(p.alone, s/float64(short+long), 0.3)
		}
		return
	}
	switch {
	case short+long == 0:
		p.decode, p.decodeAt = ease(p.decode, s, 0.3), decoders
	case long == 0 && short >= minChunk && comparable(decoders, p.decodeAt):
		p.short = cautious(p.short, max(s-p.decode, 0)/float64(short))
	case short == 0 && long >= minChunk && comparable(decoders, p.decodeAt):
		p.long = cautious(p.long, max(s-p.decode, 0)/float64(long))
	}
	if short == 0 {
		p.usual = ease(p.usual, s, 0.1)
	}
}

// comparable says whether a step with so many texts that decode can be held against one with others: what more texts cost is
// not the prompts' doing.
func comparable(decoders, at int) bool { return 4*max(decoders-at, at-decoders) <= at }

func cautious(old, now float64) float64 {
	if now > old {
		return ease(old, now, rising)
	}
	return ease(old, now, falling)
}

// ease moves an estimate towards what was seen.
func ease(old, now, weight float64) float64 {
	if old == 0 {
		return now
	}
	return old + weight*(now-old)
}
