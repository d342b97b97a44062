package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seed2fbf7788/switchyard/bench"
)

const benchKernelsUsage = `[flags]

Times the kernels alone and holds each against what binds it: the peak of its arithmetic, or reading at its operations per
byte, from memory or from the caches, wherever the data of its calls lies; limits are measured right before and after. The
columns generic, gonum and gorgonia are speed-ups over the Go specification and over these libraries' f32 products.

Operations: `

// kernelFlags are the flags of `bench kernels`.
type kernelFlags struct {
	ops, dtypes, levels words
	rows, threads       counts
	time                time.Duration
	buffer              int
	format, plot        string
}

func (f *kernelFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "bench kernels", benchKernelsUsage+strings.Join(bench.KernelOps(), ", "))
	fs.Var(&f.ops, "op", "only these `operations`")
	fs.Var(&f.dtypes, "dtype", "only these `types` of weights or data: f32, bf16, f16, int8, int4")
	fs.Var(&f.levels, "level", "instruction-set `levels` (default: all of this CPU)")
	fs.Var(&f.rows, "rows", "`numbers` of rows (default: some for each operation)")
	fs.Var(&f.threads, "t", "`numbers` of threads (default: all cores)")
	fs.IntVar(&f.buffer, "buffer", bench.ReadBytes>>20, "`MiB` that the memory limit is measured with")
	fs.DurationVar(&f.time, "time", 50*time.Millisecond, "of each row")
	fs.StringVar(&f.format, "o", "md", "output: md, csv, json or bench (for benchstat)")
	fs.StringVar(&f.plot, "plot", "", "also draw a roofline into this `file`, png or svg")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	case f.buffer < 1 || f.buffer > 1<<20:
		return fmt.Errorf("%w: --buffer: want 1 to %d, found %d", errUsage, 1<<20, f.buffer)
	case f.time <= 0 || f.time > time.Hour:
		return fmt.Errorf("%w: --time: want up to an hour, found %v", errUsage, f.time)
	}
	return nil
}

func benchKernels(ctx context.Context, s stdio, args []string) error {
	var f kernelFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	o := bench.KernelOptions{
		Ops: f.ops, DTypes: f.dtypes, Levels: f.levels, Rows: f.rows.positive(), Threads: f.threads.list, Time: f.time, Buffer: f.buffer << 20,
	}
	if err := o.Check(); err != nil {
		return fmt.Errorf("%w: %v", errUsage, err)
	}
	p, err := newOutput[bench.KernelRow](s, f.format, f.plot)
	if err != nil {
		return err
	}
	o.Say = p.say
	return p.close(bench.Kernels(ctx, o, p.row), bench.KernelPicture)
}
