package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

const modelName = "bench"

// Options of Run.
type Options struct {
	Streams  []int         // how many clients at a time: rows "streams"
	Prompt   int           // tokens of their prompts
	Generate int           // tokens that each asks for
	Fresh    int           // tokens of the new request's prompt in row "wait"
	Long     int           // tokens of the long prompt of rows "wait" and "turn"; cut to what the context holds
	Reps     int           // of comparisons of speed, whose parts take turns; the best of each counts
	Tests    []string      // names of [Tests]; none: all
	Overload time.Duration // how long too many clients ask
	Say      func(string)
}

// Row is one measured thing.
type Row struct {
	Test     string  `json:"test"`
	Streams  int     `json:"streams"`
	TokS     float64 `json:"tok_s,omitempty"` // decode, all streams together
	Ratio    float64 `json:"ratio"`           // what the test compares; see About
	First    float64 `json:"first_ms,omitempty"`
	Base     float64 `json:"base_ms,omitempty"` // what First is held against
	Gap      float64 `json:"gap_median_ms,omitempty"`
	WorstGap float64 `json:"gap_worst_ms,omitempty"`
	About    string  `json:"about"`
}

type bench struct {
	o      Options
	m      *model.Model
	url    string
	client *http.Client
	rng    *rand.Rand
}

// Run measures a model and hands each row over. The model serves on loopback while it runs; it is not closed.
func Run(ctx context.Context, m *model.Model, o Options, row func(Row) error) error {
	b := &bench{o: o, m: m, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}, rng: rand.New(rand.NewPCG(1, 1))}
	var stop func()
	var err error
	if b.url, stop, err = b.serve(engine.Options{Parallel: 64}); err != nil {
		return err
	}
	defer stop()
	for _, name := range Tests() {
		if len(o.Tests) > 0 && !slices.Contains(o.Tests, name) {
			continue
		}
		if err := b.test(name)(ctx, row); err != nil {
			return err
		}
	}
	return nil
}

