package policy

import (
	"cmp"
	"errors"
	"sync"

	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

// metered is what an upstream's tokens cost.
type metered struct {
	price price.Price
	worst price.Money
}

// Run is an answer on its way, for one goroutine. It must be closed.
type Run struct {
	c       *Core
	d       Decision
	src     source
	m       *metered // nil: a local model answers
	ticket  *budget.Ticket
	charged price.Money // for calls that failed before
	bound   bool
	err     error
	ended   bool
	once    sync.Once
}

// Decision is what was done with the request.
func (r *Run) Decision() Decision { return r.d }

// Next is the next event; false: there is none, and Err says why.
func (r *Run) Next() (Event, bool) {
	if r.ended {
		return Event{}, false
	}
	e, ok, err := r.src.next()
	if !ok {
		r.ended, r.err = true, err
	}
	return e, ok
}

// Err is why the answer ended: nil where it is whole. What was given before stands; nothing else is added to it.
func (r *Run) Err() error { return r.err }

// Usage is what the answer has used so far, as the model said it; false: it has not said it, and for a local model the tokens that
// were written are counted.
func (r *Run) Usage() (price.Usage, bool) { return r.src.usage() }

// Close ends the answer, settles the budget and enters the ledger, once. A model that is still answering is stopped.
func (r *Run) Close() {
	r.once.Do(func() {
		usage, said := r.src.usage()
		whole := r.ended && r.err == nil
		r.ended = true
		r.src.close()
		cost, saved := r.charged, price.Money(0)
		if r.m == nil {
			saved = r.c.reference().Cost(usage)
		} else if said {
			cost = cost.Plus(r.m.price.Cost(usage))
		} else {
			cost, r.bound = cost.Plus(r.m.worst), true
		}
		r.ticket.Settle(cost)
		r.c.enter(r.d, usage, cost, saved, r.bound, r.failure(whole))
	})
}

// failure names what ended an answer early.
func (r *Run) failure(whole bool) string {
	var e *upstream.Error
	switch {
	case whole:
		return ""
	case r.err == nil:
		return string(upstream.Canceled)
	case errors.As(r.err, &e):
		return string(e.Kind)
	}
	return string(LocalFailed)
}

func (c *Core) reference() price.Price {
	if u := c.Upstreams[c.Reference]; u != nil {
		return u.Price()
	}
	return price.Price{}
}

// enter writes the ledger.
func (c *Core) enter(d Decision, usage price.Usage, cost, saved price.Money, bound bool, failed string) {
	if c.Ledger == nil {
		return
	}
	c.report(c.Ledger.Add(ledger.Entry{
		Model: cmp.Or(d.Model, "none"), Decision: cmp.Or(string(d.Outcome), "none"), Reason: string(d.Reason),
		Usage: usage, Bound: bound, Cost: cost, Saved: saved, Failed: failed,
	}))
}
