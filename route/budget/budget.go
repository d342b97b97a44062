// Package budget holds escalation to a share of the requests and to an amount of money a day, however many clients ask at
// once.
//
// Every request is counted once, by [Budget.Count] where it stays and by [Budget.Take] where it wants to go. Take gives a ticket
// that reserves a place and the worst that the request can cost, or refuses; the ticket is settled with the real cost or
// released, once. Between them the bounds hold at every moment:
//
//	places taken ≤ share · requests + 1, overall and among any Window requests in a row
//	settled + reserved ≤ Day, of each day in UTC
//
// as long as no request costs more than was reserved for it.
package budget

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// ErrOptions is returned for options that cannot be.
var ErrOptions = errors.New("budget options")

// Options of New. The zero value lets nothing go.
type Options struct {
	Share  float64     // of the requests that may go, 0 to 1; 1 is no limit
	Window int         // requests in a row among which the share holds too: 100
	Day    price.Money // that may be spent in a day; 0: no limit
	Clock  clock.Clock // nil: the machine's
}

// Refusal says why a request may not go.
type Refusal string

// The refusals.
const (
	Granted Refusal = ""
	Share   Refusal = "share"
	Money   Refusal = "money"
)

// Unbounded is the worst cost of a request of which nothing is known: it goes only where there is no limit of money.
const Unbounded price.Money = math.MaxInt64

const (
	parts         = 1_000_000 // a share is counted in millionths
	defaultWindow = 100
	maxWindow     = 1 << 20
)

// Budget is safe for concurrent use.
type Budget struct {
	mu       sync.Mutex
	clock    clock.Clock
	share    int64 // millionths
	day      price.Money
	limited  bool // there is a limit of money
	requests int64
	taken    int64
	ring     []bool // of the last requests: whether they took a place; request n is at n % len
	inRing   int64
	date     int64 // days since 1970
	spent    price.Money
	reserved price.Money
	open     int
}

// New makes a budget of which nothing is used.
func New(o Options) (*Budget, error) {
	b := &Budget{ring: make([]bool, 1)}
	return b, b.Update(o)
}

// Update changes the limits; what is taken and spent stays. Where it fails, nothing has changed.
func (b *Budget) Update(o Options) error {
	if !(o.Share >= 0 && o.Share <= 1) {
		return fmt.Errorf("%w: Share is %v, want 0 to 1", ErrOptions, o.Share)
	}
	if o.Window < 0 || o.Window > maxWindow {
		return fmt.Errorf("%w: Window is %d, want 1 to %d requests", ErrOptions, o.Window, maxWindow)
	}
	if o.Day < 0 {
		return fmt.Errorf("%w: Day is %v, want none below 0", ErrOptions, o.Day)
	}
	if o.Window == 0 {
		o.Window = defaultWindow
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clock, b.share, b.day, b.limited = clock.Or(o.Clock), int64(math.Floor(o.Share*parts+1e-6)), o.Day, o.Day > 0
	b.resize(o.Window)
	return nil
}

// resize keeps the last requests.
func (b *Budget) resize(window int) {
	ring := make([]bool, window)
	b.inRing = 0
	for n := max(b.requests-int64(min(window, len(b.ring))), 0); n < b.requests; n++ {
		took := b.ring[n%int64(len(b.ring))]
		ring[n%int64(window)] = took
		if took {
			b.inRing++
		}
	}
	b.ring = ring
}

// Count counts a request that stays.
func (b *Budget) Count() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count(false)
}

// count enters a request; its number is given.
func (b *Budget) count(takes bool) int64 {
	n := b.requests
	at := n % int64(len(b.ring))
	if b.ring[at] {
		b.inRing--
	}
	b.ring[at] = takes
	if takes {
		b.inRing++
		b.taken++
	}
	b.requests++
	return n
}

// Take counts a request that wants to go and may cost as much as worst. Where it may, the ticket must be settled or released; where not,
// there is none and the refusal says why.
func (b *Budget) Take(worst price.Money) (*Ticket, Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.may(worst); r != Granted {
		b.count(false)
		return nil, r
	}
	if worst == Unbounded {
		worst = 0
	}
	b.reserved = b.reserved.Plus(worst)
	b.open++
	return &Ticket{b: b, number: b.count(true), date: b.date, worst: worst}, Granted
}

