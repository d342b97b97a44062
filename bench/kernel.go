package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
)

// KernelOptions says which kernels are measured. Empty lists mean the defaults.
type KernelOptions struct {
	Ops     []string      // of KernelOps; empty: all
	DTypes  []string      // of weights or data; empty: all that an operation has
	Levels  []string      // empty: all levels of this CPU
	Rows    []int         // of activations; empty: those of each operation
	Threads []int         // empty: all cores
	Time    time.Duration // of a row; 0: 50 ms
	Buffer  int           // bytes that the memory limit is measured with; 0: ReadBytes
	Say     func(string)  // progress, or nil
}

// KernelRow is one measured kernel.
type KernelRow struct {
	Op        string  `json:"op"`
	DType     string  `json:"dtype"`
	Level     string  `json:"level"`
	Threads   int     `json:"threads"`
	Rows      int     `json:"rows"`
	Shape     string  `json:"shape"`
	Ns        float64 `json:"ns"`       // of one call, median
	StdDev    float64 `json:"stddev"`   // in ns
	Gops      float64 `json:"gop_s"`    // operations, a multiply-add is 2
	GBs       float64 `json:"gb_s"`     // of what a call has to read and write
	Ops       float64 `json:"ops"`      // of a call
	Bytes     float64 `json:"bytes"`    // of a call
	Fraction  float64 `json:"fraction"` // of the limit that binds
	Bound     string  `json:"bound"`    // which limit that is: memory, f32, int8 or bf16
	Limit     float64 `json:"limit_gop_s"`
	Generic   float64 `json:"speedup_generic"`  // over the generic level, per operation; 0: not measured
	Gonum     float64 `json:"speedup_gonum"`    // over gonum's f32 product of the shape; 0: it has no such operation
	Gorgonia  float64 `json:"speedup_gorgonia"` // over gorgonia's
	Read      float64 `json:"read_gb_s"`        // from where the operation's data lies
	F32       float64 `json:"f32_gflops"`
	Int8      float64 `json:"int8_gops"`
	Tile      float64 `json:"int8_tiles_gops"` // 0: the level has no tiles
	TileBF16  float64 `json:"bf16_tiles_gflops"`
	BF16      float64 `json:"bf16_gflops"`
	Memory    float64 `json:"memory_gb_s"` // from memory far beyond the caches
	Footprint int     `json:"footprint"`   // bytes that the calls go round in

	samples []float64 // ns of a call, some of them, evenly chosen
}

// kernelCase is an operation with its data, ready to run.
type kernelCase struct {
	shape     string
	ops       float64 // of a call
	bytes     float64 // of a call
	footprint int     // bytes that calls go round in
	arith     model.Arith
	serial    bool // one thread does it, whatever the engine has
	run       func()
	mem       *arena // of weights, or nil
}

func (c *kernelCase) free() {
	if c.mem != nil {
		_ = c.mem.free() // memory that cannot be given back is the system's trouble
	}
}

// kernelOp is one operation of the table.
type kernelOp struct {
	name   string
	dtypes []string
	rows   []int // by default
	// build makes the case; small asks for less of the same work, for levels and libraries that take long.
	build func(e *kernels.Engine, dtype string, rows int, small bool) kernelCase
	// rivals are the products of other libraries of the same shape, or nil.
	rivals func(rows int) []rival
}

// rival is another library's f32 version of an operation.
type rival struct {
	name string
	ops  float64
	run  func()
}

// KernelOps lists the names of the operations.
func KernelOps() []string {
	var names []string
	for _, o := range kernelOps() {
		names = append(names, o.name)
	}
	return names
}

// Kernels measures and hands each row over as soon as it is there. It stops with the context's error between rows.
func Kernels(ctx context.Context, o KernelOptions, row func(KernelRow) error) error {
	if err := o.Check(); err != nil {
		return err
	}
	r := &kernelRun{KernelOptions: o, row: row, base: map[string]float64{}, meter: NewMeter(o.Buffer)}
	r.defaults()
	defer r.meter.Close()
	for _, threads := range r.Threads {
		for _, level := range r.Levels {
			if err := r.level(ctx, level, threads); err != nil {
				return err
			}
		}
	}
	return nil
}

