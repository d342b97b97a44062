package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"

	"github.com/seed2fbf7788/switchyard/bench"
	"github.com/seed2fbf7788/switchyard/bench/roofline"
	"github.com/seed2fbf7788/switchyard/loader"
)

// output takes the rows of a benchmark: it prints each as it comes, and draws all of them at the end.
type output[R bench.Row] struct {
	printer *bench.Printer
	plot    string
	rows    []R
	say     func(string)
	quiet   func()
}

func newOutput[R bench.Row](s stdio, format, plot string) (*output[R], error) {
	p, err := bench.NewPrinter(s.out, format)
	if err != nil {
		return nil, fmt.Errorf("%w: -o: %v", errUsage, err)
	}
	if plot != "" {
		if err := roofline.Check(plot); err != nil {
			return nil, fmt.Errorf("%w: --plot: %v", errUsage, err)
		}
	}
	o := &output[R]{printer: p, plot: plot}
	o.say, o.quiet = said(s)
	return o, nil
}

func (o *output[R]) row(r R) error {
	o.rows = append(o.rows, r)
	return o.printer.Row(r)
}

// close ends the output and draws what was measured, also where the run ended early.
func (o *output[R]) close(err error, picture func([]R) roofline.Picture) error {
	o.quiet()
	err = errors.Join(err, o.printer.Close())
	if o.plot == "" || len(o.rows) == 0 {
		return err
	}
	return errors.Join(err, loader.ReplaceFile(o.plot, func(w io.Writer) error {
		return roofline.Write(w, o.plot, picture(o.rows))
	}))
}

// said shows what goes on, as one line that is replaced, where stderr is a terminal. Nothing runs in the background, which
// would take part in what is measured.
func said(s stdio) (say func(string), done func()) {
	if !isTerminal(s.err) {
		return func(string) {}, func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(s.err), progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0))
	return func(msg string) { bar.Describe(msg); _ = bar.Add(1) }, func() { _ = bar.Finish() }
}
