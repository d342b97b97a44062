package policy_test

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/cascade"
	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

var hard = policy.Choice{Model: "big", Reason: policy.AboveThreshold, Confidence: 0.8, Threshold: 0.4, Signals: map[string]float64{"shape": 0.3}}

func TestLocalAnswer(t *testing.T) {
	f := play(t, answer)
	c := core(t, f)
	run, err := c.Start(t.Context(), ask("hi", true), policy.Choice{Model: "small", Reason: policy.BelowThreshold})
	require.NoError(t, err)
	first, ok := run.Next()
	require.True(t, ok)
	require.Equal(t, policy.Event{Text: "small ", LogProb: -0.1, Scored: true, Data: "small "}, first, "as the model gave it")
	text, err := all(run)
	require.NoError(t, err)
	require.Equal(t, "answer", text)
	require.Equal(t, policy.Decision{Model: "small", Outcome: policy.AnsweredHere, Reason: policy.BelowThreshold, Asked: "small"}, run.Decision())
	require.Zero(t, f.in.bytes.Load())
	p := c.Upstreams["big"].Price()
	require.Equal(t, ledger.Sums{Requests: 1, Usage: price.Usage{In: 7, Out: 2}, Saved: p.Cost(price.Usage{In: 7, Out: 2})}, c.Ledger.Snapshot().Models["small"]["local"])
}

func TestEscalation(t *testing.T) {
	for _, stream := range []bool{true, false} {
		f := play(t, answer)
		c := core(t, f)
		b, err := budget.New(budget.Options{Share: 1, Day: price.One})
		require.NoError(t, err)
		c.Budget = b
		run, err := c.Start(t.Context(), ask("hi", stream), hard)
		require.NoError(t, err)
		require.Positive(t, b.State().Reserved)
		n := 0
		for e, ok := run.Next(); ok; e, ok = run.Next() {
			require.True(t, json.Valid(e.Raw))
			n++
		}
		require.Equal(t, map[bool]int{true: 3, false: 1}[stream], n)
		run.Close()
		run.Close()
		d := run.Decision()
		require.Equal(t, "big", d.Model)
		require.Equal(t, policy.Escalated, d.Outcome)
		require.Equal(t, policy.AboveThreshold, d.Reason)
		require.Equal(t, hard.Signals, d.Signals)
		require.Equal(t, guard.ReasonClean, d.Guard.Reason)
		cost := c.Upstreams["big"].Price().Cost(price.Usage{In: 10, Out: 2})
		s := b.State()
		require.Equal(t, cost, s.Spent)
		require.Zero(t, s.Reserved)
		require.EqualValues(t, 1, s.Requests)
		require.Equal(t, ledger.Sums{Requests: 1, Usage: price.Usage{In: 10, Out: 2}, Cost: cost}, c.Ledger.Snapshot().Models["big"]["escalated"])
	}
}

func TestFailureBeforeTheFirstEventFallsBack(t *testing.T) {
	for _, stream := range []bool{true, false} {
		for kind, h := range map[upstream.Kind]func(*fake){
			upstream.ServerError: func(f *fake) { f.set(status(500)) },
			upstream.RateLimited: func(f *fake) { f.set(status(429)) },
			upstream.Rejected:    func(f *fake) { f.set(status(400)) },
			upstream.Refused:     func(f *fake) { f.Close() },
			upstream.BadAnswer:   func(f *fake) { f.set(status(200)) },
		} {
			f := play(t, answer)
			c := core(t, f)
			b, _ := budget.New(budget.Options{Share: 1, Day: price.One})
			c.Budget = b
			h(f)
			run, err := c.Start(t.Context(), ask("hi", stream), hard)
			require.NoError(t, err, kind)
			text, err := all(run)
			require.NoError(t, err)
			require.Equal(t, "small answer", text)
			d := run.Decision()
			require.Equal(t, policy.FellBack, d.Outcome)
			require.Equal(t, policy.UpstreamFailed, d.Reason)
			require.Equal(t, "big", d.Asked)
			require.Equal(t, []policy.Try{{Model: "big", Reason: policy.UpstreamFailed, Error: string(kind)}}, d.Tried)
			s := b.State()
			require.EqualValues(t, 1, s.Requests)
			require.Zero(t, s.Reserved)
			require.EqualValues(t, map[bool]int64{true: 0, false: 1}[kind == upstream.Refused], s.Taken, "what was sent keeps its place: %s", kind)
			require.Equal(t, kind == upstream.BadAnswer, s.Spent > 0, "what it may charge for is paid: %s", kind)
			require.EqualValues(t, 1, c.Ledger.Snapshot().Models["small"]["fallback"].Requests)
		}
	}
}

