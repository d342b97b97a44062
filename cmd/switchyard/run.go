package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
)

// runFlags are the flags of `run`.
type runFlags struct {
	modelFlags
	sampleFlags
	ids                 string
	experts, json, chat bool
}

func (f *runFlags) parse(s stdio, args []string) ([]string, error) {
	fs := newFlags(s, "run", "[-m DIR] [PROMPT]   (PROMPT - reads stdin)")
	f.modelFlags.add(fs)
	f.sampleFlags.add(fs, 128)
	fs.StringVar(&f.ids, "ids", "", "the prompt as token `ids` 1,2,3")
	fs.BoolVar(&f.experts, "experts", false, "print which experts worked, as bars")
	fs.BoolVar(&f.chat, "chat", false, "wrap the prompt in the model's chat template")
	fs.BoolVar(&f.json, "json", false, "print one JSON object instead of streaming text")
	rest, err := parse(fs, args)
	if err != nil {
		return nil, err
	}
	return rest, f.sampleFlags.finish()
}

func runCommand(ctx context.Context, s stdio, args []string) error {
	var f runFlags
	rest, err := f.parse(s, args)
	if err != nil {
		return err
	}
	m, err := f.open(ctx, s, 0)
	if err != nil {
		return err
	}
	defer m.Close()
	ses, tokens, err := f.prompt(ctx, s, m, rest)
	if err != nil {
		return err
	}
	defer ses.Close()
	bars := newBars(m.Spec())
	if f.experts {
		ses.Observe(bars)
	}
	return f.print(s, m, ses, tokens, bars)
}

// prompt starts the generation from the words of the command line, stdin or --ids.
func (f *runFlags) prompt(ctx context.Context, s stdio, m *model.Model, rest []string) (*model.Session, iter.Seq2[model.Token, error], error) {
	if f.ids != "" {
		if len(rest) > 0 || f.chat {
			return nil, nil, fmt.Errorf("%w: want a PROMPT or --ids, found both", errUsage)
		}
		ids, err := idList(f.ids)
		if err != nil {
			return nil, nil, err
		}
		ses := m.NewSession()
		return ses, ses.GenerateIDs(ctx, ids, f.gen), nil
	}
	text, err := promptText(s, rest)
	if err != nil {
		return nil, nil, err
	}
	if f.chat {
		return chatPrompt(ctx, m, text, f.gen)
	}
	ses := m.NewSession()
	return ses, ses.Generate(ctx, text, f.gen), nil
}

// promptText joins the words of the command line, or reads stdin for "-" or where there are none and it is no terminal.
func promptText(s stdio, rest []string) (string, error) {
	text := strings.Join(rest, " ")
	if text == "-" || (len(rest) == 0 && !isTerminal(s.in)) {
		data, err := io.ReadAll(s.in)
		if err != nil {
			return "", err
		}
		text = string(data)
	}
	if text == "" {
		return "", fmt.Errorf("%w: want a PROMPT (or --ids, or text on stdin), found none", errUsage)
	}
	return text, nil
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
