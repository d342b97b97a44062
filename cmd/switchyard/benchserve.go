package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/random"
	"github.com/seed2fbf7788/switchyard/serve/load"
)

// benchServe measures a server over loopback.
func benchServe(ctx context.Context, s stdio, args []string) error {
	var f modelFlags
	var shape, format, tests string
	streams := counts{list: []int{1, 8}}
	o := load.Options{}
	fs := newFlags(s, "bench serve", "[--shape NAME | -m DIR] [flags]")
	f.add(fs)
	fs.StringVar(&shape, "shape", "", "random weights of this `shape`")
	fs.Var(&streams, "streams", "`numbers` of clients at a time")
	fs.IntVar(&o.Prompt, "p", 32, "`tokens` of a prompt")
	fs.IntVar(&o.Generate, "n", 64, "`tokens` that a client asks for")
	fs.IntVar(&o.Fresh, "fresh", 128, "`tokens` of the prompt that arrives while others are at work")
	fs.IntVar(&o.Long, "long", 4000, "`tokens` of the long prompt")
	fs.IntVar(&o.Reps, "r", 3, "repetitions of comparisons of speed, whose parts take turns; the best of each counts")
	fs.DurationVar(&o.Overload, "overload", 4*time.Second, "`time` for which ten times too many clients ask")
	fs.StringVar(&tests, "tests", "", "`names` of what is measured, commas between: "+strings.Join(load.Tests(), ", ")+"; default all")
	fs.StringVar(&format, "o", "md", "output: md or json")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 || o.Prompt < 1 || o.Generate < 4 || o.Long < 1 || o.Fresh < 1 || format != "md" && format != "json" || len(streams.positive()) == 0 {
		return fmt.Errorf("%w: want -p, --fresh and --long of 1 or more, -n of 4 or more, --streams, -o md or json, and no arguments", errUsage)
	}
	if tests != "" {
		o.Tests = strings.Split(tests, ",")
	}
	for _, t := range o.Tests {
		if !slices.Contains(load.Tests(), t) {
			return fmt.Errorf("%w: --tests: want some of %s, found %q", errUsage, strings.Join(load.Tests(), ", "), t)
		}
	}
	m, err := f.openShape(ctx, s, shape)
	if err != nil {
		return err
	}
	defer m.Close()
	o.Streams = streams.positive()
	var done func()
	o.Say, done = said(s)
	defer done()
	var rows []load.Row
	fail := load.Run(ctx, m, o, func(r load.Row) error {
		rows = append(rows, r)
		return nil
	})
	if format == "json" {
		if err := json.NewEncoder(s.out).Encode(rows); err != nil {
			return err
		}
		return fail
	}
	fmt.Fprintln(s.out, "| test | streams | tokens/s | first token ms | held against ms | gap median / worst ms | ratio | ratio of what |\n|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		fmt.Fprintf(s.out, "| %s | %d | %.1f | %.1f | %.1f | %.1f / %.1f | %.2f | %s |\n", r.Test, r.Streams, r.TokS, r.First, r.Base, r.Gap, r.WorstGap, r.Ratio, r.About)
	}
	return fail
}

// openShape opens the model that the flags name, or random weights.
func (f *modelFlags) openShape(ctx context.Context, s stdio, name string) (*model.Model, error) {
	if name == "" {
		return f.open(ctx, s, 0)
	}
	shape, err := random.Find(name)
	if err != nil {
		return nil, fmt.Errorf("%w: --shape: %v", errUsage, err)
	}
	o, err := f.options(0)
	if err != nil {
		return nil, err
	}
	src, err := random.New(shape, random.Options{Seed: 1, Shared: o.Quant != "" && o.Quant != "none"})
	if err != nil {
		return nil, err
	}
	return src.Open(o)
}
