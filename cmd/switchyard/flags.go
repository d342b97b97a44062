package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
)

// newFlags makes a flag set whose errors become errUsage and whose help goes to out.
func newFlags(s stdio, name, usage string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		fmt.Fprintf(s.out, "Usage: switchyard %s %s\n\nFlags:\n", name, usage)
		fs.SetOutput(s.out)
		fs.PrintDefaults()
		fs.SetOutput(io.Discard)
	}
	return fs
}

// parse reads flags wherever they stand among the arguments, and returns the arguments that are none. What follows
// "--" is never a flag.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if err == flag.ErrHelp {
				return nil, err
			}
			return nil, fmt.Errorf("%w: %v", errUsage, err)
		}
		left := fs.Args()
		if used := len(args) - len(left); used > 0 && args[used-1] == "--" {
			return append(rest, left...), nil
		}
		if len(left) == 0 {
			return rest, nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// modelFlags are the flags of every command that opens a model.
type modelFlags struct {
	dir, gate, quant, compute, level string

	kv      string
	threads int
}

func (f *modelFlags) add(fs *flag.FlagSet) {
	fs.StringVar(&f.dir, "m", "", "`folder` of a Hugging Face checkpoint (default: the built-in model "+builtin.Name+")")
	f.addOptions(fs)
}

// addOptions registers all but -m, for commands that open several models.
func (f *modelFlags) addOptions(fs *flag.FlagSet) {
	fs.StringVar(&f.gate, "gate", "", "`overrides` of the gates, such as \"layers=0-3;topk=2;drop=1,5;temp=0.7\" (go doc ./moe Program)")
	fs.StringVar(&f.quant, "quant", "", "`form` of the large matrices: none, int8, int4 or mixed (default: as the folder has them)")
	fs.StringVar(&f.compute, "compute", model.ComputeF32, "`arithmetic` of products with bf16 weights: f32, bf16 (activations rounded to bf16), or bf16x3 (f32 accuracy through tiles of bf16, where the CPU has them)")
	fs.StringVar(&f.kv, "kv", model.KVF32, "`form` in which keys and values are kept: f32, or f16 in half the memory")
	fs.StringVar(&f.level, "level", "", "instruction-set `level` (default: SWITCHYARD_LEVEL, else the best)")
	fs.IntVar(&f.threads, "threads", 0, "`number` of threads (default: all cores)")
}

// options are the flags as options of the library.
func (f *modelFlags) options(chunk int) (model.Options, error) {
	if f.quant != "" && f.quant != "none" && !slices.Contains(model.Schemes(), f.quant) {
		return model.Options{}, fmt.Errorf("%w: --quant: want none, %s, found %q", errUsage, strings.Join(model.Schemes(), ", "), f.quant)
	}
	if f.compute != model.ComputeF32 && f.compute != model.ComputeBF16 && f.compute != model.ComputeBF16x3 {
		return model.Options{}, fmt.Errorf("%w: --compute: want f32, bf16 or bf16x3, found %q", errUsage, f.compute)
	}
	if f.kv != model.KVF32 && f.kv != model.KVF16 {
		return model.Options{}, fmt.Errorf("%w: --kv: want f32 or f16, found %q", errUsage, f.kv)
	}
	if f.threads < 0 {
		return model.Options{}, fmt.Errorf("%w: --threads: want 0 or more, found %d", errUsage, f.threads)
	}
	return model.Options{Level: f.level, Threads: f.threads, Gate: f.gate, Chunk: chunk, Compute: f.compute, Quant: f.quant, KV: f.kv}, nil
}

// open opens the model that the flags name, with a sign of life where it takes over a second. Cancelling ctx ends it.
func (f *modelFlags) open(ctx context.Context, s stdio, chunk int) (*model.Model, error) {
	o, err := f.options(chunk)
	if err != nil {
		return nil, err
	}
	progress, done := showProgress(s, "opening "+f.name())
	defer done()
	o.Progress = progress
	if f.dir == "" {
		return model.OpenFS(builtin.FS(), o)
	}
	return model.OpenContext(ctx, f.dir, o)
}

func (f *modelFlags) name() string {
	if f.dir == "" {
		return builtin.Name
	}
	return f.dir
}

// idList reads "1,2,3"; spaces are allowed.
func idList(text string) ([]int32, error) {
	var ids []int32
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%w: --ids: want token ids as 1,2,3, found %q", errUsage, part)
		}
		ids = append(ids, int32(n))
	}
	return ids, nil
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, ",") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }
