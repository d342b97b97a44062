package report

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// Report is what is to be said about some traces: the metrics of each, and each further one against the first.
type Report struct {
	Traces      []*Metrics
	Texts       []*Texts // of each trace
	Comparisons []*Comparison
}

// Tokens finds the tokenizer of a trace by its hash; nil where there is none, and tokens are shown as ids then.
type Tokens func(hash string) (*tokenizer.Tokenizer, error)

// maxLabels bounds the labels of a trace: each has a share for every expert.
const maxLabels = 1000

// maxPairs bounds the pairs of experts that are counted, over all layers: twice those of the largest models.
const maxPairs = 1 << 24

// Make reads the traces and computes everything.
func Make(ctx context.Context, paths []string, tokens Tokens) (*Report, error) {
	out := &Report{}
	var first *trace.Reader
	for i, path := range paths {
		r, err := trace.Open(path)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		if i == 0 {
			first = r
		} else {
			c, err := Compare(ctx, first, r)
			if err != nil {
				return nil, err
			}
			out.Comparisons = append(out.Comparisons, c)
		}
		if err := out.add(ctx, r, tokens); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *Report) add(ctx context.Context, t *trace.Reader, tokens Tokens) error {
	distinct := map[string]bool{}
	for _, l := range t.Labels {
		distinct[l] = true
	}
	if len(distinct) > maxLabels {
		return fmt.Errorf("%s: %w: labels: want at most %d, found %d", t.Path, trace.ErrFormat, maxLabels, len(distinct))
	}
	pairs := 0
	for _, g := range t.Gates {
		pairs += g.Slots() * g.Slots()
	}
	if pairs > maxPairs {
		return fmt.Errorf("%s: %w: want at most %d pairs of experts, found %d", t.Path, trace.ErrFormat, maxPairs, pairs)
	}
	var tok *tokenizer.Tokenizer
	var err error
	if tokens != nil {
		if tok, err = tokens(t.Metadata["tokenizer_hash"]); err != nil {
			return fmt.Errorf("%s: %w", t.Path, err)
		}
	}
	m, err := Measure(ctx, t)
	if err != nil {
		return err
	}
	x, err := readTexts(ctx, t, tok)
	r.Traces, r.Texts = append(r.Traces, m), append(r.Texts, x)
	return err
}

// WriteJSON writes the metrics of the first trace, and beside them those of further ones and the comparisons.
func (r *Report) WriteJSON(w io.Writer) error {
	return json.NewEncoder(w).Encode(struct {
		*Metrics
		More        []*Metrics    `json:"more,omitempty"`
		Comparisons []*Comparison `json:"comparisons,omitempty"`
	}{r.Traces[0], r.Traces[1:], r.Comparisons})
}
