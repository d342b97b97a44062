package policy_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/cascade"
	"github.com/seed2fbf7788/switchyard/route/clock"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/route/upstream"
)

// marker is in every private request, as its address or in a word of the user's list; it must not be found elsewhere.
const marker = "zyxmarker"

// privateBodies hold something private in many places; %s is another text each time.
var privateBodies = []string{
	`{"messages":[{"role":"user","content":"%s write to zyxmarker@example.org"}]}`,
	`{"messages":[{"role":"user","content":"%s"},{"role":"user","name":"zyxmarker@example.org","content":"hi"}],"stream":true}`,
	`{"messages":[{"role":"user","content":[{"type":"text","text":"%s zyxmarker@"},{"type":"text","text":"example.org"}]}]}`,
	`{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"a\":\"%s zyxmarker\\u0040example.org\"}"}}]}]}`,
	`{"messages":[{"role":"user","content":"%s zyxmarker DE89 3704 0044 0532 0130 00"}]}`,
	`{"messages":[{"role":"user","content":"%s zyxmarker 4111 1111 1111 1111"}]}`,
	`{"messages":[{"role":"user","content":"%s zyxmarker ４１１１１１１１１１１１１１１１"}]}`,
	`{"messages":[{"role":"user","content":"%s zyxmarker call +49 30 901820"}]}`,
	`{"messages":[{"role":"system","content":"zyxmarker key sk-abcdefghijklmnopqrstuvwx1234"},{"role":"user","content":"%s"}]}`,
	`{"messages":[{"role":"user","content":"%s of ZYXMARKER Heron"}]}`,
	`{"messages":[{"role":"user","content":"%s"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"zyxmarker@example.org":{}}}}}]}`,
	`{"messages":[{"role":"user","content":"%s zyxmarker"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.org/i.png"}}]}]}`,
	`{"messages":[{"role":"user","content":"%s zyxmarker"}]} trailing`,
	"{\"messages\":[{\"role\":\"user\",\"content\":\"%s zyxmarker \xff\"}]}",
}

const cleanBody = `{"messages":[{"role":"user","content":"%s"}]}`

type broken struct{}

func (broken) Screen(context.Context, []byte) guard.Verdict { panic("guard") }

// careless says that a request may leave, but has cleared nothing.
type careless struct{}

func (careless) Screen(context.Context, []byte) guard.Verdict {
	return guard.Verdict{Decision: guard.Decision{Reason: guard.ReasonClean}}
}

// faults makes cores in which anything may be broken.
type faults struct {
	t      *testing.T
	r      *rand.Rand
	big    []*upstream.Upstream
	guards []policy.Screener
	lost   *ledger.Ledger // cannot be written
}

func newFaults(t *testing.T, r *rand.Rand, big []*upstream.Upstream) *faults {
	words := guard.New(guard.Options{Words: []string{"zyxmarker heron"}})
	working := func(m guard.Mode, timeout time.Duration) *guard.Policy {
		p, err := guard.NewPolicy(words, guard.PolicyOptions{Mode: m, Timeout: timeout})
		require.NoError(t, err)
		return p
	}
	lost, err := ledger.Open(filepath.Join(t.TempDir(), "ledger"), ledger.Options{})
	require.NoError(t, err)
	ok := working(guard.ModeLocalOnly, time.Minute)
	return &faults{t, r, big, []policy.Screener{ok, ok, ok, broken{}, careless{}, nil, (*guard.Policy)(nil), &guard.Policy{}, working(guard.ModeLocalOnly, 1)}, lost}
}

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

func (f *faults) core() *policy.Core {
	share, err := budget.New(budget.Options{Share: pick(f.r, 0, 0.2, 1)})
	require.NoError(f.t, err)
	local := func() policy.Local {
		unsure := tokens(-9, "small ", "answer")
		return pick[policy.Local](f.r, unsure, unsure, unsure, tokens(-0.01, "sure"), fails(), fails("half "), policy.LocalFunc(panics))
	}
	c := &policy.Core{
		Locals: map[string]policy.Local{"small": local(), "other": local()}, Upstreams: map[string]*upstream.Upstream{},
		Guard: pick(f.r, f.guards...), Budget: pick(f.r, share, nil), Ledger: pick(f.r, f.lost, nil),
		Fallback: pick(f.r, "small", "big", "small", "other", "nowhere", ""), Reference: "big",
	}
	for i, name := range []string{"big", "second", "third"} {
		c.Upstreams[name] = f.big[(i+f.r.IntN(len(f.big)))%len(f.big)]
	}
	return c
}

