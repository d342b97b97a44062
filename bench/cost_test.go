package bench

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/random"
)

// small is a mixture small enough for a test.
func small() random.Shape {
	return random.Shape{
		Name: "small", Family: "qwen3_moe", Layers: 2, Hidden: 64, Heads: 4, KVHeads: 2, HeadDim: 16,
		Experts: 8, TopK: 2, Width: 32, Vocab: 100, Context: 256, Eps: 1e-6, Theta: 1e4,
	}
}

func openSmall(t *testing.T) *model.Model {
	t.Helper()
	src, err := random.New(small(), random.Options{})
	require.NoError(t, err)
	m, err := src.Open(model.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

// The figures of a layer of small, by hand; weights are bf16.
const (
	attnElems   = 64*64 + 2*32*64 + 64*64 // q, k and v, o
	expertElems = 3 * 32 * 64
	routerElems = 8 * 64
	layerNorms  = 4 * (2*64 + 2*16)  // two of the stream, and those of q and k, in f32
	kvBytes     = 4 * 2 * 2 * 16     // of a position
	headElems   = 100 * 64           // bf16
	rest        = 4*64 + 2*headElems // final norm and head
	fixedBytes  = 2*(2*attnElems+2*routerElems+layerNorms) + rest
)

// TestDecodeCost counts decoding 3 tokens by hand: positions 0, 1 and 2 see 1, 2 and 3 positions.
func TestDecodeCost(t *testing.T) {
	f := openSmall(t).Footprint()
	var c Cost
	for i := range 3 {
		c.add(&f, pass{tokens: 1, start: i, logits: 1}, []routed{{2, 2}, {2, 2}})
	}
	c = c.over(3)
	const kv = 2 * kvBytes * (1 + 2 + 3) / 3 // two layers
	require.EqualValues(t, fixedBytes+2*2*2*expertElems+2*64+kv, c.Bytes)
	require.EqualValues(t, 2*2*routerElems, c.Router)
	const pair = 2 * 4 * 16 // scores and mix of all heads
	require.EqualValues(t, 2*(2*(attnElems+routerElems+2*expertElems)+headElems+2*pair*2), c.Ops[model.F32])
	require.Equal(t, c.Total(), c.Ops[model.F32])
}

// TestPromptCost counts a prompt of 4 tokens by hand: 7 and 5 of the 8 experts are touched; one row of logits.
func TestPromptCost(t *testing.T) {
	f := openSmall(t).Footprint()
	var c Cost
	c.add(&f, pass{tokens: 4, logits: 1}, []routed{{7, 2}, {5, 2}})
	require.EqualValues(t, fixedBytes+(7+5)*2*expertElems+4*2*64+2*kvBytes*4, c.Bytes)
	const pair = 2 * 4 * 16
	require.EqualValues(t, 2*(4*2*(attnElems+routerElems+2*expertElems)+headElems+2*pair*(1+2+3+4)), c.Total())
}

// TestFootprintIsWhole: the parts add up to the tensors of the model. Vectors are widened from bf16 to f32.
func TestFootprintIsWhole(t *testing.T) {
	m := openSmall(t)
	f := m.Footprint()
	var want int64
	for _, c := range m.Claims() {
		n := int64(c.Bytes)
		if len(c.Shape) == 1 {
			n *= 2
		}
		want += n
	}
	require.Equal(t, want, f.Weights()+f.EmbedRow*100)
}

// TestQuantisedFootprint: under each scheme the parts add up to what is in memory, and products with packed weights count as
// products of bytes; the router stays f32. The head of small has 100 rows, 7 panels.
func TestQuantisedFootprint(t *testing.T) {
	src, err := random.New(small(), random.Options{Shared: true})
	require.NoError(t, err)
	defer src.Close()
	const q8, q4 = 1088, 576 // of 16 rows and 64 columns
	for quant, want := range map[string]struct{ attn, expert int64 }{
		"int8":  {attnElems / 1024 * q8, 3 * 2 * q8},
		"mixed": {attnElems / 1024 * q8, (2*2*q4 + 2*2*128) + (4*q4 + 4*128)},
		"int4":  {attnElems/1024*q4 + (4+2+2+4)*128, (2*2*q4 + 2*2*128) + (4*q4 + 4*128)},
	} {
		m, err := src.Open(model.Options{Quant: quant, Threads: 1})
		require.NoError(t, err)
		f := m.Footprint()
		norms := int64(4 * (2 * 16))
		require.Equal(t, want.attn+norms, f.Layers[0].Mixer.Bytes, quant)
		if quant == "int8" { // down has 32 columns, padded to 64
			want.expert = 2*2*q8 + 4*q8
		}
		require.Equal(t, want.expert, f.Layers[0].Expert.Bytes, quant)
		require.EqualValues(t, 7*q8, f.Head.Bytes, "the head is int8 in all of them")
		require.EqualValues(t, expertElems, f.Layers[0].Expert.MACs[model.Int8])
		require.EqualValues(t, routerElems, f.Layers[0].Router.MACs[model.F32])
		require.EqualValues(t, 2*routerElems, f.Layers[0].Router.Bytes)
		require.NoError(t, m.Close())
	}
}

// TestAttended holds the closed windows against counting.
func TestAttended(t *testing.T) {
	for _, window := range []int{0, 1, 3, 100} {
		for _, p := range []pass{{tokens: 1}, {tokens: 1, start: 9}, {tokens: 7}, {tokens: 5, start: 2}} {
			seen, pairs := map[int]bool{}, int64(0)
			for q := p.start; q < p.start+p.tokens; q++ {
				for k := 0; k <= q; k++ {
					if window == 0 || q-k < window {
						seen[k] = true
						pairs++
					}
				}
			}
			gotSeen, gotPairs := p.attended(window)
			require.EqualValues(t, len(seen), gotSeen, "%+v window %d", p, window)
			require.Equal(t, pairs, gotPairs)
		}
	}
}

// TestSeconds: the slower of reading and computing counts, and the kinds of arithmetic add up.
func TestSeconds(t *testing.T) {
	c := Cost{Bytes: 4e9, Ops: [model.NumAriths]float64{model.F32: 100e9, model.Int8: 600e9}}
	require.InDelta(t, 2, c.Seconds(Limits{Read: 2, F32: 100, Int8: 1200}), 1e-12)   // 2 s of reading, 1.5 s of computing
	require.InDelta(t, 1.5, c.Seconds(Limits{Read: 4, F32: 100, Int8: 1200}), 1e-12) // 1 s of reading
}

// TestRunsCountRouting runs both kinds of test and compares what the row says with what the shape must give.
func TestRunsCountRouting(t *testing.T) {
	var rows []ModelRow
	r := &modelRun{ModelOptions: ModelOptions{
		Shapes: []random.Shape{small()}, Prompts: []int{64}, Gens: []int{8}, Reps: 3, Threads: []int{1},
	}, meter: &Meter{bytes: 1 << 20}, row: func(r ModelRow) error { rows = append(rows, r); return nil }}
	r.defaults()
	require.NoError(t, r.shape(context.Background(), small()))
	require.Len(t, rows, 2)
	pp, tg := rows[0], rows[1]
	require.Equal(t, "pp64", pp.Test)
	require.InDelta(t, 8, pp.Touched, 0.01, "64 tokens touch every expert")
	require.EqualValues(t, fixedBytes+2*8*2*expertElems+64*2*64+2*kvBytes*64, pp.Bytes*64)
	require.Equal(t, "tg8", tg.Test)
	require.EqualValues(t, fixedBytes+2*2*2*expertElems+2*64+2*kvBytes*9/2, tg.Bytes)
	require.Zero(t, tg.Allocs, "decode allocates nothing")
	for _, row := range rows {
		require.Len(t, row.Samples, 3)
		require.Equal(t, median(row.Samples), row.TokS)
		require.InEpsilon(t, row.TokS/row.Limit, row.Fraction, 1e-12)
		require.Positive(t, row.Fraction)
		require.Positive(t, row.Read)
		require.Equal(t, 8, row.Experts)
	}
}

// TestInterrupt: a context that is done stops the run with its error, between rows and inside one.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	rows := 0
	r := &modelRun{ModelOptions: ModelOptions{Prompts: []int{4, 8}, Reps: 1, Threads: []int{1}}, meter: &Meter{bytes: 1 << 20},
		row: func(ModelRow) error { rows++; cancel(); return nil }}
	r.defaults()
	require.ErrorIs(t, r.shape(ctx, small()), context.Canceled)
	require.Equal(t, 1, rows)
}

func TestMedian(t *testing.T) {
	require.Equal(t, 2.0, median([]float64{9, 1, 2}))
	require.Equal(t, 1.5, median([]float64{1, 2}))
	require.InDelta(t, 1.0, deviation([]float64{1, 2, 3}), 1e-12)
	require.Zero(t, deviation([]float64{5}))
}
