package engine

import (
	"time"
)

// pace decides how many tokens of prompts a step takes while others decode, so that a long prompt stretches nobody's gap
// between two tokens beyond a bound: a step with prompts shall take at most 1 + slack times as long as one without. It
// learns both costs from the steps that were made.
type pace struct {
	decode float64 // seconds of a step without prompts
	token  float64 // seconds that a token of a prompt adds
}

const (
	slack    = 1.3 // so that with errors of the estimate a gap stays below three times the usual one
	minChunk = 8   // prompts always get on
	smooth   = 0.3 // weight of the latest step
)

// budget is how many tokens of prompts the next step may take.
func (p *pace) budget(decoders, chunk int) int {
	if decoders == 0 || p.decode == 0 || p.token == 0 {
		return chunk
	}
	return min(chunk, max(minChunk, int(slack*p.decode/p.token)))
}

// learn takes the time of a step.
func (p *pace) learn(decoders, prompt int, d time.Duration) {
	s := d.Seconds()
	mix := func(old, now float64) float64 {
		if old == 0 {
			return now
		}
		return old + smooth*(now-old)
	}
	switch {
	case prompt == 0 && decoders > 0:
		p.decode = mix(p.decode, s)
	case prompt >= minChunk:
		if decoders > 0 {
			s = max(s-p.decode, s/float64(prompt+decoders))
		}
		p.token = mix(p.token, s/float64(prompt))
	}
}