func TestFallbacksInTheirOrder(t *testing.T) {
	f, g := play(t, status(500)), play(t, answer)
	c := core(t, f)
	c.Upstreams["second"] = g.up(t, "second", nil)
	c.Locals["broken"], c.Locals["panics"] = fails(), policy.LocalFunc(panics)
	choice := hard
	choice.Fallbacks = []string{"big", "nowhere", "broken", "panics", "second", "other"}
	run, err := c.Start(t.Context(), ask("hi", true), choice)
	require.NoError(t, err)
	text, err := all(run)
	require.NoError(t, err)
	require.Equal(t, "big answer", text)
	d := run.Decision()
	require.Equal(t, "second", d.Model)
	require.Equal(t, policy.FellBack, d.Outcome)
	require.Equal(t, []policy.Try{
		{"big", policy.UpstreamFailed, "server_error"}, {"nowhere", policy.RouterFailed, ""}, {"broken", policy.LocalFailed, ""}, {"panics", policy.LocalFailed, ""},
	}, d.Tried)
	require.EqualValues(t, 1, f.requests.Load())
}

// After the first event nothing is mixed into an answer that breaks.
func TestBrokenStreamEndsWithItsError(t *testing.T) {
	f := play(t, cut)
	c := core(t, f)
	b, _ := budget.New(budget.Options{Share: 1, Day: price.One})
	c.Budget = b
	run, err := c.Start(t.Context(), ask("hi", true), hard)
	require.NoError(t, err)
	text, err := all(run)
	require.Equal(t, "big ", text)
	var e *upstream.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, upstream.Broken, e.Kind)
	require.Equal(t, "big ", e.Received)
	_, ok := run.Next()
	require.False(t, ok)
	require.Zero(t, b.State().Reserved)
	require.Positive(t, b.State().Spent, "what it did not say is paid at its worst")
	sums := c.Ledger.Snapshot().Models["big"]["escalated"]
	require.EqualValues(t, 1, sums.Failed)
	require.Equal(t, b.State().Spent, sums.Cost)
}

func TestClientLeavesInMidStream(t *testing.T) {
	left := make(chan bool)
	f := play(t, nil)
	f.set(func(w http.ResponseWriter, r *http.Request) {
		events(w, chunk("big ", ""))
		<-r.Context().Done()
		close(left)
	})
	c := core(t, f)
	b, _ := budget.New(budget.Options{Share: 1, Day: price.One})
	c.Budget = b
	ctx, cancel := context.WithCancel(t.Context())
	run, err := c.Start(ctx, ask("hi", true), hard)
	require.NoError(t, err)
	cancel()
	for _, ok := run.Next(); ok; _, ok = run.Next() {
	}
	require.ErrorIs(t, run.Err(), context.Canceled)
	run.Close()
	<-left
	require.Zero(t, b.State().Open)
	require.EqualValues(t, 1, c.Ledger.Snapshot().Total.Failed)

	_, err = c.Start(ctx, ask("hi", true), hard)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 1, f.requests.Load(), "nobody waits for an answer, so none is asked for")
}

func TestBudgetKeepsRequestsHere(t *testing.T) {
	f := play(t, answer)
	c := core(t, f)
	b, _ := budget.New(budget.Options{Share: 0.2})
	c.Budget = b
	byReason := map[policy.Reason]int{}
	for range 10 {
		run, err := c.Start(t.Context(), ask("hi", false), hard)
		require.NoError(t, err)
		_, err = all(run)
		require.NoError(t, err)
		byReason[run.Decision().Reason]++
		require.Equal(t, run.Decision().Reason == policy.BudgetShare, run.Decision().Outcome == policy.AnsweredHere, "not a failure")
	}
	require.Equal(t, map[policy.Reason]int{policy.AboveThreshold: 3, policy.BudgetShare: 7}, byReason)
	require.EqualValues(t, 3, f.requests.Load())
	require.EqualValues(t, 10, b.State().Requests)

	require.NoError(t, b.Update(budget.Options{Share: 1, Day: 5}))
	run, err := c.Start(t.Context(), ask("hi", false), hard)
	require.NoError(t, err)
	run.Close()
	require.Equal(t, policy.BudgetMoney, run.Decision().Reason)
}

