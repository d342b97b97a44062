package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
)

// quantizeFlags are the flags of `quantize`.
type quantizeFlags struct {
	scheme, level string
	threads       int
}

// parse gives the two folders.
func (f *quantizeFlags) parse(s stdio, args []string) (src, dst string, err error) {
	fs := newFlags(s, "quantize", "SRC DST --scheme int8|int4|mixed")
	fs.StringVar(&f.scheme, "scheme", "", "`form` of the large matrices: int8, int4, or mixed (experts and feed-forward int4, attention and head int8)")
	fs.StringVar(&f.level, "level", "", "instruction-set `level` (default: SWITCHYARD_LEVEL, else the best); the file does not depend on it")
	fs.IntVar(&f.threads, "threads", 0, "`number` of threads (default: all cores)")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return "", "", err
	case len(rest) != 2:
		return "", "", fmt.Errorf("%w: want SRC and DST, found %d arguments", errUsage, len(rest))
	case f.scheme == "":
		return "", "", fmt.Errorf("%w: --scheme is missing: want %s", errUsage, strings.Join(model.Schemes(), ", "))
	case !slices.Contains(model.Schemes(), f.scheme):
		return "", "", fmt.Errorf("%w: --scheme: want %s, found %q", errUsage, strings.Join(model.Schemes(), ", "), f.scheme)
	case f.threads < 0:
		return "", "", fmt.Errorf("%w: --threads: want 0 or more, found %d", errUsage, f.threads)
	}
	return rest[0], rest[1], nil
}

func quantizeCommand(ctx context.Context, s stdio, args []string) error {
	var f quantizeFlags
	src, dst, err := f.parse(s, args)
	if err != nil {
		return err
	}
	progress, done := showProgress(s, "writing "+dst)
	defer done()
	return model.Quantize(ctx, src, dst, model.QuantizeOptions{Scheme: f.scheme, Level: f.level, Threads: f.threads, Progress: progress})
}
