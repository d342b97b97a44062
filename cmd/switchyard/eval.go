package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/schollz/progressbar/v3"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/eval"
)

// textFlags say what text is scored, and how it is read.
type textFlags struct {
	modelFlags
	file, ids              string
	window, stride, tokens int
}

func (f *textFlags) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	case (f.file == "") == (f.ids == ""):
		return fmt.Errorf("%w: want -f or --ids, one of them", errUsage)
	case f.window < 0:
		return fmt.Errorf("%w: --window: want 0 or more, found %d", errUsage, f.window)
	case f.stride < 0:
		return fmt.Errorf("%w: --stride: want 0 or more, found %d", errUsage, f.stride)
	case f.tokens < 0:
		return fmt.Errorf("%w: --tokens: want 0 or more, found %d", errUsage, f.tokens)
	}
	return nil
}

// read gives the ids, and the bytes of the text that they stand for; 0 where ids were given.
func (f *textFlags) read(m *model.Model) (ids []int32, bytes int, err error) {
	if f.ids != "" {
		ids, err = idList(f.ids)
	} else {
		var data []byte
		if data, err = os.ReadFile(f.file); err != nil {
			return nil, 0, err
		}
		bytes = len(data)
		if ids, err = m.EncodePrompt(string(data)); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", f.file, err)
		}
	}
	if err != nil || f.tokens == 0 || f.tokens >= len(ids) {
		return ids, bytes, err
	}
	ids = ids[:f.tokens]
	if bytes > 0 {
		tok, err := m.Tokenizer()
		if err != nil {
			return nil, 0, err
		}
		text, err := tok.Decode(ids, false)
		if err != nil {
			return nil, 0, err
		}
		bytes = len(text)
	}
	return ids, bytes, nil
}

// evalFlags are the flags of `eval`.
type evalFlags struct {
	textFlags
	losses string
	json   bool
}

func (f *evalFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "eval", "[-m DIR] (-f TEXT | --ids 1,2,3) [--losses F.jsonl|F.csv] [--json]")
	f.modelFlags.add(fs)
	f.textFlags.add(fs)
	fs.StringVar(&f.losses, "losses", "", "`file` for the loss of every token: JSON lines, or CSV where it ends so")
	fs.BoolVar(&f.json, "json", false, "print one JSON object")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	return f.check(rest)
}

// evaluation is what `eval --json` prints.
type evaluation struct {
	Read        int      `json:"tokens"` // of the text
	Tokens      int      `json:"scored"`
	Bytes       int      `json:"bytes,omitempty"`
	NLL         float64  `json:"nll"`  // nats
	Loss        float64  `json:"loss"` // nats a token
	Perplexity  float64  `json:"perplexity"`
	BitsPerByte *float64 `json:"bits_per_byte,omitempty"`
	Gate        string   `json:"gate,omitempty"`
}

func newEvaluation(read, bytes int, gate string, s eval.Score) evaluation {
	e := evaluation{Read: read, Tokens: s.Tokens, Bytes: bytes, NLL: s.NLL, Loss: s.Mean(), Perplexity: s.Perplexity(), Gate: gate}
	if bytes > 0 {
		v := s.BitsPerByte(bytes)
		e.BitsPerByte = &v
	}
	return e
}

func evalCommand(ctx context.Context, s stdio, args []string) error {
	var f evalFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	m, err := f.open(ctx, s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	ids, bytes, err := f.read(m)
	if err != nil {
		return err
	}
	o := eval.Options{Window: f.window, Stride: f.stride}
	finish := showBar(s, "windows", &o.Progress)
	var score eval.Score
	if f.losses == "" {
		score, err = eval.Text(ctx, m, ids, o)
	} else {
		score, err = f.scoreTo(ctx, m, ids, o)
	}
	finish()
	if err != nil {
		return err
	}
	return f.print(s, newEvaluation(len(ids), bytes, f.gate, score))
}

// showBar draws a bar where somebody looks; the function that it returns ends it.
func showBar(s stdio, what string, to *func(done, of int)) func() {
	if !isTerminal(s.err) {
		return func() {}
	}
	bar := progressbar.NewOptions(-1, progressbar.OptionSetWriter(s.err), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(true))
	*to = func(done, of int) { bar.ChangeMax(of); _ = bar.Set(done) }
	return func() { _ = bar.Finish() }
}

func (f *evalFlags) print(s stdio, e evaluation) error {
	if f.json {
		return json.NewEncoder(s.out).Encode(e)
	}
	_, err := fmt.Fprintf(s.out, "%d tokens, %d scored\nloss        %.5f nats a token\nperplexity  %.4f\n", e.Read, e.Tokens, e.Loss, e.Perplexity)
	if err == nil && e.BitsPerByte != nil {
		_, err = fmt.Fprintf(s.out, "bits/byte   %.5f over %d bytes\n", *e.BitsPerByte, e.Bytes)
	}
	return err
}

// scoreTo scores and writes every loss as it comes; after an error the file is as it was.
func (f *evalFlags) scoreTo(ctx context.Context, m *model.Model, ids []int32, o eval.Options) (score eval.Score, err error) {
	err = loader.ReplaceFile(f.losses, func(w io.Writer) error {
		var end func() error
		if o.Loss, end, err = lossWriter(w, m, filepath.Ext(f.losses) == ".csv"); err != nil {
			return err
		}
		if score, err = eval.Text(ctx, m, ids, o); err != nil {
			return err
		}
		return end()
	})
	return score, err
}

// lossWriter writes a line a token: index, token, text, loss in nats. Texts need a tokenizer.
func lossWriter(w io.Writer, m *model.Model, asCSV bool) (add func(eval.Loss) error, end func() error, err error) {
	text := func(id int32) string { return "" }
	if tok, err := m.Tokenizer(); err == nil {
		text = func(id int32) string { t, _ := tok.Decode([]int32{id}, false); return t }
	}
	if asCSV {
		out := csv.NewWriter(w)
		err := out.Write([]string{"index", "token", "text", "loss"})
		return func(l eval.Loss) error {
			return out.Write([]string{strconv.Itoa(l.Index), strconv.Itoa(int(l.ID)), text(l.ID), strconv.FormatFloat(l.Loss, 'g', -1, 64)})
		}, func() error { out.Flush(); return out.Error() }, err
	}
	buf := bufio.NewWriter(w)
	out := json.NewEncoder(buf)
	return func(l eval.Loss) error {
		return out.Encode(struct {
			Index int     `json:"index"`
			Token int32   `json:"token"`
			Text  string  `json:"text"`
			Loss  float64 `json:"loss"`
		}{l.Index, l.ID, text(l.ID), l.Loss})
	}, buf.Flush, nil
}