func TestCheaperUpstreamWithinTheMoney(t *testing.T) {
	f, g := play(t, answer), play(t, answer)
	c := core(t, f)
	c.Upstreams["cheap"] = g.up(t, "cheap", func(o *upstream.Options) { o.Price = price.Price{In: 1, Out: 1} })
	b, _ := budget.New(budget.Options{Share: 1, Day: 1e6})
	c.Budget = b
	choice := hard
	choice.Fallbacks = []string{"cheap"}
	run, err := c.Start(t.Context(), ask("hi", false), choice)
	require.NoError(t, err)
	run.Close()
	d := run.Decision()
	require.Equal(t, "cheap", d.Model)
	require.Equal(t, policy.Escalated, d.Outcome, "no failure")
	require.Equal(t, []policy.Try{{Model: "big", Reason: policy.BudgetMoney}}, d.Tried)
	require.EqualValues(t, 1, b.State().Requests)
	require.Zero(t, f.requests.Load())
	require.NoError(t, b.Update(budget.Options{Share: 1, Day: 1}))
	run, err = c.Start(t.Context(), ask("hi", false), choice)
	require.NoError(t, err)
	run.Close()
	require.Equal(t, "small", run.Decision().Model)
	require.Equal(t, policy.BudgetMoney, run.Decision().Reason)
	require.EqualValues(t, 2, b.State().Requests)
}

func TestCoolingIsSkippedWithoutBudget(t *testing.T) {
	f := play(t, status(500))
	c := core(t, f)
	now := clock.NewFake(time.Now())
	c.Upstreams["big"] = f.up(t, "big", func(o *upstream.Options) { o.CooldownAfter, o.Clock = 1, now })
	b, _ := budget.New(budget.Options{Share: 1})
	c.Budget = b
	for n, want := range []policy.Reason{policy.UpstreamFailed, policy.UpstreamCooling} {
		run, err := c.Start(t.Context(), ask("hi", false), hard)
		require.NoError(t, err)
		run.Close()
		require.Equal(t, want, run.Decision().Reason)
		require.EqualValues(t, 1, b.State().Taken)
		require.EqualValues(t, n+1, b.State().Requests)
	}
	require.EqualValues(t, 1, f.requests.Load())
}