func (f *faults) choose(ctx context.Context, _ policy.Request) (policy.Choice, error) {
	cas, err := cascade.New(cascade.Options{Threshold: -1, First: f.r.IntN(3)})
	require.NoError(f.t, err)
	name := func() string { return pick(f.r, "big", "second", "third", "small", "other", "nowhere") }
	switch f.r.IntN(8) {
	case 0:
		return policy.Choice{}, errors.New("router")
	case 1:
		panic("router")
	case 2, 3:
		return policy.Choice{Model: name(), Local: name(), Cascade: cas, Fallbacks: []string{name(), name()}}, nil
	}
	return policy.Choice{Model: pick(f.r, "big", name()), Fallbacks: []string{name(), name(), name()}}, nil
}

// run carries one request out, sometimes leaving early.
func (f *faults) run(c *policy.Core, req policy.Request) (policy.Decision, error) {
	ctx, cancel := context.WithCancel(f.t.Context())
	defer cancel()
	run, err := c.StartWith(ctx, req, f.choose)
	if err != nil {
		return policy.Decision{}, err
	}
	defer run.Close()
	leave := f.r.IntN(10)
	for n := 0; ; n++ {
		if n == leave {
			cancel()
		}
		if _, ok := run.Next(); !ok {
			return run.Decision(), run.Err()
		}
	}
}

func (f *faults) request(template string) policy.Request {
	text := pick(f.r, "hello", "What is a router?", "func main() {", strings.Repeat("words ", 1+f.r.IntN(50)))
	return policy.Request{Body: []byte(fmt.Sprintf(template, text)), Stream: f.r.IntN(2) == 0}
}

// badly are parts that an upstream plays.
func badly(elsewhere string) []http.HandlerFunc {
	return []http.HandlerFunc{
		answer, status(500), status(429), cut, status(204),
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
		},
	}
}

// upstreams play every part; they retry at once.
func playAll(t *testing.T) (fakes []*fake, ups []*upstream.Upstream) {
	elsewhere := play(t, answer)
	fakes = []*fake{elsewhere}
	for _, h := range badly(elsewhere.URL) {
		f := play(t, h)
		fakes = append(fakes, f)
		ups = append(ups, f.up(t, "big", func(o *upstream.Options) { o.Retries, o.Backoff, o.Clock = 2, time.Microsecond, clock.System{} }))
	}
	return fakes, ups
}

// Ten thousand private requests with anything broken that can be: not one byte reaches an upstream.
func TestGuardedRequestsNeverLeave(t *testing.T) {
	fakes, ups := playAll(t)
	const workers, each = 4, 2500
	var wait sync.WaitGroup
	outcomes := make([]map[string]int, workers)
	for w := range workers {
		f := newFaults(t, rand.New(rand.NewPCG(uint64(w), 9)), ups)
		outcomes[w] = map[string]int{}
		wait.Go(func() {
			for range each {
				c, req := f.core(), f.request(pick(f.r, privateBodies...))
				if f.r.IntN(4) == 0 { // the route says that it stays, and the guard is off or broken
					req, req.LocalOnly = f.request(cleanBody), true
					c.Guard = pick[policy.Screener](f.r, open(t, guard.ModeOff), c.Guard)
				}
				d, err := f.run(c, req)
				switch {
				case err != nil:
					outcomes[w]["error"]++
				default:
					outcomes[w][string(d.Reason)]++
				}
				if c.Upstreams[d.Model] != nil || d.Outcome == policy.Escalated {
					t.Errorf("left: %+v", d)
				}
			}
		})
	}
	wait.Wait()
	for _, f := range fakes {
		require.Zero(t, f.in.bytes.Load(), "bytes at an upstream")
		require.Zero(t, f.requests.Load())
	}
	for _, reason := range []policy.Reason{policy.Private, policy.GuardFailed, policy.LocalOnly, policy.RouterFailed, policy.LocalFailed, "error"} {
		require.Greater(t, outcomes[0][string(reason)], 5, "%s was played: %v", reason, outcomes[0])
	}
	t.Log(outcomes[0])
}

