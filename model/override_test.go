package model_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// overrides is one of every kind that a request may ask for; "" is the model's own gates.
var overrides = []string{
	"", "topk=1", "temp=0.5;noise=0.3,7", "drop=0,1,2;bias=2:5:1.5", "layers=1-3;score=sigmoid;norm=off;scale=0.5",
	"topp=0.5,min=1,max=8", "random=3", "layers=2;roundrobin", "hash", "force=3:9;skip=0.4", "promote=4;demote=5", "threshold=0.1",
}

func prompt(n, step int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(1 + (i*step+step*step)%4000)
	}
	return out
}

// Every span of a batch gets the bits of a model opened with its gate, however many share the batch: prefill of
// different lengths, then two tokens of decode, on any number of threads.
func TestGateOfASpan(t *testing.T) {
	ctx := context.Background()
	want := make([][]float32, len(overrides))
	for i, gate := range overrides {
		m := openBuiltin(t, model.Options{Gate: gate, Threads: 1})
		seq, ids := m.NewSequence(), prompt(5+3*i, 7+i)
		out := tensor.NewMat(len(ids), m.Spec().Vocab)
		require.NoError(t, m.Prefill(ctx, seq, ids, out, nil), gate)
		one := tensor.NewMat(1, m.Spec().Vocab)
		want[i] = slices.Clone(out.Data)
		for _, id := range []int32{5, 6} {
			require.NoError(t, m.Step(ctx, model.Batch{{Seq: seq, Tokens: []int32{id}, Out: one}}, nil))
			want[i] = append(want[i], one.Data...)
		}
		require.False(t, i > 0 && slices.Equal(want[i], want[0]))
	}
	for _, threads := range []int{1, 2} {
		m := openBuiltin(t, model.Options{Threads: threads})
		got := make([][]float32, len(overrides))
		var batch model.Batch
		for i, text := range overrides {
			g, err := m.CompileGate(text)
			require.NoError(t, err)
			assert.Equal(t, text, g.String())
			ids := prompt(5+3*i, 7+i)
			batch = append(batch, model.Span{Seq: m.NewSequence(), Tokens: ids, Out: tensor.NewMat(len(ids), m.Spec().Vocab), Gate: g})
		}
		rec := moe.NewRecorder(moe.RecordLogits)
		for _, id := range []int32{0, 5, 6} {
			if id > 0 {
				for i := range batch {
					batch[i].Tokens, batch[i].Out = []int32{id}, tensor.NewMat(1, m.Spec().Vocab)
				}
			}
			require.NoError(t, m.Step(ctx, batch, rec))
			for i := range batch {
				got[i] = append(got[i], batch[i].Out.Data...)
			}
		}
		for i := range want {
			assert.True(t, slices.Equal(want[i], got[i]), "%q, %d threads", overrides[i], threads)
		}
		tokens := rec.Layer(2).Tokens()
		assert.Equal(t, 12*5+3*66+2*12, tokens, "an observer sees every token")
		assert.Len(t, rec.Layer(2).Logits, 16*tokens)
	}
}

// A request's gate stands on top of the model's own.
func TestGateOnTopOfTheModels(t *testing.T) {
	want := openBuiltin(t, model.Options{Gate: "topk=2;layers=1;temp=0.5"})
	m := openBuiltin(t, model.Options{Gate: "topk=2"})
	g, err := m.CompileGate("layers=1;temp=0.5")
	require.NoError(t, err)
	a, err := want.Logits(context.Background(), prompt(9, 3))
	require.NoError(t, err)
	b := tensor.NewMat(9, m.Spec().Vocab)
	require.NoError(t, m.PrefillSpan(context.Background(), model.Span{Seq: m.NewSequence(), Tokens: prompt(9, 3), Out: b, Gate: g}, nil))
	assert.Equal(t, a.Data, b.Data)
	assert.Equal(t, 2, m.Gates(g)[0].MaxK)
}

// A session that changes its gate forgets what it held when a text is read anew.
func TestSessionChangesItsGate(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	g, err := m.CompileGate("topk=1")
	require.NoError(t, err)
	ses := m.NewSession()
	defer ses.Close()
	run := func() (out []int32) {
		for tok, err := range ses.GenerateIDs(context.Background(), ses.Reuse(prompt(20, 3)), model.GenerateOptions{MaxTokens: 8}) {
			require.NoError(t, err)
			out = append(out, tok.ID)
		}
		return out
	}
	own := run()
	ses.UseGate(g)
	changed := run()
	ses.UseGate(nil)
	assert.Equal(t, own, run())
	assert.NotEqual(t, own, changed)
}

