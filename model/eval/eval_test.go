package eval_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/eval"
	"github.com/seed2fbf7788/switchyard/tensor"
)

func open(t *testing.T, o model.Options) *model.Model {
	m, err := model.OpenFS(builtin.FS(), o)
	require.NoError(t, err)
	t.Cleanup(func() { m.Close() })
	return m
}

func ids(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(1 + i*i*31%4095)
	}
	return out
}

// naive is the loss of every token but the first, from logits of the window that is the first to predict it.
func naive(t *testing.T, m *model.Model, ids []int32, window, stride int) []float64 {
	var out []float64
	for from := 0; len(out)+1 < len(ids); from += stride {
		to := min(from+window, len(ids)-1)
		logits := tensor.NewMat(to-from, m.Spec().Vocab)
		seq := m.NewSequence()
		require.NoError(t, m.Prefill(context.Background(), seq, ids[from:to], logits, nil))
		seq.Free()
		for target := len(out) + 1; target <= to; target++ {
			row, z := logits.Row(target-1-from), 0.0
			for _, l := range row {
				z += math.Exp(float64(l))
			}
			out = append(out, math.Log(z)-float64(row[ids[target]]))
		}
	}
	return out
}

// Every token but the first is scored once, by the window that is the first to reach it.
func TestTextAgainstLogits(t *testing.T) {
	m := open(t, model.Options{})
	text := ids(150)
	for _, c := range []struct{ window, stride int }{{0, 0}, {40, 40}, {40, 13}, {149, 1}, {7, 3}, {1, 1}} {
		var got []float64
		s, err := eval.Text(context.Background(), m, text, eval.Options{Window: c.window, Stride: c.stride, Loss: func(l eval.Loss) error {
			require.Equal(t, len(got)+1, l.Index)
			require.Equal(t, text[l.Index], l.ID)
			got = append(got, l.Loss)
			return nil
		}})
		require.NoError(t, err)
		window, stride := c.window, c.stride
		if window == 0 {
			window, stride = 512, 512
		}
		want := naive(t, m, text, window, stride)
		require.InDeltaSlice(t, want, got, 1e-5, "%v", c)
		sum := 0.0
		for _, l := range got {
			sum += l
		}
		assert.Equal(t, 149, s.Tokens)
		assert.InDelta(t, sum, s.NLL, 1e-9)
		assert.InDelta(t, math.Exp(sum/149), s.Perplexity(), 1e-9)
		assert.InDelta(t, sum/math.Log(2)/1000, s.BitsPerByte(1000), 1e-12)
	}
}

