package route

import (
	"context"
	"fmt"
	"math"

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
		return s.Encoder.Embed(ctx, prompts)
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