// Check refuses names that do not exist and numbers that make no sense.
func (o *KernelOptions) Check() error {
	dtypes := []string{"f32", "bf16", "f16", "int8", "int4"}
	for _, l := range []struct {
		name       string
		have, want []string
	}{{"op", o.Ops, KernelOps()}, {"dtype", o.DTypes, dtypes}, {"level", o.Levels, kernels.Levels()}} {
		for _, v := range l.have {
			if !slices.Contains(l.want, v) {
				return fmt.Errorf("%s: want one of %s, found %q", l.name, strings.Join(l.want, ", "), v)
			}
		}
	}
	for _, n := range o.Rows {
		if n < 1 || n > maxBenchRows {
			return fmt.Errorf("rows: want 1 to %d, found %d", maxBenchRows, n)
		}
	}
	return nil
}

const maxBenchRows = 1 << 16

type kernelRun struct {
	KernelOptions
	row   func(KernelRow) error
	meter *Meter
	base  map[string]float64 // rates of generic and the other libraries, by what was measured

	single *kernels.Engine // one thread of the level at hand
	limits Limits          // of the level and threads at hand, all of them
	last   closest         // behind the last row
}

func (r *kernelRun) defaults() {
	if len(r.Levels) == 0 {
		r.Levels = kernels.Levels()
		slices.Reverse(r.Levels) // the best first
	}
	if len(r.Threads) == 0 {
		r.Threads = []int{0}
	}
	if r.Time == 0 {
		r.Time = 50 * time.Millisecond
	}
	if r.Say == nil {
		r.Say = func(string) {}
	}
}

