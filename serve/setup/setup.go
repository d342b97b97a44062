package setup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/seed2fbf7788/switchyard/route"
	"github.com/seed2fbf7788/switchyard/route/budget"
	"github.com/seed2fbf7788/switchyard/route/cascade"
	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/ledger"
	"github.com/seed2fbf7788/switchyard/route/policy"
	"github.com/seed2fbf7788/switchyard/route/price"
	"github.com/seed2fbf7788/switchyard/route/upstream"
	"github.com/seed2fbf7788/switchyard/serve"
	"github.com/seed2fbf7788/switchyard/serve/config"
)

// Setup keeps what configurations share. It is safe for concurrent use; configurations are built one at a time.
type Setup struct {
	log  *slog.Logger
	open sync.Mutex // one build at a time

	mu      sync.Mutex
	routers map[string]*router // by what they were opened from

	upstreams map[string]*upstream.Upstream
	budget    *budget.Budget
	ledger    *ledger.Ledger
	account   string // the ledger's file
}

// New makes a setup with nothing in it; log may be nil.
func New(log *slog.Logger) *Setup {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Setup{log: log, routers: map[string]*router{}, upstreams: map[string]*upstream.Upstream{}}
}

// Close closes what outlives configurations; the last one must have been given up.
func (s *Setup) Close() error {
	s.open.Lock()
	defer s.open.Unlock()
	if s.ledger == nil {
		return nil
	}
	return s.ledger.Close()
}

// Ledger is the account, once a configuration was built; nil before.
func (s *Setup) Ledger() *ledger.Ledger { return s.ledger }

// Built is a configuration of which everything but its models is open.
type Built struct {
	Mix    *serve.Mix
	commit []func() error
	close  []func() error
}

// Commit makes the configuration the one that counts: settings of upstreams and budget change.
func (b *Built) Commit() error {
	var all error
	for _, f := range b.commit {
		all = errors.Join(all, f())
	}
	return all
}

// Discard gives up what was opened.
func (b *Built) Discard() error {
	var all error
	for _, f := range slices.Backward(b.close) {
		all = errors.Join(all, f())
	}
	return all
}

// builder is one build.
type builder struct {
	s      *Setup
	c      *config.Config
	built  *Built
	faults config.Faults

	labellers map[string]route.Labeller // by the router's name; nil for one that did not open
	core      policy.Core
}

// Build opens what a configuration names. Errors: config.Faults, all of them at once, the context's.
func (s *Setup) Build(ctx context.Context, c *config.Config) (*Built, error) {
	s.open.Lock()
	defer s.open.Unlock()
	b := &builder{s: s, c: c, built: &Built{}, labellers: map[string]route.Labeller{}}
	b.guard()
	b.upstreams()
	b.money()
	b.routers(ctx)
	mix := &serve.Mix{Close: b.built.Discard, Ledger: b.core.Ledger}
	for i := range c.Virtual {
		mix.Virtual = append(mix.Virtual, b.virtual(&c.Virtual[i]))
	}
	b.replay(mix)
	b.built.Mix = mix
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, b.built.Discard())
	}
	if len(b.faults) > 0 {
		b.built.Discard()
		return nil, sorted(b.faults)
	}
	return b.built, nil
}

func sorted(f config.Faults) config.Faults {
	slices.SortStableFunc(f, func(a, b config.Fault) int { return a.Line - b.Line })
	return f
}

func (b *builder) fault(at config.Pos, want, found string) {
	b.faults = append(b.faults, at.Fault(want, found))
}

