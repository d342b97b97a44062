package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/bench"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/random"
)

func benchCommand(ctx context.Context, s stdio, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "model":
			return benchModel(ctx, s, args[1:])
		case "serve":
			return benchServe(ctx, s, args[1:])
		case "kernels":
			return benchKernels(ctx, s, args[1:])
		case "-h", "-help", "--help":
			fmt.Fprintln(s.out, "Usage: switchyard bench model|serve|kernels [flags]\n\nswitchyard bench model -h and switchyard bench kernels -h list the flags.")
			return nil
		}
	}
	return fmt.Errorf("%w: want bench model, bench serve or bench kernels", errUsage)
}

// words is a flag that holds a list: given several times, or parted by commas.
type words []string

func (w *words) String() string { return strings.Join(*w, ",") }

func (w *words) Set(v string) error {
	for _, part := range strings.Split(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			*w = append(*w, part)
		}
	}
	return nil
}

// counts is a list of numbers of 0 or more; the first value given replaces the default.
type counts struct {
	list  []int
	given bool
}

func (c *counts) String() string {
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(c.list)), ","), "[]")
}

func (c *counts) Set(v string) error {
	if !c.given {
		c.list, c.given = nil, true
	}
	for _, part := range strings.Split(v, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 0 || n > 1<<24 {
			return fmt.Errorf("want numbers of 0 or more, parted by commas, found %q", part)
		}
		c.list = append(c.list, n)
	}
	return nil
}

// benchFlags are the flags of `bench model`.
type benchFlags struct {
	dirs                               list
	shapes, quant, compute, kv, levels words
	prompts, gens, threads             counts
	reps, buffer                       int
	seed                               uint64
	format, plot                       string
}

const benchModelUsage = `[--shape NAME,…] [-m DIR] [flags]

Times reading prompts (test pp512) and decoding tokens from an empty context (tg64), and holds each against what this
machine's limits allow, measured right before and after the row:

  limit = 1 / max( bytes / read,  Σ operations / peak )

where bytes are those that a token must read at least (weights at work and cache), operations count a multiply-add as 2, and
peak is that of the kind of arithmetic: f32 multiply-add, int8 dot product (quantised weights), bf16 dot product.
Lists give every combination a row. Go doc of package bench says it in full.

Shapes of random weights: `

func (f *benchFlags) parse(s stdio, args []string) error {
	f.prompts, f.gens = counts{list: []int{512}}, counts{list: []int{64}}
	fs := newFlags(s, "bench model", benchModelUsage+strings.Join(random.Names(), ", "))
	fs.Var(&f.shapes, "shape", "random weights of these `shapes`")
	fs.Var(&f.dirs, "m", "`folder` of a Hugging Face checkpoint; may be given several times (default, without --shape: the built-in model "+builtin.Name+")")
	fs.Var(&f.quant, "quant", "`forms` of the weights: none, int8, int4, mixed (default: as they are)")
	fs.Var(&f.compute, "compute", "`arithmetic` of products with bf16 weights: f32, bf16 (activations rounded to bf16), or bf16x3 (f32 accuracy through tiles of bf16, where the CPU has them) (default f32)")
	fs.Var(&f.kv, "kv", "`forms` in which keys and values are kept: f32, f16 (default f32)")
	fs.Var(&f.levels, "level", "instruction-set `levels` (default: SWITCHYARD_LEVEL, else the best)")
	fs.Var(&f.prompts, "p", "`lengths` of prompts to read; 0: none")
	fs.Var(&f.gens, "n", "`numbers` of tokens to decode; 0: none")
	fs.Var(&f.threads, "t", "`numbers` of threads (default: all cores)")
	fs.IntVar(&f.reps, "r", 3, "repetitions; the median counts")
	fs.IntVar(&f.buffer, "buffer", bench.ReadBytes>>20, "`MiB` that the memory limit is measured with; less than the caches hold shows their speed")
	fs.Uint64Var(&f.seed, "seed", 1, "of weights and token ids")
	fs.StringVar(&f.format, "o", "md", "output: md, csv, json or bench (for benchstat)")
	fs.StringVar(&f.plot, "plot", "", "also draw a roofline into this `file`, png or svg")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	case f.reps < 1:
		return fmt.Errorf("%w: -r: want 1 or more, found %d", errUsage, f.reps)
	case f.buffer < 1 || f.buffer > 1<<20:
		return fmt.Errorf("%w: --buffer: want 1 to %d, found %d", errUsage, 1<<20, f.buffer)
	}
	return nil
}

// options resolves what the flags name.
func (f *benchFlags) options() (bench.ModelOptions, error) {
	o := bench.ModelOptions{
		Quant: f.quant, Compute: f.compute, KV: f.kv, Levels: f.levels, Threads: f.threads.list, Reps: f.reps, Seed: f.seed,
		Buffer:  f.buffer << 20,
		Prompts: f.prompts.positive(), Gens: f.gens.positive(),
	}
	for _, name := range f.shapes {
		shape, err := random.Find(name)
		if err != nil {
			return o, fmt.Errorf("%w: --shape: %v", errUsage, err)
		}
		o.Shapes = append(o.Shapes, shape)
	}
	for _, dir := range f.dirs {
		o.Open = append(o.Open, bench.Dir(dir))
	}
	if len(o.Shapes)+len(o.Open) == 0 {
		open := func(o model.Options) (*model.Model, error) { return model.OpenFS(builtin.FS(), o) }
		o.Open = []bench.Opener{{Name: builtin.Name, Open: open}}
	}
	return o, nil
}

func (c *counts) positive() []int {
	return slices.DeleteFunc(slices.Clone(c.list), func(n int) bool { return n == 0 })
}

func benchModel(ctx context.Context, s stdio, args []string) error {
	var f benchFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	p, err := newOutput[bench.ModelRow](s, f.format, f.plot)
	if err != nil {
		return err
	}
	o.Say = p.say
	return p.close(bench.Models(ctx, o, p.row), bench.ModelPicture)
}
