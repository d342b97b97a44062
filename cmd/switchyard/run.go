package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
)

// runFlags are the flags of `run`.
type runFlags struct {
	modelFlags
	gen     model.GenerateOptions
	stop    list
	ids     string
	seed    int64
	experts bool
	json    bool
	chat    bool
	special bool
}

func (f *runFlags) parse(s stdio, args []string) ([]string, error) {
	fs := newFlags(s, "run", "[-m DIR] [PROMPT]   (PROMPT - reads stdin)")
	f.modelFlags.add(fs)
	fs.IntVar(&f.gen.MaxTokens, "n", 128, "`tokens` to generate at most; 0: until the model ends or its context is full")
	fs.Float64Var(&f.gen.Temperature, "temp", 0, "`temperature`; 0 takes the most likely token")
	fs.IntVar(&f.gen.TopK, "top-k", 0, "sample among the `k` most likely tokens; 0: all")
	fs.Float64Var(&f.gen.TopP, "top-p", 1, "sample among the most likely tokens that reach probability `p`")
	fs.Float64Var(&f.gen.MinP, "min-p", 0, "sample among tokens at least `p` times as likely as the most likely one")
	fs.Float64Var(&f.gen.RepeatPenalty, "repeat-penalty", 1, "`factor` against tokens that stand in the text; 1: none")
	fs.Int64Var(&f.seed, "seed", -1, "`seed` of the sampling; the same seed gives the same text; -1 takes a new one")
	fs.Var(&f.stop, "stop", "end before this `text`; may be given several times")
	fs.StringVar(&f.ids, "ids", "", "the prompt as token `ids` 1,2,3")
	fs.BoolVar(&f.gen.IgnoreEOS, "ignore-eos", false, "an end-of-text token does not end the text")
	fs.BoolVar(&f.special, "special", false, "show special tokens in the text")
	fs.BoolVar(&f.experts, "experts", false, "print which experts worked, as bars")
	fs.BoolVar(&f.chat, "chat", false, "wrap the prompt in the model's chat template")
	fs.BoolVar(&f.json, "json", false, "print one JSON object instead of streaming text")
	rest, err := parse(fs, args)
	if err != nil {
		return nil, err
	}
	f.gen.Stop, f.gen.Special = f.stop, f.special
	f.gen.Seed = uint64(f.seed)
	if f.seed < 0 {
		f.gen.Seed = uint64(rand.Int64())
	}
	if err := f.gen.Check(); err != nil {
		return nil, fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.gen.MaxTokens < 0 {
		return nil, fmt.Errorf("%w: -n: want 0 or more, found %d", errUsage, f.gen.MaxTokens)
	}
	return rest, nil
}

func runCommand(ctx context.Context, s stdio, args []string) error {
	var f runFlags
	rest, err := f.parse(s, args)
	if err != nil {
		return err
	}
	m, err := f.open(s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	ses := m.NewSession()
	defer ses.Close()
	tokens, err := f.prompt(ctx, s, ses, rest)
	if err != nil {
		return err
	}
	bars := newBars(m.Spec())
	if f.experts {
		ses.Observe(bars)
	}
	return f.print(s, m, ses, tokens, bars)
}

// prompt starts the generation from the words of the command line, stdin or --ids.
func (f *runFlags) prompt(ctx context.Context, s stdio, ses *model.Session, rest []string) (iter.Seq2[model.Token, error], error) {
	if f.ids != "" {
		if len(rest) > 0 {
			return nil, fmt.Errorf("%w: want a PROMPT or --ids, found both", errUsage)
		}
		ids, err := idList(f.ids)
		return ses.GenerateIDs(ctx, ids, f.gen), err
	}
	text := strings.Join(rest, " ")
	if text == "-" || (len(rest) == 0 && !isTerminal(s.in)) {
		data, err := io.ReadAll(s.in)
		if err != nil {
			return nil, err
		}
		text = string(data)
	}
	if text == "" {
		return nil, fmt.Errorf("%w: want a PROMPT (or --ids, or text on stdin), found none", errUsage)
	}
	if f.chat {
		return chatPrompt(ctx, f, ses, text)
	}
	return ses.Generate(ctx, text, f.gen), nil
}

// result is what `run --json` prints.
type result struct {
	Text      string       `json:"text"`
	IDs       []int32      `json:"ids"`
	Finish    model.Finish `json:"finish"`
	Seed      uint64       `json:"seed"`
	Prompt    int          `json:"prompt_tokens"`
	PrefillS  float64      `json:"prefill_s"`
	Generated int          `json:"generated_tokens"`
	DecodeS   float64      `json:"decode_s"`
	Experts   [][]int      `json:"experts,omitempty"` // [layer][expert] tokens, with --experts
}

// print streams the tokens, then the experts, then the speed.
func (f *runFlags) print(s stdio, m *model.Model, ses *model.Session, tokens iter.Seq2[model.Token, error], bars *bars) error {
	_, tokErr := m.Tokenizer()
	res := result{IDs: []int32{}, Seed: f.gen.Seed}
	var failed error
	for t, err := range tokens {
		if err != nil {
			failed = err
			break
		}
		if t.ID >= 0 {
			res.IDs = append(res.IDs, t.ID)
		}
		res.Text += t.Text
		if !f.json {
			if err := show(s.out, t, tokErr != nil, len(res.IDs)); err != nil {
				return err
			}
		}
	}
	if !f.json && len(res.IDs) > 0 {
		fmt.Fprintln(s.out)
	}
	if failed != nil && !errors.Is(failed, context.Canceled) {
		return failed
	}
	st := ses.Stats()
	if f.json {
		res.fill(st)
		if f.experts {
			res.Experts = bars.counts
		}
		return errors.Join(failed, json.NewEncoder(s.out).Encode(res))
	}
	if f.experts {
		bars.print(s.out)
	}
	speed(s.err, m, st)
	return failed
}

// show prints a token's text, or its id where the model has no tokenizer.
func show(w io.Writer, t model.Token, ids bool, n int) error {
	text := t.Text
	if ids && t.ID >= 0 {
		text = fmt.Sprint(t.ID)
		if n > 1 {
			text = "," + text
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

func (r *result) fill(st model.Stats) {
	r.Finish, r.Prompt, r.Generated = st.Finish, st.Prompt, st.Generated
	r.PrefillS, r.DecodeS = st.Prefill.Seconds(), st.Decode.Seconds()
}

func speed(w io.Writer, m *model.Model, st model.Stats) {
	rate := func(n int, seconds float64) float64 { return float64(n) / max(seconds, 1e-9) }
	fmt.Fprintf(w, "prompt %d tokens, %.1f tokens/s; generated %d tokens, %.1f tokens/s; level %s, %d threads\n",
		st.Prompt, rate(st.Prompt, st.Prefill.Seconds()), st.Generated, rate(st.Generated, st.Decode.Seconds()), m.Level(), m.Threads())
}
