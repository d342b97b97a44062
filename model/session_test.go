package model_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func openBuiltin(t testing.TB, o model.Options) *model.Model {
	m, err := model.OpenFS(builtin.FS(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// text runs a generation to its end.
func text(t testing.TB, m *model.Model, prompt string, o model.GenerateOptions) (string, model.Stats) {
	ses := m.NewSession()
	defer ses.Close()
	var out strings.Builder
	for tk, err := range ses.Generate(context.Background(), prompt, o) {
		require.NoError(t, err)
		require.True(t, utf8.ValidString(tk.Text), "a split rune: %q", tk.Text)
		out.WriteString(tk.Text)
	}
	return out.String(), ses.Stats()
}

func TestSameSeedSameText(t *testing.T) {
	o := model.GenerateOptions{MaxTokens: 24, Sampling: model.Sampling{Temperature: 0.9, TopK: 40, TopP: 0.95, MinP: 0.01, RepeatPenalty: 1.1, Seed: 7}}
	want, _ := text(t, openBuiltin(t, model.Options{Threads: 1}), "And it came to pass", o)
	require.NotEmpty(t, want)
	for _, threads := range []int{2, 3} {
		got, _ := text(t, openBuiltin(t, model.Options{Threads: threads, Chunk: threads}), "And it came to pass", o)
		assert.Equal(t, want, got, "%d threads", threads)
	}
	o.Seed = 8
	other, _ := text(t, openBuiltin(t, model.Options{}), "And it came to pass", o)
	assert.NotEqual(t, want, other)
}

func TestStopStringEndsBeforeIt(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	whole, st := text(t, m, "And it came to pass", model.GenerateOptions{MaxTokens: 30})
	assert.Equal(t, model.FinishLength, st.Finish)
	assert.Equal(t, 30, st.Generated)
	stop := whole[20:25]
	got, st := text(t, m, "And it came to pass", model.GenerateOptions{MaxTokens: 30, Stop: []string{"never in it", stop}})
	assert.Equal(t, whole[:strings.Index(whole, stop)], got)
	assert.Equal(t, model.FinishStop, st.Finish)
	// A stop string that begins but never ends is shown in the end.
	got, _ = text(t, m, "And it came to pass", model.GenerateOptions{MaxTokens: 30, Stop: []string{whole[len(whole)-4:] + "\x00"}})
	assert.Equal(t, whole, got)
}

// Two generations in one session continue one text.
func TestSessionContinues(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	whole, _ := text(t, m, "if err != nil {", model.GenerateOptions{MaxTokens: 20})
	ses := m.NewSession()
	defer ses.Close()
	var got strings.Builder
	for tk, err := range ses.Generate(context.Background(), "if err != nil {", model.GenerateOptions{MaxTokens: 9}) {
		require.NoError(t, err)
		got.WriteString(tk.Text)
	}
	for tk, err := range ses.GenerateIDs(context.Background(), nil, model.GenerateOptions{MaxTokens: 11}) {
		require.NoError(t, err)
		got.WriteString(tk.Text)
	}
	assert.Equal(t, whole, got.String())
}

func TestCancelWithinOneToken(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ses := m.NewSession()
	defer ses.Close()
	n := 0
	var last error
	for _, err := range ses.Generate(ctx, "And it came to pass", model.GenerateOptions{}) {
		if last = err; err != nil {
			break
		}
		if n++; n == 3 {
			cancel()
		}
	}
	assert.Equal(t, 3, n)
	assert.ErrorIs(t, last, context.Canceled)

	// In the prompt: nothing is computed, and the session lives on.
	for _, err := range ses.Generate(ctx, "And", model.GenerateOptions{}) {
		assert.ErrorIs(t, err, context.Canceled)
	}
	for _, err := range ses.Generate(context.Background(), " it", model.GenerateOptions{MaxTokens: 1}) {
		assert.NoError(t, err)
	}
}

func TestContextIsALimit(t *testing.T) {
	m := openBuiltin(t, model.Options{Context: 16})
	_, st := text(t, m, "And it came to pass", model.GenerateOptions{})
	assert.Equal(t, model.FinishLength, st.Finish)
	assert.Equal(t, 16, st.Prompt+st.Generated)
	_, err := m.Logits(context.Background(), make([]int32, 17))
	assert.ErrorIs(t, err, model.ErrContext)
}

func TestRefusedCalls(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	ctx := context.Background()
	_, err := m.Logits(ctx, nil)
	assert.ErrorIs(t, err, model.ErrPrompt)
	for _, id := range []int32{-1, 4096} {
		_, err = m.Logits(ctx, []int32{1, id})
		assert.ErrorIs(t, err, model.ErrToken)
		assert.ErrorContains(t, err, "want 0 to 4095")
	}
	seq := m.NewSequence()
	assert.ErrorIs(t, m.Step(ctx, model.Batch{{Seq: seq}}, nil), model.ErrPrompt)
	two := model.Batch{{Seq: seq, Tokens: []int32{1}}, {Seq: seq, Tokens: []int32{2}}}
	assert.ErrorIs(t, m.Step(ctx, two, nil), model.ErrOption)
	odd := model.Batch{{Seq: seq, Tokens: []int32{1, 2, 3}, Out: tensor.NewMat(2, 4096)}}
	assert.ErrorIs(t, m.Step(ctx, odd, nil), model.ErrOption)
	narrow := model.Batch{{Seq: seq, Tokens: []int32{1}, Out: tensor.NewMat(1, 4095)}}
	assert.ErrorIs(t, m.Step(ctx, narrow, nil), model.ErrOption)
	foreign := openBuiltin(t, model.Options{}).NewSequence()
	for _, other := range []*model.Sequence{nil, foreign} {
		assert.ErrorIs(t, m.Step(ctx, model.Batch{{Seq: other, Tokens: []int32{1}}}, nil), model.ErrOption)
	}
	assert.Zero(t, seq.Len())
	for _, s := range []model.Sampling{{Temperature: -1}, {TopK: -1}, {TopP: 2}, {MinP: -1}, {RepeatPenalty: -1}} {
		ses := m.NewSession()
		for _, err := range ses.Generate(ctx, "x", model.GenerateOptions{Sampling: s}) {
			assert.ErrorIs(t, err, model.ErrOption, "%+v", s)
		}
	}
	_, err = model.OpenFS(builtin.FS(), model.Options{Threads: -1})
	assert.ErrorIs(t, err, model.ErrOption)
	_, err = model.OpenFS(builtin.FS(), model.Options{Level: "mmx"})
	assert.ErrorContains(t, err, "mmx")
}

func TestClosedModel(t *testing.T) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	_, err = m.Logits(context.Background(), []int32{1})
	assert.ErrorIs(t, err, model.ErrClosed)
}

// Sessions of one model may run at the same time; each gets what it would get alone.
func TestConcurrentSessions(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	prompts := []string{"And it came to pass", "if err != nil {", "3 * 9 =", "My fellow citizens,"}
	o := model.GenerateOptions{MaxTokens: 12}
	var wg sync.WaitGroup
	got := make([]string, len(prompts))
	for i, p := range prompts {
		wg.Go(func() {
			ses := m.NewSession()
			defer ses.Close()
			for tk, err := range ses.Generate(context.Background(), p, o) {
				if err != nil {
					got[i] = err.Error()
					return
				}
				got[i] += tk.Text
			}
		})
	}
	wg.Wait()
	for i, p := range prompts {
		want, _ := text(t, m, p, o)
		assert.Equal(t, want, got[i], p)
	}
}

// A prompt that was read in part is forgotten when reading it is cancelled: the session is as it was.
func TestCancelInAPromptForgetsIt(t *testing.T) {
	m := openBuiltin(t, model.Options{Chunk: 4})
	ses := m.NewSession()
	defer ses.Close()
	for _, err := range ses.Generate(context.Background(), "3 * 9 =", model.GenerateOptions{MaxTokens: 1}) {
		require.NoError(t, err)
	}
	held := ses.Sequence().Len()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ses.Observe(onRouting(func(layer int) {
		if layer == 3 && ses.Sequence().Len() > held {
			cancel()
		}
	}))
	for _, err := range ses.GenerateIDs(ctx, make([]int32, 40), model.GenerateOptions{}) {
		assert.ErrorIs(t, err, context.Canceled)
	}
	assert.Equal(t, held, ses.Sequence().Len())
}

// onRouting is an observer that is told the layer.
type onRouting func(layer int)

func (f onRouting) ObserveRouting(layer int, _ *moe.Routing) { f(layer) }

// A step of an error appends nothing.
func TestFailedStepAppendsNothing(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	seq := m.NewSequence()
	err := m.Step(ctx, model.Batch{{Seq: seq, Tokens: []int32{1, 2}}}, nil)
	require.True(t, errors.Is(err, context.Canceled))
	assert.Zero(t, seq.Len())
}

// A decode step allocates nothing once its buffers have grown.
func TestDecodeAllocatesNothing(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	seq := m.NewSequence()
	out := tensor.NewMat(1, m.Spec().Vocab)
	require.NoError(t, m.Prefill(context.Background(), seq, []int32{5, 6, 7}, out, nil))
	batch := model.Batch{{Seq: seq, Tokens: []int32{9}, Out: out}}
	step := func() { require.NoError(t, m.Step(context.Background(), batch, nil)) }
	for range 80 {
		step()
	}
	seq.Truncate(70)
	assert.Zero(t, testing.AllocsPerRun(40, step))
}