func TestSameBitsOnAnyThreads(t *testing.T) {
	want, err := eval.Text(context.Background(), open(t, model.Options{Threads: 1}), ids(600), eval.Options{Window: 100, Stride: 70})
	require.NoError(t, err)
	for _, threads := range []int{2, 3} {
		got, err := eval.Text(context.Background(), open(t, model.Options{Threads: threads}), ids(600), eval.Options{Window: 100, Stride: 70})
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestRefusedTexts(t *testing.T) {
	m := open(t, model.Options{})
	for want, c := range map[string]struct {
		ids []int32
		o   eval.Options
	}{
		"at least 2 tokens":         {ids(1), eval.Options{}},
		"window: want 1 to 512":     {ids(9), eval.Options{Window: 513}},
		"stride: want 1 to the win": {ids(9), eval.Options{Window: 4, Stride: 5}},
	} {
		_, err := eval.Text(context.Background(), m, c.ids, c.o)
		require.ErrorIs(t, err, eval.ErrText)
		assert.ErrorContains(t, err, want)
	}
	_, err := eval.Text(context.Background(), m, []int32{1, 5000}, eval.Options{})
	require.ErrorIs(t, err, model.ErrToken)
	full := errors.New("full")
	_, err = eval.Text(context.Background(), m, ids(9), eval.Options{Loss: func(eval.Loss) error { return full }})
	assert.ErrorIs(t, err, full)
}

// Streams that are kept change no bit: every trial is what a run of its own gives, with room for all streams, for one layer's
// and for none.
func TestSweepIsWhatSingleRunsGive(t *testing.T) {
	m := open(t, model.Options{})
	text := ids(130)
	gates := []string{"drop=0:3", "drop=5:1,2", "layers=3-4;topk=2", "topk=4", "temp=0.5", "drop=5:0", "layers=2;expertchoice=2"}
	one := 4 * 192 * 129
	for _, room := range []int{0, one, 1} {
		o := eval.SweepOptions{Options: eval.Options{Window: 50, Stride: 50}, Gates: gates, Room: room}
		made := map[string]bool{}
		o.Each = func(t eval.Trial) error { made[t.Gate] = true; return nil }
		trials, err := eval.Sweep(context.Background(), m, text, o)
		require.NoError(t, err)
		require.Len(t, trials, len(gates)+1)
		require.Len(t, made, len(gates)+1)
		for i, trial := range trials {
			require.Equal(t, append([]string{""}, gates...)[i], trial.Gate)
			use, err := m.CompileGate(trial.Gate)
			require.NoError(t, err)
			want, err := eval.Text(context.Background(), m, text, eval.Options{Window: 50, Stride: 50, Gate: use})
			require.NoError(t, err)
			require.Equal(t, want, trial.Score, "%q with room for %d", trial.Gate, room)
		}
		require.Equal(t, trials[0].Score, trials[4].Score, "topk=4 is the model as it is")
		require.NotEqual(t, trials[0].Score, trials[1].Score)
	}
}

// A sweep that was interrupted goes on where it was, and gives the same.
func TestSweepGoesOn(t *testing.T) {
	m := open(t, model.Options{})
	text, path := ids(60), filepath.Join(t.TempDir(), "s.jsonl")
	o := eval.SweepOptions{Gates: []string{"drop=0:1", "drop=1:1", "drop=2:1", "drop=3:1"}}
	want, err := eval.Sweep(context.Background(), m, text, o)
	require.NoError(t, err)
	h, err := eval.NewHeader(m, text, o.Options, "f32")
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(context.Background())
	state, err := eval.OpenState(path, h)
	require.NoError(t, err)
	n := 0
	o.Each = func(t eval.Trial) error {
		if n++; n == 3 {
			cancel()
		}
		return state.Add(t)
	}
	_, err = eval.Sweep(ctx, m, text, o)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, state.Close())

	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(`{"gate":"drop=3:1","tok`) // killed in the midst of a line
	require.NoError(t, err)
	require.NoError(t, f.Close())
	state, err = eval.OpenState(path, h)
	require.NoError(t, err)
	require.Len(t, state.Done, 3)
	n = 0
	o.Done = state.Done
	o.Each = func(t eval.Trial) error { n++; return state.Add(t) }
	got, err := eval.Sweep(context.Background(), m, text, o)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Equal(t, 2, n, "three of five were there")
	require.NoError(t, state.Close())

	for want, change := range map[string]func(h *eval.Header){
		"window: want 9, found 512": func(h *eval.Header) { h.Window = 9 },
		"text: want x":              func(h *eval.Header) { h.Text = "x" },
	} {
		other := h
		change(&other)
		_, err := eval.OpenState(path, other)
		require.ErrorIs(t, err, eval.ErrState)
		assert.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(path, []byte("hello\n"), 0o600))
	_, err = eval.OpenState(path, h)
	require.ErrorIs(t, err, eval.ErrState)
	left, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "hello\n", string(left), "another's file stays")
	require.NoError(t, os.WriteFile(path, make([]byte, 2<<20), 0o600))
	_, err = eval.OpenState(path, h)
	assert.ErrorContains(t, err, "line 1: want at most 1048576 bytes")
	_, err = eval.OpenState(t.TempDir(), h)
	require.Error(t, err)
	_, err = eval.OpenState(os.DevNull, h)
	assert.ErrorContains(t, err, "want a plain file")
}

func TestTablesOfGates(t *testing.T) {
	m := open(t, model.Options{})
	list := eval.DropEach(m)
	require.Len(t, list, 96)
	assert.Equal(t, "drop=5:15", list[95])
	got, err := eval.TopK("1-3,8")
	require.NoError(t, err)
	assert.Equal(t, []string{"topk=1", "topk=2", "topk=3", "topk=8"}, got)
	for _, bad := range []string{"", "0", "3-1", "a", "1-"} {
		_, err := eval.TopK(bad)
		assert.ErrorIs(t, err, eval.ErrGates, bad)
	}
	assert.Equal(t, []string{"a", "b;c"}, eval.Lines("a\n# no\n\n b;c \n"))
	_, err = eval.Sweep(context.Background(), m, ids(9), eval.SweepOptions{Gates: []string{"drop=0:99"}})
	assert.ErrorContains(t, err, `gate "drop=0:99"`)
}