// The same with clean requests among them: those reach the upstreams, and nothing of the others does.
func TestCleanRequestsLeaveAndCarryNothingOfTheOthers(t *testing.T) {
	fakes, ups := playAll(t)
	var wait sync.WaitGroup
	for w := range 4 {
		f := newFaults(t, rand.New(rand.NewPCG(uint64(w), 10)), ups)
		wait.Go(func() {
			c := f.core()
			for n := range 500 {
				if n%20 == 0 {
					c = f.core()
				}
				f.run(c, f.request(pick(f.r, pick(f.r, privateBodies...), cleanBody)))
			}
		})
	}
	wait.Wait()
	require.Zero(t, fakes[0].in.bytes.Load(), "where the redirect led")
	for _, f := range fakes[1:] {
		require.Positive(t, f.requests.Load())
		f.mu.Lock()
		for _, body := range f.bodies {
			require.NotContains(t, strings.ToLower(body), marker)
		}
		f.mu.Unlock()
	}
}

// 64 clients at once, an upstream that fails half of the time: at every moment no more requests have reached it than a fifth and one.
func TestShareHoldsAtTheUpstream(t *testing.T) {
	var b *budget.Budget
	f := play(t, nil)
	f.set(func(w http.ResponseWriter, r *http.Request) {
		reached := f.requests.Load()
		if seen := b.State().Requests; float64(reached) > 0.2*float64(seen)+1 {
			t.Errorf("%d of %d requests are here", reached, seen)
		}
		badly(f.URL)[rand.IntN(5)](w, r)
	})
	b, err := budget.New(budget.Options{Share: 0.2})
	require.NoError(t, err)
	c := core(t, f)
	c.Budget = b
	const clients, each = 64, 30
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			for range each {
				run, err := c.Start(t.Context(), ask("hi", rand.IntN(2) == 0), pick(rand.New(rand.NewPCG(rand.Uint64(), 1)), hard, hard, policy.Choice{Model: "small"}))
				if err != nil {
					t.Error(err)
					return
				}
				all(run)
			}
		})
	}
	wait.Wait()
	s := b.State()
	require.EqualValues(t, clients*each, s.Requests)
	require.Zero(t, s.Open)
	require.EqualValues(t, f.requests.Load(), s.Taken)
	require.LessOrEqual(t, float64(s.Taken), 0.2*clients*each+1)
	require.Greater(t, s.Taken, int64(clients*each/10))
	require.EqualValues(t, clients*each, c.Ledger.Snapshot().Total.Requests, "nothing lost")
}

// Money too: whatever 64 clients ask, a day costs no more than it may.
func TestMoneyHoldsUnderConcurrency(t *testing.T) {
	f := play(t, answer)
	c := core(t, f)
	worst, _, _ := c.Upstreams["big"].Worst(open(t, guard.ModeOff).Screen(t.Context(), ask("hi", true).Body).Cleared)
	b, err := budget.New(budget.Options{Share: 1, Day: 3 * worst})
	require.NoError(t, err)
	c.Budget = b
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for range 10 {
				run, err := c.Start(t.Context(), ask("hi", true), hard)
				if err != nil {
					t.Error(err)
					return
				}
				if s := b.State(); s.Spent+s.Reserved > 3*worst {
					t.Errorf("out of bounds: %+v", s)
				}
				all(run)
			}
		})
	}
	wait.Wait()
	s := c.Ledger.Snapshot()
	require.Equal(t, b.State().Spent, s.Total.Cost, "the ledger and the budget agree")
	require.LessOrEqual(t, s.Total.Cost, 3*worst)
	require.Greater(t, s.Models["big"]["escalated"].Requests, int64(3), "what is settled is free again")
}

// A goroutine of the local model outlives nothing: a run that is closed has stopped it.
func TestClosedRunsStopTheirModel(t *testing.T) {
	c := core(t, play(t, answer))
	stopped := make(chan bool, 1)
	c.Locals["small"] = policy.LocalFunc(func(ctx context.Context, _ policy.Request) iter.Seq2[policy.Event, error] {
		return func(yield func(policy.Event, error) bool) {
			defer func() { stopped <- ctx.Err() != nil }()
			for yield(policy.Event{Text: "x", LogProb: -9, Scored: true}, nil) {
			}
		}
	})
	run, err := c.Start(t.Context(), ask("hi", true), policy.Choice{Model: "small"})
	require.NoError(t, err)
	run.Close()
	require.True(t, <-stopped)
	run, err = c.Start(t.Context(), ask("hi", true), cascadeOf(t, -1, 2))
	require.NoError(t, err)
	require.True(t, <-stopped, "the local model stops when the upstream answers in its place")
	run.Close()
}
