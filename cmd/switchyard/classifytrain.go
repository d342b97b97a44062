package main

import (
	"context"
	"fmt"
	"os"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
)

// trainFlags are the flags of `classify train`.
type trainFlags struct {
	modelFlags
	out  string
	cost float64
	json bool
}

func (f *trainFlags) parse(s stdio, args []string) (string, error) {
	fs := newFlags(s, "classify train", "DATA.jsonl [-m ENCODER] -o DIR   (lines {\"text\":…, \"label\":…})")
	f.modelFlags.add(fs)
	fs.StringVar(&f.out, "o", "", "`folder` to write; it opens as any model does")
	fs.Float64Var(&f.cost, "oos-cost", 0.015, "`share` of in-scope accuracy that finding texts out of scope may cost, where DATA has such texts (label oos or out_of_scope)")
	fs.BoolVar(&f.json, "json", false, "print the report as JSON")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return "", err
	case len(rest) != 1:
		return "", fmt.Errorf("%w: want one file DATA.jsonl, found %d arguments", errUsage, len(rest))
	case f.out == "":
		return "", fmt.Errorf("%w: -o is missing", errUsage)
	case !(f.cost >= 0 && f.cost < 1):
		return "", fmt.Errorf("%w: --oos-cost: want 0 or more, below 1, found %v", errUsage, f.cost)
	}
	return rest[0], nil
}

func trainClassifierCommand(ctx context.Context, s stdio, args []string) error {
	var f trainFlags
	path, err := f.parse(s, args)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	examples, err := learn.ReadLines[learn.Example](file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	enc, eng, err := f.openParts(s)
	if err != nil {
		return err
	}
	defer eng.Close()
	if enc != nil {
		defer enc.Close()
	}
	o := learn.TrainOptions{Cost: f.cost, Progress: stages(s)}
	if f.cost == 0 {
		o.Cost = -1
	}
	c, report, err := learn.TrainClassifier(ctx, eng, enc, examples, o)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := c.Save(f.out, f.dir); err != nil {
		return err
	}
	if f.json {
		return encode(s.out, report)
	}
	_, err = fmt.Fprintf(s.out, "%s: %d examples of %d classes; on the %d held out: accuracy %.3f in scope, %.3f of what is out of scope found, loss %.3f\n",
		f.out, report.Examples, report.Classes, report.HeldOut, report.Accuracy, report.Recall, report.Loss)
	return err
}

// openParts opens the encoder, where there is one, and an engine for the products of training.
func (f *trainFlags) openParts(s stdio) (*model.Encoder, *kernels.Engine, error) {
	level, err := kernels.LevelFromEnv()
	if err != nil {
		return nil, nil, err
	}
	if f.level != "" {
		level = f.level
	}
	eng, err := kernels.New(kernels.Options{Level: level, Threads: f.threads})
	if err != nil || f.dir == "" {
		return nil, eng, err
	}
	enc, err := f.openEncoder(s)
	if err != nil {
		eng.Close()
	}
	return enc, eng, err
}

// stages shows the stages of a long work as one bar each, where stderr is a terminal.
func stages(s stdio) func(stage string, done, all int) {
	if !isTerminal(s.err) {
		return nil
	}
	var last string
	var progress func(done, total int64)
	end := func() {}
	return func(stage string, done, all int) {
		if stage != last {
			end()
			last = stage
			progress, end = showProgress(s, stage)
		}
		progress(int64(done), int64(all))
		if done == all {
			end()
			end = func() {}
		}
	}
}
