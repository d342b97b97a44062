// Package clock is the time that routing goes by: the machine's, or one that a test moves.
package clock

import (
	"context"
	"sync"
	"time"
)

// Clock tells the time and wakes.
type Clock interface {
	Now() time.Time
	// AfterFunc calls f, in a goroutine of its own, once d has passed. stop says whether it came before the call.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

// System is the machine's clock.
type System struct{}

// Now implements Clock.
func (System) Now() time.Time { return time.Now() }

// AfterFunc implements Clock.
func (System) AfterFunc(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }

// Or is c, or the machine's clock where c is nil.
func Or(c Clock) Clock {
	if c == nil {
		return System{}
	}
	return c
}

// Sleep waits for d or for the end of ctx, whose error it then returns.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	done := make(chan struct{})
	stop := c.AfterFunc(d, func() { close(done) })
	defer stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fake is a clock that stands until it is moved, for tests. It is safe for concurrent use.
type Fake struct {
	mu     sync.Mutex
	change *sync.Cond
	now    time.Time
	timers map[*timer]bool
}

type timer struct {
	at time.Time
	f  func()
}

// NewFake is a clock that stands at a time.
func NewFake(at time.Time) *Fake {
	f := &Fake{now: at, timers: map[*timer]bool{}}
	f.change = sync.NewCond(&f.mu)
	return f
}

// Now implements Clock.
func (f *Fake) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

// AfterFunc implements Clock.
func (f *Fake) AfterFunc(d time.Duration, call func()) func() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := &timer{f.now.Add(max(d, 0)), call}
	if d <= 0 {
		go call()
		return func() bool { return false }
	}
	f.timers[t] = true
	f.change.Broadcast()
	return func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		was := f.timers[t]
		delete(f.timers, t)
		return was
	}
}

// Advance moves the clock and calls what is due.
func (f *Fake) Advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	for t := range f.timers {
		if !t.at.After(f.now) {
			delete(f.timers, t)
			go t.f()
		}
	}
}

// Timers waits until a timer of exactly d from now is set: a test then knows that somebody waits for it.
func (f *Fake) Timers(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.waits(d) {
		f.change.Wait()
	}
}

func (f *Fake) waits(d time.Duration) bool {
	for t := range f.timers {
		if t.at.Equal(f.now.Add(d)) {
			return true
		}
	}
	return false
}