func TestRouters(t *testing.T) {
	f := play(t, answer)
	c := core(t, f)
	var reported []error
	c.Report = func(err error) { reported = append(reported, err) }
	broken := errors.New("no encoder")
	for _, w := range []struct {
		choose func(context.Context, policy.Request) (policy.Choice, error)
		model  string
		reason policy.Reason
		out    policy.Outcome
	}{
		{func(context.Context, policy.Request) (policy.Choice, error) { return hard, nil }, "big", policy.AboveThreshold, policy.Escalated},
		{func(context.Context, policy.Request) (policy.Choice, error) {
			return policy.Choice{Model: "other", Reason: policy.NoMatch}, nil
		}, "other", policy.NoMatch, policy.AnsweredHere},
		{func(context.Context, policy.Request) (policy.Choice, error) { return hard, broken }, "small", policy.RouterFailed, policy.FellBack},
		{func(context.Context, policy.Request) (policy.Choice, error) { panic("router") }, "small", policy.RouterFailed, policy.FellBack},
		{func(context.Context, policy.Request) (policy.Choice, error) {
			return policy.Choice{Model: "nowhere"}, nil
		}, "small", policy.RouterFailed, policy.FellBack},
		{func(context.Context, policy.Request) (policy.Choice, error) { return policy.Choice{}, nil }, "small", policy.Default, policy.AnsweredHere},
	} {
		run, err := c.StartWith(t.Context(), ask("hi", true), w.choose)
		require.NoError(t, err)
		_, err = all(run)
		require.NoError(t, err)
		d := run.Decision()
		require.Equal(t, []any{w.model, w.reason, w.out}, []any{d.Model, d.Reason, d.Outcome})
	}
	require.Len(t, reported, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.StartWith(ctx, ask("hi", true), func(ctx context.Context, _ policy.Request) (policy.Choice, error) { return policy.Choice{}, ctx.Err() })
	require.ErrorIs(t, err, context.Canceled)
}

func TestNobodyAnswers(t *testing.T) {
	f := play(t, status(500))
	c := core(t, f)
	c.Locals = map[string]policy.Local{"small": fails()}
	b, _ := budget.New(budget.Options{Share: 1})
	c.Budget = b
	_, err := c.Start(t.Context(), ask("hi", true), hard)
	var failed *policy.Failed
	require.ErrorAs(t, err, &failed)
	require.ErrorIs(t, err, errLocal)
	require.Len(t, failed.Decision.Tried, 2)
	require.Zero(t, b.State().Open)
	require.EqualValues(t, 1, b.State().Requests)
	require.EqualValues(t, 1, c.Ledger.Snapshot().Models["none"]["none"].Failed)
	_, err = (&policy.Core{}).Start(t.Context(), ask("hi", true), policy.Choice{})
	require.ErrorIs(t, err, policy.ErrNoModel)
}

func TestLocalFailsInMidStream(t *testing.T) {
	c := core(t, play(t, answer))
	c.Locals["small"] = fails("half ")
	run, err := c.Start(t.Context(), ask("hi", true), policy.Choice{Model: "small"})
	require.NoError(t, err)
	text, err := all(run)
	require.Equal(t, "half ", text)
	require.ErrorIs(t, err, errLocal)
	require.EqualValues(t, 1, c.Ledger.Snapshot().Total.Failed)
}

func TestALedgerThatCannotBeWritten(t *testing.T) {
	c := core(t, play(t, answer))
	var reported error
	c.Report = func(err error) { reported = err }
	c.Locals["a name that is far too long for a ledger "+string(make([]byte, 200))] = tokens(0, "x")
	for name := range c.Locals {
		run, err := c.Start(t.Context(), ask("hi", true), policy.Choice{Model: name})
		require.NoError(t, err)
		_, err = all(run)
		require.NoError(t, err)
	}
	require.ErrorIs(t, reported, ledger.ErrEntry)
}

func cascadeOf(t *testing.T, threshold float64, first int) policy.Choice {
	cas, err := cascade.New(cascade.Options{Threshold: threshold, First: first})
	require.NoError(t, err)
	return policy.Choice{Model: "big", Local: "small", Cascade: cas}
}

func TestCascade(t *testing.T) {
	for name, w := range map[string]struct {
		logProb float64
		first   int
		part    func(*fake)
		share   float64
		text    string
		reason  policy.Reason
		outcome policy.Outcome
	}{
		"sure":                       {-0.2, 0, nil, 1, "small answer", policy.CascadeConfident, policy.AnsweredHere},
		"sure by its first token":    {-0.2, 1, nil, 1, "small answer", policy.CascadeConfident, policy.AnsweredHere},
		"unsure":                     {-2, 0, nil, 1, "big answer", policy.CascadeUnsure, policy.Escalated},
		"unsure by its first token":  {-2, 1, nil, 1, "big answer", policy.CascadeUnsure, policy.Escalated},
		"no number":                  {math.NaN(), 0, nil, 1, "big answer", policy.CascadeUnsure, policy.Escalated},
		"unsure, but no budget":      {-2, 0, nil, 0, "small answer", policy.BudgetShare, policy.AnsweredHere},
		"unsure, upstream fails":     {-2, 0, func(f *fake) { f.set(status(500)) }, 1, "small answer", policy.UpstreamFailed, policy.FellBack},
		"unsure at once, it fails":   {-2, 1, func(f *fake) { f.set(status(500)) }, 1, "small answer", policy.UpstreamFailed, policy.FellBack},
		"unsure, upstream is closed": {-2, 1, func(f *fake) { f.Close() }, 1, "small answer", policy.UpstreamFailed, policy.FellBack},
	} {
		t.Run(name, func(t *testing.T) {
			for _, stream := range []bool{true, false} {
				f := play(t, answer)
				if w.part != nil {
					w.part(f)
				}
				c := core(t, f)
				b, _ := budget.New(budget.Options{Share: w.share})
				c.Budget = b
				c.Locals["small"] = tokens(w.logProb, "small ", "answer")
				run, err := c.Start(t.Context(), ask("hi", stream), cascadeOf(t, -1, w.first))
				require.NoError(t, err)
				text, err := all(run)
				require.NoError(t, err)
				require.Equal(t, w.text, text, "one answer, whole, unmixed")
				d := run.Decision()
				require.Equal(t, w.reason, d.Reason)
				require.Equal(t, w.outcome, d.Outcome)
				require.Equal(t, -1.0, d.Threshold)
				if !math.IsNaN(w.logProb) {
					require.InDelta(t, w.logProb, *d.Score, 1e-12)
				}
				_, err = json.Marshal(d)
				require.NoError(t, err)
				require.EqualValues(t, 1, b.State().Requests)
				require.Zero(t, b.State().Open)
			}
		})
	}
}

// A kept answer streams once its first tokens are judged: the model has not been read further than that.
func TestCascadeStreamsAfterItsFirstTokens(t *testing.T) {
	c := core(t, play(t, answer))
	read := 0
	c.Locals["small"] = policy.LocalFunc(func(context.Context, policy.Request) iter.Seq2[policy.Event, error] {
		return func(yield func(policy.Event, error) bool) {
			for range 100 {
				read++
				if !yield(policy.Event{Text: "x", Scored: true}, nil) {
					return
				}
			}
		}
	})
	run, err := c.Start(t.Context(), ask("hi", true), cascadeOf(t, -1, 3))
	require.NoError(t, err)
	require.Equal(t, 3, read)
	for n := range 10 {
		_, ok := run.Next()
		require.True(t, ok)
		require.Equal(t, max(3, n+1), read)
	}
	run.Close()
	usage, said := run.Usage()
	require.False(t, said)
	require.EqualValues(t, 10, usage.Out)
}

// An answer of which the guard says that it stays is not judged: it streams as it comes.
func TestCascadeOfAPrivateRequest(t *testing.T) {
	f := play(t, answer)
	c := core(t, f)
	c.Locals["small"] = tokens(-9, "small ", "answer")
	run, err := c.Start(t.Context(), ask("mail a@b.de", true), cascadeOf(t, -1, 0))
	require.NoError(t, err)
	text, err := all(run)
	require.NoError(t, err)
	require.Equal(t, "small answer", text)
	require.Equal(t, policy.Private, run.Decision().Reason)
	require.Zero(t, f.in.bytes.Load())
}

func TestCascadeOfAModelThatFails(t *testing.T) {
	for _, broken := range []policy.LocalFunc{fails(), fails("half "), panics} {
		f := play(t, answer)
		c := core(t, f)
		c.Locals["small"] = broken
		run, err := c.Start(t.Context(), ask("hi", true), cascadeOf(t, -1, 0))
		require.NoError(t, err)
		text, err := all(run)
		require.NoError(t, err)
		require.Equal(t, "big answer", text)
		require.Equal(t, policy.FellBack, run.Decision().Outcome)
	}
}

func TestRedactedRequestLeavesWithoutWhatWasFound(t *testing.T) {
	f := play(t, answer)
	c := core(t, f)
	c.Guard = open(t, guard.ModeRedact)
	run, err := c.Start(t.Context(), ask("mail a@b.de", true), hard)
	require.NoError(t, err)
	run.Close()
	require.Equal(t, guard.ReasonRedacted, run.Decision().Guard.Reason)
	require.Contains(t, f.bodies[0], "[EMAIL]")
	require.NotContains(t, f.bodies[0], "a@b.de")
}

func TestReasonsAreClosed(t *testing.T) {
	seen := map[policy.Reason]bool{}
	for _, r := range policy.Reasons() {
		require.False(t, seen[r])
		seen[r] = true
	}
	require.Len(t, policy.Outcomes(), 3)
}
