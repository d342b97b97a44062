package policy

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/cascade"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

// start is a request that no model answers yet.
type start struct {
	c       *Core
	ctx     context.Context
	req     Request
	choice  Choice
	d       Decision
	cleared guard.Cleared
	ticket  *budget.Ticket
	counted bool   // in the budget
	refused Reason // by the budget
	sent    bool   // to an upstream
	charged price.Money
	bound   bool  // charged is a bound
	err     error // of the last model
}

// StartWith lets a router choose and carries the choice out. A router that fails or panics leaves the request to Core.Fallback: that
// is another thing than a router that finds no match.
func (c *Core) StartWith(ctx context.Context, r Request, choose func(context.Context, Request) (Choice, error)) (*Run, error) {
	choice, err := safely(ctx, r, choose)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c.report(err)
		choice = Choice{Model: c.Fallback, Reason: RouterFailed}
	}
	return c.Start(ctx, r, choice)
}

var errRouter = errors.New("the router panicked")

func safely(ctx context.Context, r Request, choose func(context.Context, Request) (Choice, error)) (choice Choice, err error) {
	defer func() {
		if recover() != nil {
			err = errRouter
		}
	}()
	return choose(ctx, r)
}

func (c *Core) report(err error) {
	if c.Report != nil && err != nil {
		c.Report(err)
	}
}

// Start carries out a choice. It returns once the first event is there, so that the Decision is final. The error is a
// *Failed, or that of ctx. The Run must be closed.
func (c *Core) Start(ctx context.Context, r Request, choice Choice) (*Run, error) {
	s := &start{c: c, ctx: ctx, req: r, choice: choice}
	s.d = Decision{Confidence: choice.Confidence, Threshold: choice.Threshold, Reason: cmp.Or(choice.Reason, Default), Signals: choice.Signals, Asked: choice.Model}
	if choice.Cascade != nil {
		if run := s.cascade(); run != nil {
			return run, nil
		}
	}
	for _, name := range s.chain() {
		if ctx.Err() != nil {
			break
		}
		if run := s.ask(name); run != nil {
			return run, nil
		}
	}
	return nil, s.failed()
}