func (b *builder) guard() {
	g := b.c.Guard
	o := guard.Options{Words: g.Words, MaxBytes: g.MaxBytes}
	for _, k := range g.Skip {
		o.Skip = append(o.Skip, guard.Kind(k))
	}
	for _, p := range g.Patterns {
		own, err := guard.NewPattern(p.Name, p.Regex.String())
		if err != nil {
			b.fault(p.At, "a pattern", err.Error())
			continue
		}
		o.Patterns = append(o.Patterns, own)
	}
	if g.WordFile != "" {
		words, err := readWords(g.WordFile)
		if err != nil {
			b.fault(g.At.At("words_file"), "a file of words", err.Error())
		}
		o.Words = append(o.Words, words...)
	}
	p, err := guard.NewPolicy(guard.New(o), guard.PolicyOptions{Mode: guard.Mode(g.Policy), Timeout: g.Timeout})
	if err != nil {
		b.fault(g.At, "a policy", err.Error())
		return
	}
	b.core.Guard = p
}

func readWords(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return guard.ReadWords(f)
}

// upstreams makes new ones, and on commit puts new settings into those that are known, which keep their state.
func (b *builder) upstreams() {
	b.core.Upstreams = map[string]*upstream.Upstream{}
	for _, c := range b.c.Upstreams {
		o := upstream.Options{
			Name: c.Name, BaseURL: c.BaseURL, KeyEnv: c.KeyEnv, Model: c.Model, MaxTokens: c.MaxTokens, LegacyMaxTokens: c.Legacy, Fields: c.Fields,
			Connect: c.Connect, FirstByte: c.FirstToken, BetweenEvents: c.Idle, Total: c.Timeout, Retries: c.Retries, Cooldown: c.Cooldown, CooldownAfter: c.CooldownAfter,
		}
		var err error
		if o.Price, err = price.PerMillion(c.Input, c.Output); err != nil {
			b.fault(c.At.At("price"), "prices of a million tokens", err.Error())
			continue
		}
		u, err := upstream.New(o) // also to see whether the settings can be
		if err != nil {
			b.fault(c.At, "an upstream", err.Error())
			continue
		}
		if known := b.s.upstreams[c.Name]; known != nil {
			u = known
			b.built.commit = append(b.built.commit, func() error { return known.Update(o) })
		}
		b.core.Upstreams[c.Name] = u
	}
	b.built.commit = append(b.built.commit, func() error { b.s.upstreams = b.core.Upstreams; return nil })
}

// money opens budget and ledger with the first configuration. A later one changes the budget's bounds, not what was spent; a new file of
// the ledger wants a restart.
func (b *builder) money() {
	c := b.c.Budget
	o := budget.Options{Share: c.Share, Window: c.Window}
	var err error
	if o.Day, err = price.Of(c.Daily); err != nil {
		b.fault(c.At.At("daily"), "an amount of money", err.Error())
		return
	}
	b.account()
	fresh, err := budget.New(o) // also to see whether the bounds can be
	if err != nil {
		b.fault(c.At, "bounds", err.Error())
		return
	}
	if b.s.budget == nil {
		if b.s.budget = fresh; b.s.ledger != nil { // what was spent today before a restart
			sums := b.s.ledger.Snapshot()
			fresh.Restore(budget.State{Date: sums.Date, Spent: sums.Today.Cost})
		}
	}
	b.core.Budget = b.s.budget
	b.built.commit = append(b.built.commit, func() error { return b.s.budget.Update(o) })
}

func (b *builder) account() {
	c := b.c.Ledger
	if b.s.ledger != nil && b.s.account != c.File {
		b.fault(c.At.At("file"), "the file that the server was started with, "+b.s.account, c.File)
		return
	}
	if b.s.ledger == nil {
		l, err := ledger.Open(c.File, ledger.Options{})
		if err != nil {
			b.fault(c.At.At("file"), "a ledger", err.Error())
			return
		}
		b.s.ledger, b.s.account = l, c.File
	}
	b.core.Ledger, b.core.Reference = b.s.ledger, c.Reference
	b.core.Report = func(err error) { b.s.log.Error("routing", "error", err) }
}

func (b *builder) replay(mix *serve.Mix) {
	c := b.c.Replay
	if c.File == "" {
		return
	}
	r, err := serve.OpenReplay(c.File, c.Prompts)
	if err != nil {
		b.fault(c.At.At("file"), "a file to append to", err.Error())
		return
	}
	mix.Replay = r
	b.built.close = append(b.built.close, r.Close)
}

