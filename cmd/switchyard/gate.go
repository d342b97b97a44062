package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/gatefit"
	"github.com/seed2fbf7788/switchyard/moe"
)

func gateCommand(ctx context.Context, s stdio, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "fit":
			return gateFit(ctx, s, args[1:])
		case "merge":
			return gateMerge(ctx, s, args[1:])
		case "-h", "--help", "help":
			fmt.Fprint(s.out, "Usage: switchyard gate fit   learn router weights or biases while the experts stay as they are\n"+
				"       switchyard gate merge bake what was learned into a copy of the checkpoint\n"+
				"\nswitchyard gate fit -h and gate merge -h list the flags.\n")
			return nil
		}
	}
	return fmt.Errorf("%w: want gate fit or gate merge, found %q", errUsage, args)
}

// fitFlags are the flags of `gate fit`.
type fitFlags struct {
	modelFlags
	gatefit.Distil
	files       list
	out, layers string
	vio         float64
	json        bool
}

func (f *fitFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "gate fit", "[-m DIR] -f TEXT … (--balance 0.1 | --target trace=F|gate=TEXT|oracle) -o OVERLAY.safetensors")
	f.modelFlags.add(fs)
	fs.Var(&f.files, "f", "text `file` to learn from; may be given several times")
	fs.StringVar(&f.out, "o", "", "overlay `file` to write, for --gate file=F")
	fs.Float64Var(&f.vio, "balance", 0, "learn choice biases until `MaxVio` of every layer is at most this")
	fs.StringVar(&f.Target, "target", "", "learn routers that reproduce a `routing`: trace=FILE, gate=TEXT, oracle or oracle=K")
	fs.StringVar(&f.layers, "layers", "", "only `layers` a-b (default: all)")
	fs.IntVar(&f.Tokens, "tokens", 0, "most `tokens` in use (default 8192)")
	fs.Float64Var(&f.Ridge, "ridge", 0, "`λ` that holds routers to what they were (default 1e-6)")
	fs.IntVar(&f.Iterations, "iterations", 0, "of the optimiser, a `layer` (default 100)")
	fs.BoolVar(&f.json, "json", false, "print one JSON object")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	case f.out == "" || len(f.files) == 0:
		return fmt.Errorf("%w: want -f and -o, found one missing", errUsage)
	case (f.vio != 0) == (f.Target != ""):
		return fmt.Errorf("%w: want --balance or --target, one of them", errUsage)
	case f.Tokens < 0:
		return fmt.Errorf("%w: --tokens: want 0 or more, found %d", errUsage, f.Tokens)
	}
	f.Layers, err = moe.ParseLayers(f.layers)
	return err
}

func gateFit(ctx context.Context, s stdio, args []string) error {
	var f fitFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	m, err := f.open(ctx, s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	texts, err := readTexts(m, f.files)
	if err != nil {
		return err
	}
	ids := make([][]int32, len(texts))
	for i, t := range texts {
		ids[i] = t.IDs
	}
	if isTerminal(s.err) {
		f.Progress = func(what string, at int) { fmt.Fprintf(s.err, "%s %d\n", what, at) }
	}
	if f.vio != 0 {
		return f.balance(ctx, s, m, ids)
	}
	overlay, fitted, err := f.Fit(ctx, m, ids)
	if err != nil {
		return err
	}
	if err := overlay.Write(f.out, m); err != nil {
		return err
	}
	if f.json {
		return encode(s.out, fitted)
	}
	return printFitted(s.out, fitted)
}

func printFitted(out io.Writer, list []gatefit.Fitted) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "layer\ttokens\theld out\trecall before\tafter\theld-out before\tafter\tloss\t")
	for _, f := range list {
		fmt.Fprintf(w, "%d\t%d\t%d\t%.4f\t%.4f\t%.4f\t%.4f\t%.4f\t\n", f.Layer, f.Tokens, f.HeldOut, f.TrainBefore, f.Train, f.HeldOutBefore, f.HeldOutAfter, f.Loss)
	}
	return w.Flush()
}

// balance learns biases; a target that was not reached is an error, and the best biases are written all the same.
func (f *fitFlags) balance(ctx context.Context, s stdio, m *model.Model, ids [][]int32) error {
	overlay, b, err := gatefit.Balance(ctx, m, ids, f.vio, f.Options)
	if err != nil {
		return err
	}
	if err := overlay.Write(f.out, m); err != nil {
		return err
	}
	if f.json {
		if err := encode(s.out, b); err != nil {
			return err
		}
	} else {
		w := tabwriter.NewWriter(s.out, 0, 4, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(w, "layer\tMaxVio before\tafter\t")
		for _, l := range slices.Sorted(maps.Keys(b.After)) {
			fmt.Fprintf(w, "%d\t%.4f\t%.4f\t\n", l, b.Before[l], b.After[l])
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
	if !b.Reached {
		return fmt.Errorf("%w: MaxVio: want at most %v in every layer, the best of %d runs is in %s", gatefit.ErrFit, f.vio, b.Rounds, f.out)
	}
	return nil
}

func gateMerge(ctx context.Context, s stdio, args []string) error {
	var f modelFlags
	fs := newFlags(s, "gate merge", "[-m DIR] OVERLAY.safetensors -o FOLDER")
	f.add(fs)
	out := fs.String("o", "", "`folder` to write; it must not be there yet")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) != 1:
		return fmt.Errorf("%w: want one overlay, found %d", errUsage, len(rest))
	case *out == "":
		return fmt.Errorf("%w: -o is missing", errUsage)
	case f.gate != "" || f.quant != "":
		return fmt.Errorf("%w: want neither --gate nor --quant: the checkpoint is copied as it is", errUsage)
	}
	if _, err := os.Lstat(*out); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: want a folder that is not there yet, found one", *out)
	}
	m, err := f.open(ctx, s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	return gatefit.Merge(m, rest[0], *out)
}
