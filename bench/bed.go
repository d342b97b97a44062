package bench

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// test is work to be timed: reading a prompt of n tokens at once, or decoding n tokens one by one from an empty context.
type test struct {
	n      int
	decode bool
}

func (t test) name() string {
	if t.decode {
		return fmt.Sprintf("tg%d", t.n)
	}
	return fmt.Sprintf("pp%d", t.n)
}

// bed is an open model with everything that timing it needs, made before, so that timed runs allocate only what the model
// itself allocates.
type bed struct {
	m      *model.Model
	e      *kernels.Engine // measures the limits; its workers sleep while the model runs
	meter  *Meter
	seed   uint64
	print  model.Footprint
	spread *spread
	seq    *model.Sequence
	out    tensor.Mat
	next   []int32
	batch  model.Batch
}

func newBed(m *model.Model, e *kernels.Engine, meter *Meter, seed uint64) *bed {
	b := &bed{m: m, e: e, meter: meter, seed: seed, print: m.Footprint(), seq: m.NewSequence(), out: tensor.NewMat(1, m.Spec().Vocab)}
	b.spread = newSpread(&b.print)
	b.next = make([]int32, 1)
	b.batch = model.Batch{{Seq: b.seq, Tokens: b.next, Out: b.out}}
	return b
}

// measure fills a row: limits, an untimed run, the repetitions, limits again.
func (b *bed) measure(ctx context.Context, t test, reps int, row ModelRow) (ModelRow, error) {
	if t.n > b.m.Context() {
		return row, fmt.Errorf("%w: %d tokens, the model has room for %d", model.ErrContext, t.n, b.m.Context())
	}
	limits := b.meter.Measure(b.e)
	if err := b.warm(ctx, t); err != nil {
		return row, err
	}
	var cost Cost
	allocs := uint64(math.MaxUint64)
	for rep := range reps {
		ids := b.ids(t.n, rep+1)
		b.spread.reset()
		before, start := mallocs(), time.Now()
		if err := b.run(ctx, t, ids); err != nil {
			return row, err
		}
		took := time.Since(start).Seconds()
		allocs = min(allocs, mallocs()-before)
		row.Samples = append(row.Samples, float64(t.n)/took)
		cost = cost.plus(b.cost(t))
		b.observe(&row, 1/float64(reps))
	}
	row.fill(t, cost.over(reps), limits.Best(b.meter.Measure(b.e)))
	row.Allocs = float64(allocs) / float64(t.n)
	row.Weights = b.print.Weights()
	return row, nil
}

// warm makes the model allocate what it needs for the test, and touches all of its weights that the test will use.
func (b *bed) warm(ctx context.Context, t test) error {
	ids := b.ids(t.n, 0)
	if err := b.run(ctx, test{n: t.n}, ids); err != nil || !t.decode {
		return err
	}
	return b.run(ctx, test{min(t.n, 4), true}, ids)
}

// run does the work once, on an empty sequence.
func (b *bed) run(ctx context.Context, t test, ids []int32) error {
	b.seq.Truncate(0)
	if !t.decode {
		return b.m.Prefill(ctx, b.seq, ids, b.out, b.spread)
	}
	for _, id := range ids[:t.n] {
		b.next[0] = id
		if err := b.m.Step(ctx, b.batch, b.spread); err != nil {
			return err
		}
	}
	return nil
}

// ids are random ones, others for each repetition: repeated tokens would make routing look narrower than it is.
func (b *bed) ids(n, rep int) []int32 {
	r := rand.New(rand.NewPCG(b.seed, uint64(rep)))
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(r.IntN(b.m.Spec().Vocab))
	}
	return ids
}

// cost is that of the run that has just ended, for one token. A prompt counts as one pass, although a long one is computed in
// chunks that read the weights again.
func (b *bed) cost(t test) Cost {
	var c Cost
	routing := b.spread.routing()
	if !t.decode {
		c.add(&b.print, pass{tokens: t.n, logits: 1}, routing)
		return c.over(t.n)
	}
	for i := range routing {
		routing[i].distinct = routing[i].perToken // a token's experts differ from each other
	}
	for i := range t.n {
		c.add(&b.print, pass{tokens: 1, start: i, logits: 1}, routing)
	}
	return c.over(t.n)
}

// observe adds a repetition's share of what the gates did.
func (b *bed) observe(row *ModelRow, share float64) {
	t := b.spread.touched()
	row.Experts = t.Experts
	row.Touched += share * t.Distinct
	row.LoadCV += share * t.LoadCV
}
