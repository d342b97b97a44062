package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/serve/engine"
)

func open(t testing.TB) *model.Model {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func start(t testing.TB, m *model.Model, o engine.Options) *engine.Engine {
	e := engine.New(m, o)
	t.Cleanup(func() { e.Close() })
	return e
}

// result is what a request gave, to be compared whole.
type result struct {
	ids      []int32
	logprobs []float32
	text     string
	finish   model.Finish
}

func collect(t testing.TB, j *engine.Job) result {
	r, err := drain(context.Background(), j)
	require.NoError(t, err)
	return r
}

func drain(ctx context.Context, j *engine.Job) (r result, err error) {
	for {
		list, finish, err := j.Next(ctx)
		for _, tk := range list {
			r.ids, r.logprobs = append(r.ids, tk.ID), append(r.logprobs, tk.LogProb)
			r.text += tk.Text
		}
		if r.finish = finish; finish != "" || err != nil {
			return r, err
		}
	}
}

func run(t testing.TB, e *engine.Engine, r engine.Request) result {
	j, err := e.Submit(context.Background(), r)
	require.NoError(t, err)
	return collect(t, j)
}

// requests are varied: lengths, sampling, limits. Log-probabilities are kept, so that comparisons see every bit.
func requests(n int) []engine.Request {
	rng := rand.New(rand.NewPCG(1, 2))
	var out []engine.Request
	for i := range n {
		r := engine.Request{MaxTokens: 1 + rng.IntN(24), LogProbs: true, IgnoreEOS: i%2 == 0}
		for range 1 + rng.IntN(160) {
			r.Prompt = append(r.Prompt, int32(1+rng.IntN(4000)))
		}
		if i%3 == 0 {
			r.Sampling = model.Sampling{Temperature: 1, TopP: 0.9, Seed: uint64(i), FrequencyPenalty: 0.5, PresencePenalty: 0.2}
		}
		if i%4 < 2 && i > 4 { // begins as an earlier one
			r.Prompt = append(slices.Clone(out[i-4].Prompt[:min(130, len(out[i-4].Prompt))]), r.Prompt...)
		}
		out = append(out, r)
	}
	return out
}

// alone computes each request with nobody else, no shared pages, prompts in one piece.
func alone(t testing.TB, m *model.Model, list []engine.Request) []result {
	var out []result
	for _, r := range list {
		e := engine.New(m, engine.Options{Parallel: 1, NoPrefixes: true, Chunk: 512})
		out = append(out, run(t, e, r))
		require.NoError(t, e.Close())
	}
	return out
}

func together(t testing.TB, e *engine.Engine, list []engine.Request) []result {
	got := make([]result, len(list))
	var wg sync.WaitGroup
	for i, r := range list {
		j, err := e.Submit(context.Background(), r)
		require.NoError(t, err)
		wg.Go(func() { got[i], _ = drain(context.Background(), j) })
	}
	wg.Wait()
	return got
}

// What a request gets has the same bits alone and in any company: small chunks, shared pages, a cache so small that
// little fits at a time.
func TestSameBitsInAnyCompany(t *testing.T) {
	m := open(t)
	list := requests(14)
	want := alone(t, m, list)
	for _, o := range []engine.Options{
		{Parallel: 3, Chunk: 17}, {Parallel: 14, Chunk: 64, NoPrefixes: true}, {Parallel: 12, KVTokens: 512, Chunk: 33},
	} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			e := start(t, m, o)
			for range 2 { // the second time with pages kept from the first
				got := together(t, e, list)
				for i := range list {
					require.Equal(t, want[i], got[i], "request %d", i)
				}
			}
			st := e.Stats()
			assert.LessOrEqual(t, st.Pages, st.PageLimit)
			if !o.NoPrefixes {
				assert.NotZero(t, st.SharedTokens)
			}
			require.NoError(t, e.Close())
			assert.Zero(t, m.Pages(), "pages that nobody gave back")
		})
	}
}

