package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// encoderFlags are the flags of `embed` and `classify`.
type encoderFlags struct {
	modelFlags
	jsonl bool
}

func (f *encoderFlags) parse(s stdio, name string, args []string) (string, error) {
	fs := newFlags(s, name, "-m DIR [TEXT | --jsonl]   (TEXT - or none reads stdin)")
	f.modelFlags.add(fs)
	fs.BoolVar(&f.jsonl, "jsonl", false, "stdin has one JSON string a line, stdout one answer a line in the same order")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return "", err
	case f.dir == "":
		return "", fmt.Errorf("%w: -m is missing: %s wants the folder of an encoder", errUsage, name)
	case f.jsonl && len(rest) > 0:
		return "", fmt.Errorf("%w: --jsonl reads stdin, found the argument %q", errUsage, rest[0])
	case f.jsonl:
		return "", nil
	}
	text := strings.Join(rest, " ")
	if len(rest) == 0 || text == "-" {
		data, err := io.ReadAll(s.in)
		return string(data), err
	}
	return text, nil
}

// encoderOptions are the flags as options of an encoder.
func (f *modelFlags) encoderOptions() (model.Options, error) {
	if f.gate != "" {
		return model.Options{}, fmt.Errorf("%w: --gate: an encoder has no gates", errUsage)
	}
	return f.options(0)
}

// openEncoder opens the encoder that the flags name.
func (f *modelFlags) openEncoder(s stdio) (*model.Encoder, error) {
	o, err := f.encoderOptions()
	if err != nil {
		return nil, err
	}
	defer spinner(s, "opening "+f.name())()
	return model.OpenEncoder(f.dir, o)
}

// isEncoder says whether -m names the folder of an encoder.
func (f *modelFlags) isEncoder() bool {
	data, err := os.ReadFile(filepath.Join(f.dir, "config.json"))
	return f.dir != "" && err == nil && model.IsEncoder(data)
}

func embedCommand(ctx context.Context, s stdio, args []string) error {
	return encoderCommand(ctx, s, "embed", args, func(f *encoderFlags, s stdio) (answers, io.Closer, error) {
		e, err := f.openEncoder(s)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, texts []string) ([]any, error) {
			list, err := e.Embed(ctx, texts)
			return lines(list, func(v []float32) any { return v }), err
		}, e, nil
	})
}

// answers gives a JSON value for each text.
type answers func(ctx context.Context, texts []string) ([]any, error)

// classified is a line of `classify`.
type classified struct {
	Label  string             `json:"label"`
	Scores map[string]float32 `json:"scores"`
}

func classifyCommand(ctx context.Context, s stdio, args []string) error {
	if len(args) > 0 && args[0] == "train" {
		return trainClassifierCommand(ctx, s, args[1:])
	}
	return encoderCommand(ctx, s, "classify", args, (*encoderFlags).openClassifier)
}

// openClassifier opens the folder of a learnt classifier, or of an encoder with a classification head.
func (f *encoderFlags) openClassifier(s stdio) (answers, io.Closer, error) {
	if !learn.IsClassifier(f.dir) {
		return f.openHead(s)
	}
	o, err := f.encoderOptions()
	if err != nil {
		return nil, nil, err
	}
	defer spinner(s, "opening "+f.name())()
	c, err := learn.OpenClassifier(f.dir, o)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, texts []string) ([]any, error) {
		list, err := c.Classify(ctx, texts)
		return lines(list, func(a learn.Class) any { return newClassified(a.Label, c.Labels, a.Scores) }), err
	}, c, nil
}

func (f *encoderFlags) openHead(s stdio) (answers, io.Closer, error) {
	e, err := f.openEncoder(s)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, texts []string) ([]any, error) {
		list, err := e.Classify(ctx, texts)
		return lines(list, func(a model.Class) any { return newClassified(a.Label, e.Spec().Head.Labels, a.Scores) }), err
	}, e, nil
}

func newClassified(label string, labels []string, scores []float32) classified {
	c := classified{label, map[string]float32{}}
	for i, l := range labels {
		c.Scores[l] = scores[i]
	}
	return c
}

func lines[T any](list []T, f func(T) any) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = f(list[i])
	}
	return out
}