func (b *builder) virtual(c *config.Virtual) *serve.Virtual {
	v := &serve.Virtual{Name: c.Name, Shadow: c.Shadow, Timeout: c.Timeout, All: c.Read == "all", Core: b.core}
	v.Core.Fallback = c.Fallback
	if c.Fallback == "" { // all models are local: the default is as good as any
		v.Core.Fallback = c.Default
	}
	b.generates(c.At.At("default"), c.Default)
	b.generates(c.At.At("fallback"), c.Fallback)
	v.Table = &route.Table{Default: c.Default, Broken: v.Core.Fallback}
	for _, r := range c.Routes {
		row := route.Row{Name: r.Name, To: r.Model}
		b.generates(r.At.At("model"), r.Model)
		if r.When != nil {
			row.If = b.signal(v, r.When)
		}
		v.Table.Rows = append(v.Table.Rows, row)
		v.Rows = append(v.Rows, b.row(&r))
	}
	return v
}

// generates refuses encoders where an answer is wanted.
func (b *builder) generates(at config.Pos, name string) {
	if m := b.model(name); m != nil && m.Dir != "" && isEncoder(m.Dir) {
		b.fault(at, "a model that generates text", name+", an encoder")
	}
}

func (b *builder) row(r *config.Route) (row serve.VirtualRow) {
	if r.Cascade == nil {
		return row
	}
	var err error
	row.To = r.Cascade.To
	if row.Cascade, err = cascade.New(cascade.Options{Threshold: r.Cascade.Below, First: r.Cascade.First}); err != nil {
		b.fault(r.Cascade.At, "a cascade", err.Error())
	}
	return row
}

// signal makes a condition of what it is written as: all of its parts must hold, the quick ones are asked first.
func (b *builder) signal(v *serve.Virtual, w *config.When) route.Signal {
	var all route.All
	if len(w.Keyword) > 0 {
		all = append(all, route.NewKeyword(w.Keyword))
	}
	if w.Regex != nil {
		all = append(all, route.Regex{Pattern: w.Regex})
	}
	if w.LongerThan >= 0 || w.Shorter >= 0 {
		all = append(all, route.Length{Over: w.LongerThan, Under: w.Shorter})
	}
	if len(w.Language) > 0 {
		all = append(all, b.language(w))
	}
	if w.Code != nil {
		all = append(all, route.Code(*w.Code))
	}
	if w.Private != nil {
		v.Private = true
		all = append(all, route.Private(*w.Private))
	}
	if len(w.Any) > 0 {
		var any route.Any
		for _, o := range w.Any {
			any = append(any, b.signal(v, o))
		}
		all = append(all, any)
	}
	if w.Not != nil {
		all = append(all, route.Not{Signal: b.signal(v, w.Not)})
	}
	if w.Router != "" {
		all = append(all, b.labelled(w))
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func (b *builder) language(w *config.When) route.Signal {
	for _, code := range w.Language {
		if !slices.Contains(route.Languages(), code) {
			b.fault(w.At.At("language"), "one of "+strings.Join(route.Languages(), ", "), fmt.Sprintf("%.20q", code))
		}
	}
	return route.Language{Codes: w.Language}
}

func (b *builder) labelled(w *config.When) route.Signal {
	by := b.labellers[w.Router]
	if by == nil { // it did not open, and that is told
		return route.All{}
	}
	for _, l := range w.Is {
		if !slices.Contains(by.Labels(), l) {
			names := by.Labels()
			if len(names) > 20 {
				names = append(slices.Clone(names[:20]), "…")
			}
			b.fault(w.At.At("is"), "labels of the router "+w.Router+": "+strings.Join(names, ", "), fmt.Sprintf("%.60q", l))
		}
	}
	return route.LabelledAs{By: by, Is: w.Is, AtLeast: w.AtLeast}
}
