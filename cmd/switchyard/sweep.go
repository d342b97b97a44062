package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/eval"
)

// add defines the flags of the text.
func (f *textFlags) add(fs *flag.FlagSet) {
	fs.StringVar(&f.file, "f", "", "text `file`")
	fs.StringVar(&f.ids, "ids", "", "token `ids` 1,2,3 in place of a file")
	fs.IntVar(&f.window, "window", 0, "`tokens` that are read together (default: the model's context, at most 4096)")
	fs.IntVar(&f.stride, "stride", 0, "`tokens` from one window to the next (default: the window; less gives every token more before it)")
	fs.IntVar(&f.tokens, "tokens", 0, "only the first `N` tokens of the text")
}

// sweepFlags are the flags of `sweep`.
type sweepFlags struct {
	textFlags
	gates       list
	topk, state string
	dropEach    bool
	json, csv   bool
}

func (f *sweepFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "sweep", "[-m DIR] -f TEXT [--drop-each] [--topk 1-8] [--gate GATE|@FILE …] [--state F.jsonl] [--json|--csv]")
	f.modelFlags.add(fs)
	f.textFlags.add(fs)
	fs.BoolVar(&f.dropEach, "drop-each", false, "try the model without each expert in turn")
	fs.StringVar(&f.topk, "topk", "", "try these `numbers` of experts a token: 4, 1-8 or 1,2,4")
	gate := fs.Lookup("gate") // here it says what is tried, and --base what every other command calls --gate
	gate.Value, gate.Usage = &f.gates, "try this `gate`, or @FILE with one a line; may be given several times"
	fs.StringVar(&f.gate, "base", "", "`gate` that all of them stand on top of")
	fs.StringVar(&f.state, "state", "", "`file` of finished trials: a sweep that was interrupted goes on from it")
	fs.BoolVar(&f.json, "json", false, "print one JSON object")
	fs.BoolVar(&f.csv, "csv", false, "print CSV")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case !f.dropEach && f.topk == "" && len(f.gates) == 0:
		return fmt.Errorf("%w: want --drop-each, --topk or --gate, found none", errUsage)
	case f.json && f.csv:
		return fmt.Errorf("%w: want --json or --csv, found both", errUsage)
	}
	return f.check(rest)
}

func sweepCommand(ctx context.Context, s stdio, args []string) error {
	var f sweepFlags
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
	o := eval.SweepOptions{Options: eval.Options{Window: f.window, Stride: f.stride}}
	if o.Gates, err = f.table(m); err != nil {
		return err
	}
	if f.state != "" {
		state, err := f.openState(m, ids, o.Options)
		if err != nil {
			return err
		}
		defer state.Close()
		o.Done, o.Each = state.Done, state.Add
	}
	finish := showBar(s, "gates", &o.Progress)
	trials, err := eval.Sweep(ctx, m, ids, o)
	finish()
	if err != nil {
		return err
	}
	return f.print(s, trials, len(ids), bytes)
}

// table lists the gates that the flags name.
func (f *sweepFlags) table(m *model.Model) ([]string, error) {
	var out []string
	if f.topk != "" {
		list, err := eval.TopK(f.topk)
		if err != nil {
			return nil, fmt.Errorf("%w: --%w", errUsage, err)
		}
		out = append(out, list...)
	}
	for _, g := range f.gates {
		path, file := strings.CutPrefix(g, "@")
		if !file {
			out = append(out, g)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, eval.Lines(string(data))...)
	}
	if f.dropEach {
		if len(m.Spec().MoELayers()) == 0 {
			return nil, fmt.Errorf("--drop-each: want a model with mixture layers, found %s", m.Spec().Family)
		}
		out = append(out, eval.DropEach(m)...)
	}
	return out, nil
}

func (f *sweepFlags) openState(m *model.Model, ids []int32, o eval.Options) (*eval.State, error) {
	h, err := eval.NewHeader(m, ids, o, strings.Join([]string{m.Level(), f.compute, f.quant, f.kv}, " "))
	if err != nil {
		return nil, err
	}
	return eval.OpenState(f.state, h)
}

// ranked is one line of the table.
type ranked struct {
	Rank int     `json:"rank"`
	Name string  `json:"gate"` // "" is the model as it is
	Loss float64 `json:"loss"` // nats a token
	More float64 `json:"delta"`
	evaluation
}

// rank sorts by falling quality: the smallest loss first, equal ones in the order of the table.
func rank(trials []eval.Trial, read, bytes int) []ranked {
	var out []ranked
	for _, t := range trials {
		e := newEvaluation(read, bytes, "", t.Score)
		out = append(out, ranked{Name: t.Gate, Loss: e.Loss, More: e.Loss - trials[0].Mean(), evaluation: e})
	}
	slices.SortStableFunc(out, func(a, b ranked) int { return cmp.Compare(a.NLL, b.NLL) })
	for i := range out {
		out[i].Rank = i + 1
	}
	return out
}

func (f *sweepFlags) print(s stdio, trials []eval.Trial, read, bytes int) error {
	list := rank(trials, read, bytes)
	switch {
	case f.json:
		return json.NewEncoder(s.out).Encode(struct {
			Baseline evaluation `json:"baseline"`
			Gates    []ranked   `json:"gates"`
		}{newEvaluation(read, bytes, f.gate, trials[0].Score), list})
	case f.csv:
		return printCSV(s, list)
	}
	if _, err := fmt.Fprintf(s.out, "%4s  %-28s %9s %9s %10s %9s\n", "rank", "gate", "loss", "delta", "perplexity", "bits/byte"); err != nil {
		return err
	}
	for _, r := range list {
		bits := "-"
		if r.BitsPerByte != nil {
			bits = strconv.FormatFloat(*r.BitsPerByte, 'f', 5, 64)
		}
		name := cmp.Or(r.Name, "(as it is)")
		if _, err := fmt.Fprintf(s.out, "%4d  %-28s %9.5f %+9.5f %10.4f %9s\n", r.Rank, name, r.Loss, r.More, r.Perplexity, bits); err != nil {
			return err
		}
	}
	return nil
}

func printCSV(s stdio, list []ranked) error {
	out := csv.NewWriter(s.out)
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	_ = out.Write([]string{"rank", "gate", "loss", "delta", "perplexity", "bits_per_byte", "scored"}) // Error tells at the end
	for _, r := range list {
		bits := ""
		if r.BitsPerByte != nil {
			bits = number(*r.BitsPerByte)
		}
		_ = out.Write([]string{strconv.Itoa(r.Rank), r.Name, number(r.Loss), number(r.More), number(r.Perplexity), bits, strconv.Itoa(r.Tokens)})
	}
	out.Flush()
	return out.Error()
}
