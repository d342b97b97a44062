package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/route"
)

func routeCommand(ctx context.Context, s stdio, args []string) error {
	sub := map[string]func(context.Context, stdio, []string) error{
		"train": routeTrain, "eval": routeEval, "calibrate": routeCalibrate, "explain": routeExplain,
	}
	if len(args) > 0 && sub[args[0]] != nil {
		return sub[args[0]](ctx, s, args[1:])
	}
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		fmt.Fprintln(s.out, "Usage: switchyard route explain|train|eval|calibrate [flags]; each has -h")
		return flag.ErrHelp
	}
	return fmt.Errorf("%w: route wants explain, train, eval or calibrate, found %q", errUsage, strings.Join(args[:min(len(args), 1)], ""))
}

// routeFlags are what the subcommands share.
type routeFlags struct {
	modelFlags
	json  bool
	out   string
	plot  string
	share float64
}

func (f *routeFlags) parse(s stdio, name, usage string, args []string, more func(fs *flag.FlagSet)) ([]string, error) {
	fs := newFlags(s, name, usage)
	f.modelFlags.add(fs)
	fs.BoolVar(&f.json, "json", false, "print JSON")
	if more != nil {
		more(fs)
	}
	return parse(fs, args)
}

// outcomes reads the one file that the arguments name.
func outcomes(rest []string) ([]route.Outcome, error) {
	if len(rest) != 1 {
		return nil, fmt.Errorf("%w: want one file DATA.jsonl, found %d arguments", errUsage, len(rest))
	}
	file, err := os.Open(rest[0])
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := learn.ReadLines[route.Outcome](file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", rest[0], err)
	}
	return rows, nil
}

// source opens what a router reads with: the encoder in dir, or the built-in mixture where dir is empty.
func (f *routeFlags) source(s stdio, dir string) (route.Source, func(), error) {
	o, err := f.encoderOptions()
	if err != nil {
		return route.Source{}, nil, err
	}
	defer spinner(s, "opening")()
	if dir == "" {
		m, err := model.OpenFS(builtin.FS(), o)
		if err != nil {
			return route.Source{}, nil, err
		}
		return route.Source{Mixture: m}, func() { m.Close() }, nil
	}
	e, err := model.OpenEncoder(dir, o)
	if err != nil {
		return route.Source{}, nil, err
	}
	return route.Source{Encoder: e}, func() { e.Close() }, nil
}

// router opens the router's folder that -m names, with what it reads with.
func (f *routeFlags) router(s stdio) (*route.Difficulty, func(), error) {
	if f.dir == "" {
		return nil, nil, fmt.Errorf("%w: -m is missing: the folder of a router that route train wrote", errUsage)
	}
	needs, err := route.NeedsEncoder(f.dir)
	if err != nil {
		return nil, nil, err
	}
	dir := ""
	if needs {
		dir = filepath.Join(f.dir, route.EncoderDir)
	}
	src, done, err := f.source(s, dir)
	if err != nil {
		return nil, nil, err
	}
	d, err := route.Open(f.dir, src)
	if err != nil {
		done()
		return nil, nil, err
	}
	return d, done, nil
}

func routeTrain(ctx context.Context, s stdio, args []string) error {
	var f routeFlags
	rest, err := f.parse(s, "route train", "DATA.jsonl [-m ENCODER] -o DIR   (lines {\"prompt\":…, \"weak\":…, \"strong\":…})", args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.out, "o", "", "`folder` to write")
	})
	if err == nil && f.out == "" {
		err = fmt.Errorf("%w: -o is missing", errUsage)
	}
	if err != nil {
		return err
	}
	rows, err := outcomes(rest)
	if err != nil {
		return err
	}
	src, done, err := f.source(s, f.dir)
	if err != nil {
		return err
	}
	defer done()
	level, err := kernels.LevelFromEnv()
	if err != nil {
		return err
	}
	eng, err := kernels.New(kernels.Options{Level: level, Threads: f.threads})
	if err != nil {
		return err
	}
	defer eng.Close()
	d, report, err := route.Train(ctx, eng, src, rows, route.TrainOptions{Progress: stages(s)})
	if err != nil {
		return err
	}
	if err := d.Save(f.out, f.dir); err != nil {
		return err
	}
	if f.json {
		return encode(s.out, report)
	}
	fmt.Fprintf(s.out, "%s: trained on %d prompts; by cross-validation:\n", f.out, len(rows))
	return printReport(s, report)
}