// Requests that grow beyond the cache are set back, the youngest first, and computed again: nothing is lost or changed.
func TestSetBack(t *testing.T) {
	m := open(t)
	list := requests(4)
	for i := range list {
		list[i].Prompt, list[i].MaxTokens, list[i].IgnoreEOS = list[i].Prompt[:min(50, len(list[i].Prompt))], 200, true
	}
	want := alone(t, m, list)
	e := start(t, m, engine.Options{KVTokens: 512})
	require.Equal(t, want, together(t, e, list))
	st := e.Stats()
	assert.NotZero(t, st.SetBack)
	assert.LessOrEqual(t, st.Pages, st.PageLimit)
}

// The engine gives what a session of the library gives.
func TestSameAsLibrary(t *testing.T) {
	m := open(t)
	e := start(t, m, engine.Options{})
	const prompt = "And it came to pass"
	for _, s := range []model.Sampling{{}, {Temperature: 0.8, TopK: 40, TopP: 0.95, RepeatPenalty: 1.1, Seed: 9}} {
		ids, err := m.EncodePrompt(prompt)
		require.NoError(t, err)
		var want strings.Builder
		ses := m.NewSession()
		for tk, err := range ses.Generate(context.Background(), prompt, model.GenerateOptions{Sampling: s, MaxTokens: 40}) {
			require.NoError(t, err)
			want.WriteString(tk.Text)
		}
		ses.Close()
		got := run(t, e, engine.Request{Prompt: ids, Sampling: s, MaxTokens: 40})
		assert.Equal(t, want.String(), got.text)
		assert.Equal(t, model.FinishLength, got.finish)
	}
}

func TestStopStrings(t *testing.T) {
	e := start(t, open(t), engine.Options{})
	r := engine.Request{Prompt: []int32{5, 6, 7}, MaxTokens: 40, IgnoreEOS: true}
	whole := run(t, e, r)
	for cut := 1; cut < len(whole.text)-6; cut += 5 {
		stop := whole.text[cut : cut+5]
		r.Stop = []string{"never in it\x00", stop}
		got := run(t, e, r)
		assert.Equal(t, whole.text[:strings.Index(whole.text, stop)], got.text)
		assert.Equal(t, model.FinishStop, got.finish)
	}
	r.Stop = []string{whole.text[len(whole.text)-4:] + "\x00"} // begins, never ends
	assert.Equal(t, whole, run(t, e, r))
}

// A request that is cancelled ends wherever it is, and frees its place.
func TestCancel(t *testing.T) {
	m := open(t)
	e := start(t, m, engine.Options{Parallel: 1, MaxQueue: 2, NoPrefixes: true})
	long := engine.Request{Prompt: []int32{1, 2}, MaxTokens: 500, IgnoreEOS: true}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first, err := e.Submit(ctx, long)
	require.NoError(t, err)
	_, _, err = first.Next(context.Background())
	require.NoError(t, err)
	waiting, stop := context.WithCancel(context.Background())
	defer stop()
	second, err := e.Submit(waiting, long)
	require.NoError(t, err)
	third, err := e.Submit(context.Background(), engine.Request{Prompt: []int32{3}, MaxTokens: 3, IgnoreEOS: true})
	require.NoError(t, err)
	_, err = e.Submit(context.Background(), long)
	require.ErrorIs(t, err, engine.ErrBusy)
	stop()
	_, err = drain(context.Background(), second)
	require.ErrorIs(t, err, context.Canceled)
	cancel()
	_, err = drain(context.Background(), first)
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, collect(t, third).ids, 3)
	require.Eventually(t, func() bool { return m.Pages() == 0 }, time.Second, time.Millisecond)
}

func TestRefused(t *testing.T) {
	e := start(t, open(t), engine.Options{KVTokens: 256})
	for want, r := range map[error]engine.Request{
		model.ErrPrompt:  {},
		model.ErrToken:   {Prompt: []int32{4096}},
		model.ErrOption:  {Prompt: []int32{1}, Sampling: model.Sampling{TopP: 2}},
		model.ErrContext: {Prompt: make([]int32, 512)},
		engine.ErrMemory: {Prompt: make([]int32, 300)},
	} {
		_, err := e.Submit(context.Background(), r)
		assert.ErrorIs(t, err, want)
	}
}

