package route

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Examples labels a prompt like the utterance that it is nearest to: the cosine of their embeddings. It is safe for concurrent
// use.
type Examples struct {
	labels    []string
	of        []int      // label of each row
	rows      tensor.Mat // [utterances, dim], of length 1
	encoder   *model.Encoder
	threshold float64
}

// DefaultSimilarity is the cosine from which on a prompt is like an utterance; with MiniLM, paraphrases lie above it and texts on
// other subjects mostly below 0.3.
const DefaultSimilarity = 0.5

// NewExamples embeds utterances, in the order of the labels. Errors: learn.ErrData, the encoder's, the context's.
func NewExamples(ctx context.Context, e *model.Encoder, labels []string, utterances map[string][]string, threshold float64) (*Examples, error) {
	x := &Examples{labels: labels, encoder: e, threshold: threshold}
	var texts []string
	for i, l := range labels {
		for _, u := range utterances[l] {
			texts, x.of = append(texts, u), append(x.of, i)
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%w: want examples, found none", learn.ErrData)
	}
	x.rows = tensor.NewMat(len(texts), e.Dim())
	const batch = 32
	for a := 0; a < len(texts); a += batch {
		list, err := e.Embed(ctx, texts[a:min(a+batch, len(texts))])
		if err != nil {
			return nil, err
		}
		for i, v := range list {
			if !normalise(v) {
				return nil, fmt.Errorf("%w: example %d has an embedding of zeros", learn.ErrData, a+i+1)
			}
			copy(x.rows.Row(a+i), v)
		}
	}
	return x, nil
}

func normalise(v []float32) bool {
	sum := 0.0
	for _, a := range v {
		sum += float64(a) * float64(a)
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return false
	}
	by := float32(1 / math.Sqrt(sum))
	for i := range v {
		v[i] *= by
	}
	return true
}

// Labels implements Labeller.
func (x *Examples) Labels() []string { return slices.Clone(x.labels) }

var errEmbedding = errors.New("route: the prompt's embedding has no direction")

// Label implements Labeller. The confidence is the cosine, 0 where it is negative.
func (x *Examples) Label(ctx context.Context, text string) (Label, error) {
	list, err := x.encoder.Embed(ctx, []string{Bound(text, maxReadBytes)})
	if err != nil {
		return Label{}, err
	}
	if !normalise(list[0]) {
		return Label{}, errEmbedding
	}
	best, at := float32(-1), 0
	l := Label{Threshold: x.threshold, Reason: ReasonNoMatch, Signals: map[string]float64{}}
	for i := range x.rows.Rows {
		c := dot(x.rows.Row(i), list[0])
		name := x.labels[x.of[i]]
		if old, ok := l.Signals[name]; !ok || float64(c) > old {
			l.Signals[name] = float64(c)
		}
		if c > best {
			best, at = c, i
		}
	}
	l.Name, l.Confidence = x.labels[x.of[at]], max(float64(best), 0)
	if l.Confidence >= l.Threshold {
		l.Matched, l.Reason = true, ReasonExamples
	}
	return l, nil
}

func dot(a, b []float32) float32 {
	sum := float32(0)
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