func routeEval(ctx context.Context, s stdio, args []string) error {
	var f routeFlags
	rest, err := f.parse(s, "route eval", "DATA.jsonl -m DIR [--json] [--plot F.svg|F.png]", args, func(fs *flag.FlagSet) {
		fs.StringVar(&f.plot, "plot", "", "`file` for the cost-quality curve, .svg or .png")
	})
	if err != nil {
		return err
	}
	rows, err := outcomes(rest)
	if err != nil {
		return err
	}
	d, done, err := f.router(s)
	if err != nil {
		return err
	}
	defer done()
	score, err := d.Scores(ctx, rows, stages(s))
	if err != nil {
		return err
	}
	report := route.Evaluate(score, rows)
	if f.plot != "" {
		if err := report.Plot(f.plot); err != nil {
			return err
		}
	}
	if f.json {
		return encode(s.out, report.Finite())
	}
	return printReport(s, &report)
}

func printReport(s stdio, r *route.Report) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "rows\t%d\tweak right %.4f, strong right %.4f\n", r.Rows, r.Weak, r.Strong)
	ci := r.Intervals["apgr"]
	fmt.Fprintf(w, "APGR\t%.4f\t95 %% interval %.4f to %.4f\n", r.APGR, ci[0], ci[1])
	for _, name := range []string{"random", "length", "oracle"} {
		fmt.Fprintf(w, "  %s\t%.4f\n", name, r.Baselines[name])
	}
	fmt.Fprintf(w, "CPT\t20 %%: %.3f\t50 %%: %.3f, 80 %%: %.3f (share of prompts sent to the strong model)\n", r.CPT20, r.CPT50, r.CPT80)
	fmt.Fprintf(w, "AIQ\t%.4f\n", r.AIQ)
	return w.Flush()
}

func routeCalibrate(ctx context.Context, s stdio, args []string) error {
	var f routeFlags
	rest, err := f.parse(s, "route calibrate", "-m DIR --share 0.2 [DATA.jsonl]", args, func(fs *flag.FlagSet) {
		fs.Float64Var(&f.share, "share", 0.2, "`share` of prompts that may go to the strong model")
	})
	if err == nil && !(f.share >= 0 && f.share <= 1) {
		err = fmt.Errorf("%w: --share: want 0 to 1, found %v", errUsage, f.share)
	}
	if err != nil {
		return err
	}
	d, done, err := f.router(s)
	if err != nil {
		return err
	}
	defer done()
	out := struct {
		Share     float64 `json:"share"`
		Threshold float64 `json:"threshold"`
		Rows      int     `json:"rows"`
	}{f.share, d.Threshold(f.share), d.Rows()}
	if len(rest) > 0 { // prompts of the user's own traffic take the place of the training's
		rows, err := outcomes(rest)
		if err != nil {
			return err
		}
		score, err := d.Scores(ctx, rows, stages(s))
		if err != nil {
			return err
		}
		slices.Sort(score)
		out.Rows, out.Threshold = len(rows), score[min(int((1-f.share)*float64(len(score))), len(score)-1)]
	}
	if f.json {
		return encode(s.out, out)
	}
	_, err = fmt.Fprintf(s.out, "threshold %.4f sends %.1f %% of prompts like those %d to the strong model\n", out.Threshold, 100*out.Share, out.Rows)
	return err
}

func routeExplain(ctx context.Context, s stdio, args []string) error {
	var f routeFlags
	rest, err := f.parse(s, "route explain", "[-m DIR] PROMPT   (without -m: the kind of text, by the built-in model's experts)", args, func(fs *flag.FlagSet) {
		fs.Float64Var(&f.share, "share", 0.2, "`share` of prompts that may go to the strong model")
	})
	if err != nil {
		return err
	}
	prompt, err := promptText(s, rest)
	if err != nil {
		return err
	}
	if f.dir == "" {
		return f.explainKind(ctx, s, prompt)
	}
	d, done, err := f.router(s)
	if err != nil {
		return err
	}
	defer done()
	dec, err := d.Decide(ctx, prompt, d.Threshold(f.share))
	if err != nil {
		return err
	}
	if f.json {
		return encode(s.out, dec)
	}
	return printDecision(s, dec)
}

func printDecision(s stdio, d route.Decision) error {
	fmt.Fprintf(s.out, "%s (%s): score %.3f, threshold %.3f, confidence %.2f; harder than %.0f %% of the training prompts\n",
		d.Model, d.Reason, d.Score, d.Threshold, d.Confidence, 100*d.Quantile)
	for _, name := range route.PartNames() {
		v := d.Signals[name]
		bar := strings.Repeat("█", int(min(max(v, -v)*20, 30)))
		side := "strong"
		if v < 0 {
			side = "weak"
		}
		if _, err := fmt.Fprintf(s.out, "  %-10s %+.3f %s %s\n", name, v, bar, side); err != nil {
			return err
		}
	}
	return nil
}
