package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/prune"
	"github.com/seed2fbf7788/switchyard/model/trace"
)

// pruneFlags are the flags of `prune`.
type pruneFlags struct {
	dir, out, by, file, trace string
	drop                      list
	keep                      int
}

func (f *pruneFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "prune", "[-m DIR] -o OUT (--keep N [--by reap|ean|frequency] (-f TEXT | --trace F) | --drop L:E,E …)")
	fs.StringVar(&f.dir, "m", "", "`folder` of a Hugging Face checkpoint (default: the built-in model "+builtin.Name+")")
	fs.StringVar(&f.out, "o", "", "`folder` to make")
	fs.IntVar(&f.keep, "keep", 0, "`N` experts stay in every layer: those that matter most")
	fs.Var(&f.drop, "drop", "leave experts out: `LAYER:EXPERT,EXPERT`, several with semicolons; may be given several times")
	fs.StringVar(&f.by, "by", string(prune.ByREAP), "what matters: reap, ean or frequency")
	fs.StringVar(&f.file, "f", "", "text `file` to measure on")
	fs.StringVar(&f.trace, "trace", "", "`file` of a trace to measure on (reap and ean: made with --norms)")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	case f.out == "":
		return fmt.Errorf("%w: -o is missing", errUsage)
	case f.keep < 0 || f.keep == 0 && len(f.drop) == 0:
		return fmt.Errorf("%w: want --keep from 1, or --drop, found %d", errUsage, f.keep)
	case f.file != "" && f.trace != "":
		return fmt.Errorf("%w: want -f or --trace, found both", errUsage)
	case f.keep > 0 && f.file == "" && f.trace == "":
		return fmt.Errorf("%w: --keep: want -f or --trace to measure on, found none", errUsage)
	}
	return nil
}

func pruneCommand(ctx context.Context, s stdio, args []string) error {
	var f pruneFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	fsys, ckpt, err := f.source()
	if err != nil {
		return err
	}
	defer ckpt.Close()
	keep, err := f.choose(ctx)
	if err != nil {
		return err
	}
	defer spinner(s, "writing "+f.out)()
	if err := prune.Write(ctx, fsys, ckpt, f.out, keep); err != nil {
		return err
	}
	n := 0
	for _, stay := range keep {
		n = len(stay)
	}
	_, err = fmt.Fprintf(s.out, "%s: %d experts in each of %d layers\n", f.out, n, len(keep))
	return err
}

func (f *pruneFlags) source() (fs.FS, *loader.Checkpoint, error) {
	if f.dir == "" {
		ckpt, err := loader.OpenFS(builtin.FS())
		return builtin.FS(), ckpt, err
	}
	ckpt, err := loader.Open(f.dir)
	return os.DirFS(f.dir), ckpt, err
}

func (f *pruneFlags) open(ctx context.Context) (*model.Model, error) {
	if f.dir == "" {
		return model.OpenFS(builtin.FS(), model.Options{})
	}
	return model.OpenContext(ctx, f.dir, model.Options{})
}

// choose opens the model, measures where that is asked for, and decides what stays.
func (f *pruneFlags) choose(ctx context.Context) (prune.Keep, error) {
	m, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	drops := prune.Drops{}
	if len(f.drop) > 0 {
		if drops, err = prune.ParseDrops(f.drop); err != nil {
			return nil, err
		}
	}
	var scores prune.Scores
	if f.keep > 0 {
		if scores, err = f.measure(ctx, m); err != nil {
			return nil, err
		}
	}
	return prune.Choose(m.Gates(nil), drops, f.keep, scores)
}

// measure reads a trace of this model, or makes one.
func (f *pruneFlags) measure(ctx context.Context, m *model.Model) (prune.Scores, error) {
	path := f.trace
	if f.file != "" {
		dir, err := os.MkdirTemp("", "switchyard-*")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		path = filepath.Join(dir, "trace.safetensors")
		texts, err := (&traceFlags{files: list{"text=" + f.file}}).texts(m)
		if err != nil {
			return nil, err
		}
		if err := trace.Write(ctx, m, path, texts, trace.Options{Norms: true}); err != nil {
			return nil, err
		}
	}
	r, err := trace.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if got := r.Metadata["model_hash"]; got != m.Hash() {
		return nil, fmt.Errorf("%s: want a trace of this model (%.12s…), found one of another (%.12s…)", path, m.Hash(), got)
	}
	return prune.Measure(ctx, r, prune.By(f.by))
}