// chain are the models to ask, each once.
func (s *start) chain() (names []string) {
	for _, name := range slices.Concat([]string{s.choice.Model}, s.choice.Fallbacks, []string{s.c.Fallback}) {
		tried := slices.ContainsFunc(s.d.Tried, func(t Try) bool { return t.Model == name })
		if name != "" && !tried && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// ask lets one model answer; nil: it does not, and why is noted.
func (s *start) ask(name string) *Run {
	if l, ok := s.c.Locals[name]; ok {
		return s.askLocal(name, l)
	}
	if u, ok := s.c.Upstreams[name]; ok {
		return s.askUpstream(name, u)
	}
	s.refuse(name, RouterFailed, ErrNoModel)
	return nil
}

// refuse notes that a model does not answer. The reason stands in the place of the router's.
func (s *start) refuse(name string, r Reason, err error) {
	t := Try{Model: name, Reason: r}
	var e *upstream.Error
	if errors.As(err, &e) {
		t.Error = string(e.Kind)
	}
	s.d.Tried = append(s.d.Tried, t)
	s.d.Reason, s.err = r, err
}

func (s *start) askLocal(name string, l Local) *Run {
	src := openLocal(s.ctx, l, s.req)
	if _, _, err := src.ahead(); err != nil {
		src.close()
		s.refuse(name, LocalFailed, err)
		return nil
	}
	return s.answeredHere(name, src)
}

func (s *start) askUpstream(name string, u *upstream.Upstream) *Run {
	if r := s.mayLeave(); r != "" {
		s.refuse(name, r, ErrNoModel)
		return nil
	}
	if _, cooling := u.Cooling(); cooling {
		s.refuse(name, UpstreamCooling, &upstream.Error{Upstream: name, Kind: upstream.Cooling})
		return nil
	}
	worst, _, bounded := u.Worst(s.cleared)
	if r := s.reserve(worst, bounded); r != "" {
		s.refuse(name, r, ErrNoModel)
		return nil
	}
	src, err := s.call(u)
	if err != nil {
		s.note(worst, err)
		r := UpstreamFailed
		if e := (*upstream.Error)(nil); errors.As(err, &e) && e.Kind == upstream.Cooling {
			r = UpstreamCooling
		}
		s.refuse(name, r, err)
		return nil
	}
	s.sent = true
	return s.run(name, src, &metered{u.Price(), worst})
}

// mayLeave says why the request must stay; nothing: it may go.
func (s *start) mayLeave() Reason {
	if s.req.LocalOnly {
		return LocalOnly
	}
	if s.d.Guard == nil {
		v := s.screen()
		s.d.Guard, s.cleared = &v.Decision, v.Cleared
	}
	switch {
	case s.cleared.OK() && !s.d.Guard.LocalOnly:
		return ""
	case s.d.Guard.Reason == guard.ReasonFound:
		return Private
	}
	s.cleared = guard.Cleared{}
	return GuardFailed
}

func (s *start) screen() (v guard.Verdict) {
	broken := guard.Verdict{Decision: guard.Decision{LocalOnly: true, Reason: guard.ReasonFailed}}
	defer func() {
		if recover() != nil {
			v = broken
		}
	}()
	if s.c.Guard == nil {
		return broken
	}
	return s.c.Guard.Screen(s.ctx, s.req.Body)
}

// reserve takes what the request may cost from the budget.
func (s *start) reserve(worst price.Money, bounded bool) Reason {
	if s.c.Budget == nil {
		return ""
	}
	if !bounded {
		worst = budget.Unbounded
	}
	if s.ticket != nil {
		if !s.ticket.More(worst) {
			return BudgetMoney
		}
		return ""
	}
	if s.counted {
		return s.refused
	}
	if !s.c.Budget.Affords(worst) {
		return BudgetMoney // not counted yet: the chain may hold a cheaper one
	}
	var refusal budget.Refusal
	s.ticket, refusal = s.c.Budget.Take(worst)
	s.counted = true
	s.refused = map[budget.Refusal]Reason{budget.Share: BudgetShare, budget.Money: BudgetMoney}[refusal]
	return s.refused
}

func (s *start) call(u *upstream.Upstream) (source, error) {
	if !s.req.Stream {
		a, err := u.Complete(s.ctx, s.cleared)
		if err != nil {
			return nil, err
		}
		return &wholeSource{a: a}, nil
	}
	st, err := u.Stream(s.ctx, s.cleared)
	if err != nil {
		return nil, err
	}
	return streamSource{st}, nil
}

// note keeps what a failed call has cost.
func (s *start) note(worst price.Money, err error) {
	var e *upstream.Error
	if !errors.As(err, &e) {
		return
	}
	s.sent = s.sent || e.Sent
	if e.Charged {
		s.charged, s.bound = s.charged.Plus(worst), true
	}
}

// cascade lets the local model answer and judges it; nil: it fails, and the chain is to be asked.
func (s *start) cascade() *Run {
	l, ok := s.c.Locals[s.choice.Local]
	u, elsewhere := s.c.Upstreams[s.choice.Model]
	if !ok || !elsewhere {
		return nil
	}
	if r := s.mayLeave(); r != "" { // nothing to judge: it answers as it comes
		s.d.Reason = r
		return s.askLocal(s.choice.Local, l)
	}
	src := openLocal(s.ctx, l, s.req)
	verdict, err := s.judge(src)
	if err != nil {
		src.close()
		s.refuse(s.choice.Local, LocalFailed, err)
		return nil
	}
	if verdict == cascade.Keep {
		s.d.Reason = CascadeConfident
		return s.answeredHere(s.choice.Local, src)
	}
	s.d.Reason = CascadeUnsure
	if run := s.askUpstream(s.choice.Model, u); run != nil {
		src.close()
		return run
	}
	return s.answeredHere(s.choice.Local, src)
}

// judge reads the local answer until there is a verdict.
func (s *start) judge(src *localSource) (cascade.Verdict, error) {
	j := s.choice.Cascade.Judge()
	verdict := cascade.Undecided
	for verdict == cascade.Undecided {
		e, ok, err := src.ahead()
		if err != nil {
			return 0, err
		}
		if !ok {
			verdict = j.Done()
		} else if e.Scored {
			verdict = j.Add(e.LogProb)
		}
	}
	s.d.Threshold = s.choice.Cascade.Threshold()
	if score := j.Score(); !math.IsNaN(score) && !math.IsInf(score, 0) {
		s.d.Score = &score
	}
	return verdict, nil
}

// answeredHere ends the search with a local answer.
func (s *start) answeredHere(name string, src *localSource) *Run {
	s.settle()
	return s.run(name, src, nil)
}

// settle ends the ticket of a request that no upstream answers.
func (s *start) settle() {
	switch {
	case s.sent:
		s.ticket.Settle(s.charged)
	default:
		s.ticket.Release()
	}
	if !s.counted && s.c.Budget != nil {
		s.c.Budget.Count()
		s.counted = true
	}
	s.ticket = nil
}

// run makes the answer.
func (s *start) run(name string, src source, m *metered) *Run {
	s.d.Model, s.d.Outcome = name, AnsweredHere
	if m != nil {
		s.d.Outcome = Escalated
	}
	failed := func(t Try) bool {
		return t.Reason == UpstreamFailed || t.Reason == UpstreamCooling || t.Reason == LocalFailed || t.Reason == RouterFailed
	}
	if slices.ContainsFunc(s.d.Tried, failed) || s.d.Reason == RouterFailed {
		s.d.Outcome = FellBack
	}
	return &Run{c: s.c, d: s.d, src: src, m: m, ticket: s.ticket, charged: s.charged, bound: s.bound}
}

// failed ends a request that no model answers.
func (s *start) failed() error {
	if s.err == nil {
		s.err = ErrNoModel
	}
	s.settle()
	if err := s.ctx.Err(); err != nil {
		s.err = err
	}
	s.c.enter(s.d, price.Usage{}, s.charged, 0, s.bound, "no_answer")
	return &Failed{s.d, s.err}
}
