package main

import (
	"flag"
	"fmt"
	"math/rand/v2"

	"github.com/seed2fbf7788/switchyard/model"
)

// sampleFlags are the flags of every command that generates text.
type sampleFlags struct {
	gen  model.GenerateOptions
	stop list
	seed int64
}

// add registers the flags; n is the default of -n.
func (f *sampleFlags) add(fs *flag.FlagSet, n int) {
	fs.IntVar(&f.gen.MaxTokens, "n", n, "`tokens` to generate at most; 0: until the model ends or its context is full")
	fs.Float64Var(&f.gen.Temperature, "temp", 0, "`temperature`; 0 takes the most likely token")
	fs.IntVar(&f.gen.TopK, "top-k", 0, "sample among the `k` most likely tokens; 0: all")
	fs.Float64Var(&f.gen.TopP, "top-p", 1, "sample among the most likely tokens that reach probability `p`")
	fs.Float64Var(&f.gen.MinP, "min-p", 0, "sample among tokens at least `p` times as likely as the most likely one")
	fs.Float64Var(&f.gen.RepeatPenalty, "repeat-penalty", 1, "`factor` against tokens that stand in the text; 1: none")
	fs.Int64Var(&f.seed, "seed", -1, "`seed` of the sampling; the same seed gives the same text; -1 takes a new one")
	fs.Var(&f.stop, "stop", "end before this `text`; may be given several times")
	fs.BoolVar(&f.gen.IgnoreEOS, "ignore-eos", false, "an end-of-text token does not end the text")
	fs.BoolVar(&f.gen.Special, "special", false, "show special tokens in the text")
}

// finish checks the values and picks a seed where none was given.
func (f *sampleFlags) finish() error {
	f.gen.Stop = f.stop
	f.gen.Seed = uint64(f.seed)
	if f.seed < 0 {
		f.gen.Seed = uint64(rand.Int64())
	}
	if err := f.gen.Check(); err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.gen.MaxTokens < 0 {
		return fmt.Errorf("%w: -n: want 0 or more, found %d", errUsage, f.gen.MaxTokens)
	}
	return nil
}