// encoderCommand answers one text, or the lines of stdin.
func encoderCommand(ctx context.Context, s stdio, name string, args []string, open func(*encoderFlags, stdio) (answers, io.Closer, error)) error {
	var f encoderFlags
	text, err := f.parse(s, name, args)
	if err != nil {
		return err
	}
	answer, opened, err := open(&f, s)
	if err != nil {
		return err
	}
	defer opened.Close()
	if f.jsonl {
		return answerLines(ctx, s, answer)
	}
	list, err := answer(ctx, []string{text})
	if err != nil {
		return err
	}
	return encode(s.out, list[0])
}

// lineBatch is how many lines are answered at once where they are there already.
const lineBatch = 64

// answerLines reads JSON strings and writes a JSON value for each, in order. Lines that have come are answered together,
// and nobody waits for lines that have not. An error names its line.
func answerLines(ctx context.Context, s stdio, answer answers) error {
	in, out := bufio.NewReaderSize(s.in, 1<<20), bufio.NewWriter(s.out)
	var texts []string
	flush := func() error {
		list, err := answer(ctx, texts)
		for _, v := range list {
			err = errors.Join(err, encode(out, v))
		}
		texts = texts[:0]
		return errors.Join(err, out.Flush())
	}
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, readErr := in.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			var text string
			if err := json.Unmarshal(line, &text); err != nil {
				return errors.Join(flush(), fmt.Errorf("line %d: want a JSON string: %w", n, err))
			}
			texts = append(texts, text)
		}
		if len(texts) == lineBatch || readErr != nil || in.Buffered() == 0 {
			if err := flush(); err != nil {
				return fmt.Errorf("up to line %d: %w", n, err)
			}
		}
		if readErr == io.EOF {
			return nil
		}
		if readErr != nil {
			return readErr
		}
	}
}

// encoderLogits is `logits` on an encoder: the last hidden state, and the logits of its classification head.
func encoderLogits(ctx context.Context, s stdio, f *logitsFlags, ids []int32) error {
	if f.greedy > 0 {
		return fmt.Errorf("%w: --greedy: an encoder does not continue a text", errUsage)
	}
	e, err := f.openEncoder(s)
	if err != nil {
		return err
	}
	defer e.Close()
	list, err := e.Encode(ctx, [][]int32{ids})
	if err != nil {
		return err
	}
	out := []loader.Named{
		{Name: "input_ids", Tensor: tensor.FromI32(ids, len(ids))},
		{Name: "last_hidden_state", Tensor: tensor.FromF32(list[0].Hidden.Data, len(ids), e.Spec().Hidden)},
	}
	if l := list[0].Logits; l != nil {
		out = append(out, loader.Named{Name: "class_logits", Tensor: tensor.FromF32(l, len(l))})
	}
	return loader.Write(f.out, out, map[string]string{"family": e.Spec().Family, "level": e.Level()})
}

// inspectEncoder is `inspect` on an encoder: the resolved configuration and the tensors.
func inspectEncoder(s stdio, f *modelFlags, asJSON bool) error {
	e, err := f.openEncoder(s)
	if err != nil {
		return err
	}
	defer e.Close()
	v := struct {
		Model   string             `json:"model"`
		Level   string             `json:"level"`
		Context int                `json:"context"`
		Dim     int                `json:"embedding_dim"`
		Spec    *model.EncoderSpec `json:"spec"`
		Tensors []loader.Claim     `json:"tensors"`
	}{f.name(), e.Level(), e.Context(), e.Dim(), e.Spec(), e.Claims()}
	if asJSON {
		return encode(s.out, v)
	}
	sp := e.Spec()
	fmt.Fprintf(s.out, "%s: %s, an encoder of %d layers, hidden %d, %d heads, feed-forward %d, vocabulary %d\n",
		v.Model, sp.Family, len(sp.Layers), sp.Hidden, sp.Heads, sp.Width, sp.Vocab)
	fmt.Fprintf(s.out, "texts of up to %d tokens; embeddings of %d; %d tensors; level %s\n", v.Context, v.Dim, len(v.Tensors), v.Level)
	if sp.Head != nil {
		fmt.Fprintf(s.out, "classes: %s\n", strings.Join(sp.Head.Labels, ", "))
	}
	return nil
}
