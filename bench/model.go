package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/random"
)

// ModelOptions says which models are measured with which work. Every combination is measured, in the order of the fields.
type ModelOptions struct {
	Shapes  []random.Shape   // of random weights
	Open    []Opener         // checkpoints, behind the shapes
	Quant   []string         // weights; empty: as they are
	Compute []string         // arithmetic; empty: f32
	KV      []string         // form of the cache; empty: f32
	Levels  []string         // of the kernels; empty: the best
	Threads []int            // empty: all cores
	Prompts []int            // lengths of prompts to read: tests pp512 …
	Gens    []int            // numbers of tokens to decode from an empty context: tests tg64 …
	Reps    int              // of each test; 0: 3
	Seed    uint64           // of weights and ids
	Buffer  int              // bytes that the memory limit is measured with; 0: ReadBytes
	Say     func(msg string) // progress, or nil
}

// Opener names a checkpoint and opens it.
type Opener struct {
	Name string
	Open func(model.Options) (*model.Model, error)
}

// Dir opens a folder.
func Dir(dir string) Opener {
	return Opener{filepath.Base(filepath.Clean(dir)), func(o model.Options) (*model.Model, error) { return model.Open(dir, o) }}
}

// ModelRow is one measured test. Rates are tokens per second; bytes and operations are per token.
type ModelRow struct {
	Shape     string    `json:"shape"`
	Quant     string    `json:"quant"`
	Compute   string    `json:"compute"`
	KV        string    `json:"kv"`
	Level     string    `json:"level"`
	Threads   int       `json:"threads"`
	Test      string    `json:"test"`
	TokS      float64   `json:"tok_s"`       // median of the repetitions
	StdDev    float64   `json:"stddev"`      // of them, in tokens per second
	Limit     float64   `json:"limit_tok_s"` // what the limits below allow; see Cost.Seconds
	Fraction  float64   `json:"fraction"`    // tok_s / limit_tok_s
	Bytes     float64   `json:"active_bytes"`
	Ops       float64   `json:"ops"`
	Read      float64   `json:"read_gb_s"`
	F32       float64   `json:"f32_gflops"`
	Int8      float64   `json:"int8_gops"`
	Tile      float64   `json:"int8_tiles_gops"` // 0: the level has no tiles
	TileBF16  float64   `json:"bf16_tiles_gflops"`
	BF16      float64   `json:"bf16_gflops"`
	Allocs    float64   `json:"allocs_per_token"` // least of the repetitions: now and then the runtime allocates for itself
	OpsF32    float64   `json:"ops_f32"`
	OpsInt8   float64   `json:"ops_int8"`
	OpsBF16   float64   `json:"ops_bf16"`
	Experts   int       `json:"experts"`         // of a mixture layer; 0: dense
	Touched   float64   `json:"experts_touched"` // distinct ones that a run worked with, mean of the layers
	LoadCV    float64   `json:"load_cv"`         // standard deviation of their loads by the mean
	Router    float64   `json:"router_bytes"`    // of active_bytes, those of the gates' own matrices
	Weights   int64     `json:"weight_bytes"`    // of the model without its embedding
	MsPerTok  float64   `json:"ms_per_token"`    // 1000 / tok_s
	Samples   []float64 `json:"samples_tok_s"`   // the repetitions
	TestCount int       `json:"test_tokens"`
}

// Models measures and hands each row over as soon as it is there. It stops with the context's error, within a token.
func Models(ctx context.Context, o ModelOptions, row func(ModelRow) error) error {
	r := &modelRun{ModelOptions: o, meter: NewMeter(o.Buffer), row: row}
	r.defaults()
	defer r.meter.Close()
	for _, s := range o.Shapes {
		if err := r.shape(ctx, s); err != nil {
			return err
		}
	}
	for _, c := range o.Open {
		if err := r.weights(ctx, c, r.Quant); err != nil {
			return err
		}
	}
	return nil
}

type modelRun struct {
	ModelOptions
	meter *Meter
	row   func(ModelRow) error
}

