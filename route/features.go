package route

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Source is what a router reads prompts with: an encoder, or a local mixture whose experts are the features.
type Source struct {
	Encoder *model.Encoder
	Mixture *model.Model
}

func (s Source) hash() string {
	if s.Encoder != nil {
		return s.Encoder.Hash()
	}
	return s.Mixture.Hash()
}

// read gives the raw rows of prompts: embedding or experts, then shape.
func (s Source) read(ctx context.Context, prompts []string, progress func(done, all int)) ([][]float32, error) {
	out := make([][]float32, 0, len(prompts))
	const batch = 32
	for a := 0; a < len(prompts); a += batch {
		part := prompts[a:min(a+batch, len(prompts))]
		rows, err := s.part(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("prompts from %d on: %w", a+1, err)
		}
		for i, p := range part {
			out = append(out, append(rows[i], shape(p)...))
		}
		if progress != nil {
			progress(len(out), len(prompts))
		}
	}
	return out, nil
}

func (s Source) part(ctx context.Context, prompts []string) ([][]float32, error) {
	if s.Encoder != nil {
		return s.embed(ctx, prompts)
	}
	rows := make([][]float32, len(prompts))
	var err error
	for i, p := range prompts {
		if rows[i], err = Experts(ctx, s.Mixture, p); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// Shares of an encoder's row: what a question asks and what its options offer say different things of its difficulty.
const (
	shareWhole    = 0.8
	shareQuestion = 0.6
	shareOptions  = 0.6
)

// embed gives the embeddings of the whole prompt, of the question and of the options, side by side, [3·Dim]. A prompt without
// options is all question.
func (s Source) embed(ctx context.Context, prompts []string) ([][]float32, error) {
	texts := slices.Clone(prompts)
	at := make([]int, len(prompts)) // where the question's text is, the options' behind it; 0: nowhere
	for i, p := range prompts {
		if question, options := splitOptions(p); len(options) > 0 && strings.TrimSpace(question) != "" {
			at[i] = len(texts)
			texts = append(texts, question, strings.Join(options, " ; "))
		}
	}
	vectors, err := s.Encoder.Embed(ctx, texts)
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, len(prompts))
	for i := range rows {
		n := s.Encoder.Dim()
		row, q := make([]float32, 3*n), i
		if at[i] > 0 {
			q = at[i]
			addScaled(row[2*n:], vectors[q+1], shareOptions)
		}
		addScaled(row[:n], vectors[i], shareWhole)
		addScaled(row[n:2*n], vectors[q], shareQuestion)
		rows[i] = row
	}
	return rows, nil
}

func addScaled(dst, v []float32, by float32) {
	for i, x := range v {
		dst[i] += by * x
	}
}

// width is the length of an encoder's row, 0 without one.
func (s Source) width() int {
	if s.Encoder == nil {
		return 0
	}
	return 3 * s.Encoder.Dim()
}

// scaler brings the columns behind the first keep ones to mean 0 and a small spread, so that they stand beside an embedding
// of length 1.
type scaler struct {
	keep         int
	mean, spread []float32
}

// besideEmbedding is the spread of a scaled column.
const besideEmbedding = 0.1

func newScaler(rows [][]float32, keep int) scaler {
	s := scaler{keep: keep}
	n := float64(len(rows))
	for j := keep; j < len(rows[0]); j++ {
		sum, sq := 0.0, 0.0
		for _, r := range rows {
			sum += float64(r[j])
		}
		for _, r := range rows {
			d := float64(r[j]) - sum/n
			sq += d * d
		}
		s.mean, s.spread = append(s.mean, float32(sum/n)), append(s.spread, float32(math.Sqrt(sq/n)))
	}
	return s
}

// apply scales a row in place. A column that never moved in training stays 0, and no value strays further than 5 spreads.
func (s scaler) apply(row []float32) {
	for i := range s.mean {
		v := &row[s.keep+i]
		if s.spread[i] == 0 {
			*v = 0
			continue
		}
		*v = besideEmbedding * min(max((*v-s.mean[i])/s.spread[i], -5), 5)
	}
}

func matOf(rows [][]float32) tensor.Mat {
	m := tensor.NewMat(len(rows), len(rows[0]))
	for i, r := range rows {
		copy(m.Row(i), r)
	}
	return m
}

func sparseOf(g learn.NGrams, prompts []string) []learn.Sparse {
	out := make([]learn.Sparse, len(prompts))
	for i, p := range prompts {
		out[i] = g.Row(p)
	}
	return out
}
