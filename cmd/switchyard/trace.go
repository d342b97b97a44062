package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/schollz/progressbar/v3"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/trace"
)

// traceFlags are the flags of `trace`.
type traceFlags struct {
	modelFlags
	trace.Options
	files    list
	ids, out string
}

func (f *traceFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "trace", "[-m DIR] (-f [LABEL=]TEXT … | --ids 1,2,3) -o F.safetensors|F.jsonl|F.npz")
	f.modelFlags.add(fs)
	fs.Var(&f.files, "f", "text `file`, as PATH or LABEL=PATH; may be given several times")
	fs.StringVar(&f.ids, "ids", "", "token `ids` 1,2,3 in place of files")
	fs.StringVar(&f.out, "o", "", "`file` to write; its ending says the format")
	fs.BoolVar(&f.Logits, "logits", false, "also record raw router logits")
	fs.BoolVar(&f.Entropy, "entropy", false, "also record the entropy of each gate")
	fs.BoolVar(&f.Norms, "norms", false, "also record the norm of each chosen expert's output")
	fs.BoolVar(&f.Choice, "choice", false, "also record the scores that the choice was made by")
	fs.BoolVar(&f.Lookahead, "lookahead", false, "also record what each gate chooses from the input of the layer before")
	fs.BoolVar(&f.Predicted, "predicted", false, "also record the likeliest next token")
	fs.BoolVar(&f.LogProb, "logprob", false, "also record the log-probability of each next token")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	case f.out == "":
		return fmt.Errorf("%w: -o is missing", errUsage)
	case (f.ids == "") == (len(f.files) == 0):
		return fmt.Errorf("%w: want -f or --ids, one of them", errUsage)
	}
	return nil
}

func traceCommand(ctx context.Context, s stdio, args []string) error {
	var f traceFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	m, err := f.open(ctx, s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	texts, err := f.texts(m)
	if err != nil {
		return err
	}
	if isTerminal(s.err) {
		bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(s.err), progressbar.OptionSetDescription("tokens"),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
		f.Progress = func(done, total int) { bar.ChangeMax(total); _ = bar.Set(done) }
		defer func() { _ = bar.Finish() }()
	}
	return f.write(ctx, m, texts)
}

// texts reads and encodes what is to be traced.
func (f *traceFlags) texts(m *model.Model) ([]trace.Text, error) {
	if f.ids != "" {
		ids, err := idList(f.ids)
		return []trace.Text{{Label: "ids", IDs: ids}}, err
	}
	return readTexts(m, f.files)
}

// readTexts reads and encodes files given as PATH or LABEL=PATH.
func readTexts(m *model.Model, files []string) ([]trace.Text, error) {
	var out []trace.Text
	for _, file := range files {
		label, path, ok := strings.Cut(file, "=")
		if !ok {
			label, path = filepath.Base(file), file
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		ids, err := m.EncodePrompt(string(data))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		out = append(out, trace.Text{Label: label, IDs: ids})
	}
	return out, nil
}

// write makes the trace, by way of a safetensors file for the other formats.
func (f *traceFlags) write(ctx context.Context, m *model.Model, texts []trace.Text) error {
	export := map[string]func(io.Writer, *loader.File) error{".jsonl": trace.JSONL, ".npz": trace.NPZ}[filepath.Ext(f.out)]
	if export == nil {
		return trace.Write(ctx, m, f.out, texts, f.Options)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(f.out), ".switchyard-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", f.out, err)
	}
	defer os.RemoveAll(tmp)
	path := filepath.Join(tmp, "trace.safetensors")
	if err := trace.Write(ctx, m, path, texts, f.Options); err != nil {
		return err
	}
	file, err := loader.OpenFile(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return loader.ReplaceFile(f.out, func(w io.Writer) error { return export(w, file) })
}