func (r *modelRun) defaults() {
	if r.Reps == 0 {
		r.Reps = 3
	}
	if len(r.Quant) == 0 {
		r.Quant = []string{""}
	}
	if len(r.Compute) == 0 {
		r.Compute = []string{model.ComputeF32}
	}
	if len(r.KV) == 0 {
		r.KV = []string{model.KVF32}
	}
	if len(r.Levels) == 0 {
		r.Levels = []string{""}
	}
	if len(r.Threads) == 0 {
		r.Threads = []int{0}
	}
	if r.Say == nil {
		r.Say = func(string) {}
	}
}

const quantNone = "none"

// shape makes the weights of a shape, once for schemes that follow each other and quantise.
func (r *modelRun) shape(ctx context.Context, s random.Shape) (err error) {
	var src *random.Source
	last := random.Options{}
	done := func() error {
		if src == nil {
			return nil
		}
		return src.Close()
	}
	defer func() { err = errors.Join(err, done()) }()
	for _, quant := range r.Quant {
		if err := ctx.Err(); err != nil {
			return err
		}
		o := random.Options{Seed: r.Seed, Shared: quant != "" && quant != quantNone}
		if src == nil || o != last {
			r.Say("making weights of " + s.Name)
			if err := done(); err != nil {
				return err
			}
			if src, err = random.New(s, o); err != nil {
				return err
			}
			last = o
		}
		if err := r.weights(ctx, Opener{s.Name, src.Open}, []string{quant}); err != nil {
			return err
		}
	}
	return nil
}

// weights goes through everything that is to be measured of a checkpoint.
func (r *modelRun) weights(ctx context.Context, c Opener, quants []string) error {
	for _, head := range r.heads(c.Name, quants) {
		err := r.model(ctx, c, head)
		debug.FreeOSMemory() // before the next model needs the room
		if err != nil {
			return err
		}
	}
	return nil
}

// heads are the rows to be filled: every combination of what a model is opened with.
func (r *modelRun) heads(name string, quants []string) []ModelRow {
	var list []ModelRow
	for _, quant := range quants {
		for _, compute := range r.Compute {
			for _, kv := range r.KV {
				for _, level := range r.Levels {
					for _, threads := range r.Threads {
						list = append(list, ModelRow{Shape: name, Quant: quant, Compute: compute, KV: kv, Level: level, Threads: threads})
					}
				}
			}
		}
	}
	return list
}

// model opens a model and runs all tests with it.
func (r *modelRun) model(ctx context.Context, c Opener, head ModelRow) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.Say(fmt.Sprintf("opening %s %s", c.Name, head.Quant))
	m, err := c.Open(head.options())
	if err != nil {
		return err
	}
	defer m.Close()
	e, err := kernels.New(kernels.Options{Level: m.Level(), Threads: m.Threads()})
	if err != nil {
		return err
	}
	defer e.Close()
	head.Quant, head.Level, head.Threads = m.Quant(), m.Level(), m.Threads()
	b := newBed(m, e, r.meter, r.Seed)
	for _, t := range r.tests() {
		r.Say(fmt.Sprintf("%s %s %s, %d threads: %s", c.Name, head.Quant, head.Level, head.Threads, t.name()))
		row, err := b.measure(ctx, t, r.Reps, head)
		if err != nil {
			return fmt.Errorf("%s %s: %w", c.Name, t.name(), err)
		}
		if err := r.row(row); err != nil {
			return err
		}
	}
	return nil
}

// options are those of the model that a row asks for.
func (row *ModelRow) options() model.Options {
	return model.Options{Level: row.Level, Threads: row.Threads, Compute: row.Compute, Quant: row.Quant, KV: row.KV}
}

func (r *modelRun) tests() []test {
	var list []test
	for _, n := range r.Prompts {
		list = append(list, test{n, false})
	}
	for _, n := range r.Gens {
		list = append(list, test{n, true})
	}
	return list
}

// mallocs is how many objects the process has allocated so far.
func mallocs() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Mallocs
}
