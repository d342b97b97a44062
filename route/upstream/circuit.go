package upstream

import (
	"sync"
	"time"
)

// circuit skips an upstream for a while after failures in a row; then one call tries it, and the others go on skipping until that
// one has had its first event.
type circuit struct {
	mu      sync.Mutex
	fails   int
	until   time.Time // zero: closed
	probing bool
}

// allow says whether a call may go, else until when it may not.
func (c *circuit) allow(now time.Time) (until time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() {
		return time.Time{}, true
	}
	if now.Before(c.until) || c.probing {
		return c.until, false
	}
	c.probing = true
	return time.Time{}, true
}

// answered: the first event of a call is there. The failures before still count if it breaks.
func (c *circuit) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until, c.probing = time.Time{}, false
}

// succeeded closes the circuit.
func (c *circuit) succeeded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails, c.until, c.probing = 0, time.Time{}, false
}

// failed counts a failure; wait is what the upstream asked for.
func (c *circuit) failed(s *settings, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probing = false
	c.fails++
	if wait <= s.MaxRetryAfter {
		wait = 0
	}
	if c.fails >= s.CooldownAfter {
		wait = max(wait, s.Cooldown)
	}
	if wait > 0 {
		if until := s.Clock.Now().Add(min(wait, max(s.MaxCooldown, s.Cooldown))); until.After(c.until) {
			c.until = until
		}
	}
}

// undecided: a call ended that tells nothing of the upstream.
func (c *circuit) undecided() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probing = false
}