// Gates are refused in one line that says what is allowed, whoever asks.
func TestGatesRefused(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	for text, want := range map[string]string{
		"tpok=2":              "want a key of layers",
		"topk=17":             "want 1 to 16, found 17",
		"layers=6;topk=2":     "want 0 to 5, found 6-6",
		"drop=2:16":           "layer 2: bad gate: drop: want an expert from 0 to 15, found 16",
		"force=2:1;drop=2:1":  "want expert 1 in one of force and drop",
		"random=1;roundrobin": "found random and roundrobin",
		"replay=/nowhere/t":   "/nowhere/t",
		"file=/nowhere/t":     "/nowhere/t",
		"random=1;temp=2":     "random: want no edits",
		"drop=0:0,1,2,3,4,5,6,7,8;drop=0:9,10,11,12,13,14,15": "found all 16 dropped",
	} {
		_, err := m.CompileGate(text)
		require.Error(t, err, text)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
	}
	g, err := openBuiltin(t, model.Options{}).CompileGate("topk=2")
	require.NoError(t, err)
	sp := model.Span{Seq: m.NewSequence(), Tokens: []int32{1}, Gate: g}
	assert.ErrorIs(t, m.Step(context.Background(), model.Batch{sp}, nil), model.ErrOption)
}

// The same for every family, with shared experts, SparseMixer and multipliers.
func TestGateOfASpanInEveryFamily(t *testing.T) {
	for _, family := range []string{"mixtral", "olmoe", "phimoe", "qwen2-moe", "qwen3-moe-dense-layer", "granitemoeshared", "flex-olmo"} {
		dir := "../testdata/goldens/" + family
		texts := []string{"", "shared=off", "random=1;shared=off", "temp=0.7", "topk=1"}
		m, err := model.Open(dir, model.Options{Threads: 2})
		require.NoError(t, err)
		defer m.Close()
		var batch model.Batch
		for _, text := range texts {
			g, err := m.CompileGate(text)
			require.NoError(t, err, "%s %s", family, text)
			batch = append(batch, model.Span{Seq: m.NewSequence(), Tokens: prompt(9, 3)[:9], Out: tensor.NewMat(9, m.Spec().Vocab), Gate: g})
			for i := range batch[0].Tokens {
				batch[len(batch)-1].Tokens[i] %= int32(m.Spec().Vocab)
			}
		}
		require.NoError(t, m.Step(context.Background(), batch, nil))
		for i, text := range texts {
			alone, err := model.Open(dir, model.Options{Threads: 1, Gate: text})
			require.NoError(t, err)
			want, err := alone.Logits(context.Background(), batch[i].Tokens)
			require.NoError(t, err)
			assert.True(t, slices.Equal(want.Data, batch[i].Out.Data), "%s %q", family, text)
			require.NoError(t, alone.Close())
		}
		shared := family == "qwen2-moe" || family == "granitemoeshared"
		assert.Equal(t, shared, !slices.Equal(batch[0].Out.Data, batch[1].Out.Data), "%s: only shared experts can be left out", family)
	}
}

// Gates that decide about whole texts read a prompt in one piece, whatever the chunk, each text of a batch for itself, and
// decode nothing.
func TestGatesOfWholeTexts(t *testing.T) {
	ctx := context.Background()
	for _, gate := range []string{"expertchoice", "expertchoice=2", "softmoe", "softmoe;temp=2"} {
		m := openBuiltin(t, model.Options{Gate: gate, Chunk: 3})
		want, err := m.Logits(ctx, prompt(20, 3))
		require.NoError(t, err)
		whole := openBuiltin(t, model.Options{Threads: 1})
		g, err := whole.CompileGate(gate)
		require.NoError(t, err)
		assert.True(t, whole.WholeText(g))
		assert.False(t, whole.WholeText(nil))
		seq, out := whole.NewSequence(), tensor.NewMat(20, m.Spec().Vocab)
		batch := model.Batch{{Seq: seq, Tokens: prompt(20, 3), Out: out, Gate: g}}
		if gate[0] == 'e' {
			batch = append(batch, model.Span{Seq: whole.NewSequence(), Tokens: prompt(7, 5), Gate: g})
		}
		require.NoError(t, whole.Step(ctx, batch, nil))
		assert.Equal(t, want.Data, out.Data, gate)
		err = whole.Step(ctx, model.Batch{{Seq: seq, Tokens: []int32{1}, Gate: g}}, nil)
		assert.ErrorIs(t, err, moe.ErrGate)
		assert.ErrorContains(t, err, "prefill only, no decoding), found position 20")
		plain, err := whole.Logits(ctx, prompt(20, 3))
		require.NoError(t, err)
		assert.NotEqual(t, plain.Data, out.Data)
	}
}