func TestPriority(t *testing.T) {
	e := start(t, open(t), engine.Options{Parallel: 1})
	blocker, err := e.Submit(context.Background(), engine.Request{Prompt: []int32{1}, MaxTokens: 60, IgnoreEOS: true})
	require.NoError(t, err)
	var jobs []*engine.Job
	for _, p := range []int{1, 0, 1, 0} {
		j, err := e.Submit(context.Background(), engine.Request{Prompt: []int32{2}, MaxTokens: 2, IgnoreEOS: true, Priority: p})
		require.NoError(t, err)
		jobs = append(jobs, j)
	}
	collect(t, blocker)
	var at []time.Time
	for _, j := range jobs {
		list, _, err := j.Next(context.Background())
		require.NoError(t, err)
		at = append(at, list[0].Time)
	}
	for i, before := range []int{1, 3, 0} { // then 2
		assert.True(t, at[before].Before(at[[]int{3, 0, 2}[i]]), "%v", at)
	}
}

func TestDrainAndClose(t *testing.T) {
	before := runtime.NumGoroutine()
	e := engine.New(open(t), engine.Options{})
	j, err := e.Submit(context.Background(), engine.Request{Prompt: []int32{1}, MaxTokens: 400, IgnoreEOS: true})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	require.ErrorIs(t, e.Drain(ctx), context.DeadlineExceeded)
	_, err = e.Submit(context.Background(), engine.Request{Prompt: []int32{1}})
	require.ErrorIs(t, err, engine.ErrDraining)
	require.NoError(t, e.Close())
	_, err = drain(context.Background(), j)
	require.ErrorIs(t, err, engine.ErrDraining)
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+4 }, time.Second, time.Millisecond)
}

// The experts of every token are those that a run alone chooses.
func TestRouting(t *testing.T) {
	m := open(t)
	e := start(t, m, engine.Options{Parallel: 4, Chunk: 9})
	r := engine.Request{Prompt: []int32{5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, MaxTokens: 6, IgnoreEOS: true, Routing: true}
	j, err := e.Submit(context.Background(), r)
	require.NoError(t, err)
	other, err := e.Submit(context.Background(), engine.Request{Prompt: make([]int32, 50), MaxTokens: 9, IgnoreEOS: true})
	require.NoError(t, err)
	collect(t, j)
	collect(t, other)
	ids, tokens, layers, k := j.Routed()
	assert.Equal(t, []int{15, 6, 4}, []int{tokens, layers, k}) // the last token is drawn, not computed
	again, err := e.Submit(context.Background(), r)
	require.NoError(t, err)
	collect(t, again)
	same, _, _, _ := again.Routed()
	assert.Equal(t, ids, same)
	load := e.Load()
	require.Len(t, load, 6)
}

// A gate of a request's own applies to it alone, also where others share its batch and its beginning.
func TestGateOfARequest(t *testing.T) {
	m := open(t)
	gate, err := m.CompileGate("topk=1")
	require.NoError(t, err)
	list := requests(8)
	for i := range list {
		list[i].Prompt = append(slices.Clone(list[1].Prompt[:1]), list[i].Prompt...)
		if i%2 == 0 {
			list[i].Gate, list[i].Routing = gate, true
		}
	}
	list[2].Prompt, list[3].Prompt = list[0].Prompt, list[0].Prompt // the same text under two gates
	want := alone(t, m, list)
	e := start(t, m, engine.Options{Chunk: 50})
	for range 2 {
		assert.Equal(t, want, together(t, e, list))
	}
	j, err := e.Submit(context.Background(), list[0])
	require.NoError(t, err)
	collect(t, j)
	_, _, _, k := j.Routed()
	assert.Equal(t, 1, k)
	assert.NotEqual(t, want[2].logprobs, want[3].logprobs)
}