// level measures every operation at one level.
func (r *kernelRun) level(ctx context.Context, level string, threads int) error {
	e, err := kernels.New(kernels.Options{Level: level, Threads: threads})
	if err != nil {
		return err
	}
	defer e.Close()
	generic, err := kernels.New(kernels.Options{Level: "generic", Threads: e.Threads()})
	if err != nil {
		return err
	}
	defer generic.Close()
	if r.single, err = kernels.New(kernels.Options{Level: level, Threads: 1}); err != nil {
		return err
	}
	defer r.single.Close()
	r.limits = r.meter.Measure(e)
	for _, op := range kernelOps() {
		if len(r.Ops) > 0 && !slices.Contains(r.Ops, op.name) {
			continue
		}
		for _, dtype := range op.dtypes {
			if len(r.DTypes) > 0 && !slices.Contains(r.DTypes, dtype) {
				continue
			}
			if err := r.rows(ctx, op, dtype, e, generic); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *kernelRun) rows(ctx context.Context, op kernelOp, dtype string, e, generic *kernels.Engine) error {
	list := r.Rows
	if len(list) == 0 {
		list = op.rows
	}
	for _, n := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		r.Say(fmt.Sprintf("%s %s, %d rows, %s, %d threads", op.name, dtype, n, e.Level(), e.Threads()))
		row := r.measure(op, dtype, n, e)
		row.Generic = ratio(row.Gops, r.generic(op, dtype, n, generic))
		row.Gonum = ratio(row.Gops, r.rival(op, "gonum", n))
		row.Gorgonia = ratio(row.Gops, r.rival(op, "gorgonia", n))
		if err := r.row(row); err != nil {
			return err
		}
	}
	return nil
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// measure times one case between two measurements of the limits that can bind it.
func (r *kernelRun) measure(op kernelOp, dtype string, rows int, e *kernels.Engine) KernelRow {
	c := op.build(e, dtype, rows, false)
	defer c.free()
	c.run() // its memory is touched, its buffers are made
	able := e
	if c.serial {
		able = r.single
	}
	before := r.closest(able, &c)
	times := sample(c.run, r.Time)
	after := r.take(able, &c)
	r.last = after
	if c.footprint >= coldBytes/2 {
		r.limits.Read = max(r.limits.Read, before.near, after.near)
	}
	l := r.limits
	*l.rate(c.arith) = max(before.peak, after.peak)
	row := KernelRow{
		Op: op.name, DType: dtype, Level: e.Level(), Threads: e.Threads(), Rows: rows, Shape: c.shape, Ns: median(times) * 1e9,
		StdDev: deviation(times) * 1e9, Ops: c.ops, Bytes: c.bytes, Footprint: c.footprint,
		Read: max(before.near, after.near), Memory: l.Read, F32: l.F32, Int8: l.Int8, BF16: l.BF16, Tile: l.Tile, TileBF16: l.TileBF16,
	}
	row.samples = pick(times, 10)
	row.Gops, row.GBs = c.ops/row.Ns, c.bytes/row.Ns
	row.bind(&c, l)
	return row
}

// pick takes up to n values of a list at even distances, in nanoseconds.
func pick(seconds []float64, n int) []float64 {
	n = min(n, len(seconds))
	out := make([]float64, n)
	for i := range out {
		out[i] = seconds[i*len(seconds)/n] * 1e9
	}
	return out
}

// closest are limits taken beside a row.
type closest struct {
	e          *kernels.Engine
	arith      model.Arith
	footprint  int
	peak, near float64
}

// closest takes the limits before a row, unless those behind the last row are of the same kind: they are as close.
func (r *kernelRun) closest(e *kernels.Engine, c *kernelCase) closest {
	if l := r.last; l.e == e && l.arith == c.arith && l.footprint == c.footprint {
		return l
	}
	return r.take(e, c)
}

func (r *kernelRun) take(e *kernels.Engine, c *kernelCase) closest {
	return closest{e, c.arith, c.footprint, r.meter.peak(e, c.arith), r.meter.near(e, c.footprint)}
}

// bind finds the limit that binds: the lower one of the peak and of what reading allows at the operation's intensity.
func (row *KernelRow) bind(c *kernelCase, l Limits) {
	peak, memory := l.peak(c.arith)/1e9, c.ops/c.bytes*row.Read
	row.Limit, row.Bound = peak, [model.NumAriths]string{model.F32: "f32", model.Int8: "int8", model.BF16: "bf16"}[c.arith]
	if memory < peak {
		row.Limit, row.Bound = memory, "memory"
	}
	row.Fraction = row.Gops / row.Limit
}

// generic is the rate of the generic level, measured once.
func (r *kernelRun) generic(op kernelOp, dtype string, rows int, e *kernels.Engine) float64 {
	key := fmt.Sprint("generic", op.name, dtype, rows, e.Threads())
	if _, ok := r.base[key]; !ok {
		c := op.build(e, dtype, rows, true)
		defer c.free()
		r.base[key] = c.ops / median(sample(c.run, r.Time/2)) / 1e9
	}
	return r.base[key]
}

// rival is the rate of another library, measured once; 0 where it has no such operation.
func (r *kernelRun) rival(op kernelOp, name string, rows int) float64 {
	if op.rivals == nil {
		return 0
	}
	key := fmt.Sprint(name, op.name, rows)
	if _, ok := r.base[key]; !ok {
		for _, v := range op.rivals(rows) {
			r.base[fmt.Sprint(v.name, op.name, rows)] = v.ops / median(sample(v.run, r.Time/2)) / 1e9
		}
	}
	return r.base[key]
}

// sample calls f for about so long, at least three times, and gives the seconds of a call; very short calls are timed in
// groups.
func sample(f func(), long time.Duration) []float64 {
	group := 1
	start := time.Now()
	f()
	if took := time.Since(start); took < 20*time.Microsecond {
		group = int(20*time.Microsecond/max(took, 50*time.Nanosecond)) + 1
	}
	var times []float64
	for begin := time.Now(); len(times) < 3 || time.Since(begin) < long; {
		start := time.Now()
		for range group {
			f()
		}
		times = append(times, time.Since(start).Seconds()/float64(group))
	}
	return times
}
