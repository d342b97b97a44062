package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/report"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// reportFlags are the flags of `report`.
type reportFlags struct {
	dir, out, json, png, svg string
	traces                   []string
}

func (f *reportFlags) parse(s stdio, args []string) (err error) {
	fs := newFlags(s, "report", "TRACE… [-o report.html] [--json metrics.json] [--png DIR] [--svg DIR]")
	fs.StringVar(&f.dir, "m", "", "`folder` of the model, for the texts of tokens (default: the built-in model, where the trace is of it)")
	fs.StringVar(&f.out, "o", "", "`file` to write: one page with everything in it")
	fs.StringVar(&f.json, "json", "", "`file` to write the metrics to, - for stdout")
	fs.StringVar(&f.png, "png", "", "`folder` to write each plot to, as PNG")
	fs.StringVar(&f.svg, "svg", "", "`folder` to write each plot to, as SVG")
	f.traces, err = parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(f.traces) == 0:
		return fmt.Errorf("%w: want traces, found none", errUsage)
	case f.out == "" && f.json == "" && f.png == "" && f.svg == "":
		return fmt.Errorf("%w: want one of -o, --json, --png and --svg, found none", errUsage)
	}
	return nil
}

func reportCommand(ctx context.Context, s stdio, args []string) error {
	var f reportFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	tokens, err := f.tokens()
	if err != nil {
		return err
	}
	defer spinner(s, "reading traces")()
	r, err := report.Make(ctx, f.traces, tokens)
	if err != nil {
		return err
	}
	return f.write(s, r)
}

// tokens finds the tokenizer that a trace was made with.
func (f *reportFlags) tokens() (report.Tokens, error) {
	fsys := builtin.FS()
	if f.dir != "" {
		fsys = os.DirFS(f.dir)
	}
	tok, hash, err := model.ReadTokenizer(fsys)
	if err != nil && f.dir != "" {
		return nil, fmt.Errorf("%s: %w", f.dir, err)
	}
	return func(want string) (*tokenizer.Tokenizer, error) {
		switch {
		case want == hash:
			return tok, nil
		case f.dir != "":
			return nil, fmt.Errorf("want a trace of the tokenizer in %s, found one of another", f.dir)
		}
		return nil, nil
	}, nil
}

// write makes everything before it writes anything, and writes all files or none.
func (f *reportFlags) write(s stdio, r *report.Report) (err error) {
	var page, metrics bytes.Buffer
	if err := r.Write(&page); err != nil {
		return err
	}
	if err := r.WriteJSON(&metrics); err != nil {
		return err
	}
	files := map[string][]byte{}
	var made []string // folders
	defer func() {
		for _, dir := range made {
			if err != nil {
				_ = os.Remove(dir) // which is empty
			}
		}
	}()
	for format, dir := range map[string]string{"png": f.png, "svg": f.svg} {
		if dir == "" {
			continue
		}
		list, err := r.Plots(format)
		if err != nil {
			return err
		}
		if _, gone := os.Stat(dir); gone != nil {
			made = append(made, dir)
		}
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
		for _, p := range list {
			files[filepath.Join(dir, p.Name)] = p.Data
		}
	}
	if f.out != "" {
		files[f.out] = page.Bytes()
	}
	if f.json == "-" {
		if _, err := s.out.Write(metrics.Bytes()); err != nil {
			return err
		}
	} else if f.json != "" {
		files[f.json] = metrics.Bytes()
	}
	if err := loader.ReplaceFiles(files); err != nil {
		return err
	}
	if f.json == "-" {
		return nil
	}
	return r.Summary(s.out)
}