// serve puts the model behind a server on loopback.
func (b *bench) serve(o engine.Options) (url string, stop func(), err error) {
	srv, err := serve.New(serve.Options{Lazy: true, Models: []serve.Source{{Name: modelName, Open: func() (*model.Model, error) { return b.m, nil }}}, Engine: o})
	if err != nil {
		return "", nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	hs := &http.Server{Handler: srv.Handler(), ReadHeaderTimeout: time.Minute}
	go hs.Serve(ln) //nolint:errcheck // ends with Close
	return "http://" + ln.Addr().String(), func() {
		b.client.CloseIdleConnections()
		hs.Close()
		end, cancel := context.WithCancel(context.Background())
		cancel()
		srv.Drain(end) //nolint:errcheck // nothing is at work
	}, nil
}

// Tests are the names of what Run measures, in its order.
func Tests() []string {
	return []string{"library", "streams", "wait", "turn", "routing", "mask", "overload"}
}

func (b *bench) test(name string) func(context.Context, func(Row) error) error {
	return map[string]func(context.Context, func(Row) error) error{"library": b.library, "streams": b.streams, "wait": b.wait, "turn": b.turn,
		"routing": b.routing, "mask": b.mask, "overload": b.overload}[name]
}

func (b *bench) say(format string, args ...any) {
	if b.o.Say != nil {
		b.o.Say(fmt.Sprintf(format, args...))
	}
}

// prompt is n random ids, so that no two prompts share anything.
func (b *bench) prompt(n int) []int32 {
	out := make([]int32, max(n, 1))
	for i := range out {
		out[i] = int32(b.rng.IntN(b.m.Spec().Vocab))
	}
	return out
}

// library compares one stream with a session of the library, turn by turn.
func (b *bench) library(ctx context.Context, row func(Row) error) error {
	lib, served := 0.0, 0.0
	for i := range max(b.o.Reps, 1) {
		b.say("library and server, %d of %d", i+1, b.o.Reps)
		prompt := b.prompt(b.o.Prompt)
		ses := b.m.NewSession()
		for _, err := range ses.GenerateIDs(ctx, prompt, model.GenerateOptions{MaxTokens: b.o.Generate, IgnoreEOS: true}) {
			if err != nil {
				ses.Close()
				return err
			}
		}
		st := ses.Stats()
		ses.Close()
		lib = max(lib, float64(st.Generated-1)/st.Decode.Seconds())
		s, err := b.ask(ctx, b.prompt(b.o.Prompt), b.o.Generate, nil)
		if err != nil {
			return err
		}
		served = max(served, rate([]*stream{s}))
	}
	if err := row(Row{Test: "library", Streams: 1, TokS: lib, Ratio: 1, About: "a session of the library"}); err != nil {
		return err
	}
	return row(Row{Test: "server", Streams: 1, TokS: served, Ratio: served / lib, About: "ratio: server / library"})
}

// rate is tokens per second of all streams together, from the moment when all have begun until the first ends.
func rate(list []*stream) float64 {
	var from, to time.Time
	for _, s := range list {
		if s.at[0].After(from) {
			from = s.at[0]
		}
		if last := s.at[len(s.at)-1]; to.IsZero() || last.Before(to) {
			to = last
		}
	}
	n := 0.0
	for _, s := range list {
		for _, t := range s.at {
			if t.After(from) && !t.After(to) {
				n += float64(s.tokens) / float64(len(s.at)) // tokens that share an event: runes of several tokens
			}
		}
	}
	return n / max(to.Sub(from).Seconds(), 1e-9)
}

// many asks with several clients at once.
func (b *bench) many(ctx context.Context, n, prompt, generate int) ([]*stream, error) {
	list, errs := make([]*stream, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		ids := b.prompt(prompt)
		wg.Go(func() { list[i], errs[i] = b.ask(ctx, ids, generate, nil) })
	}
	wg.Wait()
	return list, errors.Join(errs...)
}

// streams measures total decode speed by the number of clients, all numbers in turn; of each its best repetition counts.
func (b *bench) streams(ctx context.Context, row func(Row) error) error {
	rows := make([]Row, len(b.o.Streams))
	for rep := range max(b.o.Reps, 1) {
		for i, n := range b.o.Streams {
			b.say("%d streams, %d of %d", n, rep+1, max(b.o.Reps, 1))
			list, err := b.many(ctx, n, b.o.Prompt, b.o.Generate)
			if err != nil {
				return err
			}
			if r := rate(list); r > rows[i].TokS {
				gaps := gapsOf(list)
				rows[i] = Row{Test: "streams", Streams: n, TokS: r, Gap: ms(median(gaps)), WorstGap: ms(worst(gaps)), About: "ratio: total decode / that of the first row"}
			}
		}
	}
	for _, r := range rows {
		r.Ratio = r.TokS / rows[0].TokS
		if err := row(r); err != nil {
			return err
		}
	}
	return nil
}

func gapsOf(list []*stream) []time.Duration {
	var out []time.Duration
	for _, s := range list {
		out = append(out, s.gaps()...)
	}
	return out
}

// long is the length of the long prompt as far as the context holds it.
func (b *bench) long() int { return max(1, min(b.o.Long, b.m.Context()-b.o.Generate-2)) }

// wait measures a new request's first token while four streams decode and one long prompt is read, and what those four
// feel of it.
func (b *bench) wait(ctx context.Context, row func(Row) error) error {
	b.say("a new request among four streams and a prompt of %d tokens", b.long())
	idle, err := b.ask(ctx, b.prompt(b.o.Fresh), 1, nil)
	if err != nil {
		return err
	}
	alone, err := b.many(ctx, 4, b.o.Prompt, max(8, b.o.Generate/4))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	running, begun := make([]*stream, 4), make(chan bool, 64)
	read := make(chan bool)
	for i := range running {
		ids := b.prompt(b.o.Prompt)
		wg.Go(func() {
			tick := func(n int) {
				if n == 3 {
					begun <- true
				}
			}
			running[i], _ = b.ask(ctx, ids, min(b.m.Context()-b.o.Prompt-2, 2000), tick)
		})
	}
	for range running {
		<-begun
	}
	ids := b.prompt(b.long())
	wg.Go(func() { b.ask(ctx, ids, 1, nil); close(read) }) //nolint:errcheck // only its load matters
	time.Sleep(2 * median(alone[0].gaps()))
	from := time.Now()
	fresh, err := b.ask(ctx, b.prompt(b.o.Fresh), 1, nil)
	if err != nil {
		return err
	}
	select {
	case <-read:
	case <-ctx.Done():
		return ctx.Err()
	}
	to := time.Now()
	first := Row{Test: "wait", Streams: 4, First: ms(fresh.first()), Base: ms(idle.first()), Ratio: ms(fresh.first()) / ms(idle.first()), About: "ratio: first token under load / on an idle server"}
	if err := row(first); err != nil {
		return err
	}
	cancel()
	wg.Wait()
	return row(gapsRow(running, alone, from, to))
}

// gapsRow compares the worst gap that a running stream had while the new request and the long prompt were read with the
// median of its own gaps in that time; the gap of streams with nobody else stands beside it.
func gapsRow(running, alone []*stream, from, to time.Time) Row {
	out := Row{Test: "gap", Streams: 4, Base: ms(median(gapsOf(alone))), About: "ratio: worst gap of a running stream / its median; held against: the median with nobody else"}
	for _, s := range running {
		var gaps []time.Duration
		for i := 1; s != nil && i < len(s.at); i++ {
			if s.at[i].After(from) && s.at[i-1].Before(to) {
				gaps = append(gaps, s.at[i].Sub(s.at[i-1]))
			}
		}
		if len(gaps) == 0 {
			continue
		}
		if r := ms(slices.Max(gaps)) / ms(median(gaps)); r > out.Ratio {
			out.Ratio, out.Gap, out.WorstGap = r, ms(median(gaps)), ms(slices.Max(gaps))
		}
	}
	return out
}

// turn measures the first token of a conversation's second turn beside the first's.
func (b *bench) turn(ctx context.Context, row func(Row) error) error {
	n := min(1000, b.m.Context()-b.o.Generate-40)
	b.say("two turns of a conversation of %d tokens", n)
	text := b.prompt(n)
	one, err := b.ask(ctx, text, 2, nil)
	if err != nil {
		return err
	}
	two, err := b.ask(ctx, append(text, b.prompt(20)...), 2, nil)
	if err != nil {
		return err
	}
	return row(Row{Test: "turn", Streams: 1, First: ms(two.first()), Base: ms(one.first()), Ratio: ms(two.first()) / ms(one.first()), About: "ratio: first token of the second turn / of the first"})
}

func ms(d time.Duration) float64 { return d.Seconds() * 1e3 }