// may says whether the next request may go.
func (b *Budget) may(worst price.Money) Refusal {
	if b.share < parts {
		inRing := b.inRing
		if b.ring[b.requests%int64(len(b.ring))] {
			inRing-- // leaves the window
		}
		seen := b.requests + 1
		if b.share == 0 || over(b.taken+1, seen, b.share) || over(inRing+1, min(seen, int64(len(b.ring))), b.share) {
			return Share
		}
	}
	if !b.holds(worst) {
		return Money
	}
	return Granted
}

// over says whether taken > share · requests + 1.
func over(taken, requests, share int64) bool { return (taken-1)*parts > share*requests }

// holds says whether so much more can be reserved today.
func (b *Budget) holds(worst price.Money) bool {
	b.roll()
	if b.reserved.Plus(worst) == math.MaxInt64 && worst != Unbounded {
		return false // more than can be counted
	}
	return worst >= 0 && (!b.limited || worst <= b.day && b.spent.Plus(b.reserved).Plus(worst) <= b.day)
}

// Affords says whether the day has money at this moment for a request that may cost so much. It counts and reserves nothing: a
// caller may look for a cheaper way before it takes.
func (b *Budget) Affords(worst price.Money) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holds(worst)
}

// roll begins a new day at midnight UTC. A clock that is set back does not bring an old day back.
func (b *Budget) roll() {
	if today := dayOf(b.clock.Now()); today > b.date {
		b.date, b.spent, b.reserved = today, 0, 0
	}
}

func dayOf(t time.Time) int64 { return t.Unix() / 86400 }

// Ticket is the permission for one request to go. It is safe for concurrent use; a nil Ticket does nothing.
type Ticket struct {
	b      *Budget
	number int64 // of the request
	date   int64
	worst  price.Money
	done   bool
}

// More reserves another cost for the same request, such as of a second upstream; false: there is not so much.
func (t *Ticket) More(worst price.Money) bool {
	if t == nil {
		return false
	}
	t.b.mu.Lock()
	defer t.b.mu.Unlock()
	if t.done || !t.b.holds(worst) {
		return false
	}
	if t.date != t.b.date { // midnight has passed: what is reserved moves into the day that it is spent in
		if !t.b.holds(t.worst.Plus(worst)) {
			return false
		}
		t.date = t.b.date
		t.b.reserved += t.worst
	}
	if worst == Unbounded {
		worst = 0
	}
	t.b.reserved += worst
	t.worst += worst
	return true
}

// Settle ends the ticket with what the request has cost.
func (t *Ticket) Settle(cost price.Money) { t.finish(max(cost, 0), true) }

// Release ends the ticket of a request of which nothing was sent: its place is free again. It goes on counting as a request.
func (t *Ticket) Release() { t.finish(0, false) }

func (t *Ticket) finish(cost price.Money, went bool) {
	if t == nil {
		return
	}
	b := t.b
	b.mu.Lock()
	defer b.mu.Unlock()
	if t.done {
		return
	}
	t.done = true
	b.open--
	b.roll()
	if t.date == b.date {
		b.reserved -= t.worst
		b.spent = b.spent.Plus(cost)
	}
	if !went {
		b.taken--
		if at := t.number % int64(len(b.ring)); b.requests-t.number <= int64(len(b.ring)) && b.ring[at] {
			b.ring[at] = false
			b.inRing--
		}
	}
}

// State is what a budget has counted.
type State struct {
	Requests int64       `json:"requests"`
	Taken    int64       `json:"taken"` // of them, open ones included
	Open     int         `json:"open"`  // tickets neither settled nor released
	Date     string      `json:"date"`  // the day of what follows, such as 2026-11-25
	Spent    price.Money `json:"spent"`
	Reserved price.Money `json:"reserved"`
}

// State is the present state.
func (b *Budget) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.roll()
	date := time.Unix(b.date*86400, 0).UTC().Format(time.DateOnly)
	return State{b.requests, b.taken, b.open, date, b.spent, b.reserved}
}

// Restore adds what was counted before a restart: requests and places, and what was spent if that was today.
func (b *Budget) Restore(s State) error {
	if s.Requests < 0 || s.Taken < 0 || s.Taken > s.Requests || s.Spent < 0 {
		return fmt.Errorf("%w: %d of %d requests taken and %v spent cannot be", ErrOptions, s.Taken, s.Requests, s.Spent)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.roll()
	if at, err := time.Parse(time.DateOnly, s.Date); err == nil && dayOf(at) == b.date {
		b.spent = b.spent.Plus(s.Spent)
	}
	if len(b.ring) > 0 && b.requests == 0 {
		b.requests, b.taken = s.Requests, s.Taken
	}
	return nil
}
