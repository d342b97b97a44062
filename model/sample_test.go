package model_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2fbf7788/switchyard/model"
)

// share counts how often each id is drawn.
func share(o model.Sampling, logits []float32, n int) []float64 {
	s := model.NewSampler(o)
	out := make([]float64, len(logits))
	for range n {
		out[s.Sample(logits)] += 1 / float64(n)
	}
	return out
}

func logs(p ...float64) []float32 {
	out := make([]float32, len(p))
	for i, v := range p {
		out[i] = float32(math.Log(v)) + 3
	}
	return out
}

func TestSamplerFollowsProbabilities(t *testing.T) {
	p := logs(0.1, 0.4, 0.2, 0.3)
	for _, c := range []struct {
		name string
		o    model.Sampling
		want []float64
	}{
		{"greedy", model.Sampling{}, []float64{0, 1, 0, 0}},
		{"plain", model.Sampling{Temperature: 1}, []float64{0.1, 0.4, 0.2, 0.3}},
		{"temperature", model.Sampling{Temperature: 0.5}, []float64{0.01 / 0.3, 0.16 / 0.3, 0.04 / 0.3, 0.09 / 0.3}},
		{"top-k", model.Sampling{Temperature: 1, TopK: 2}, []float64{0, 4. / 7, 0, 3. / 7}},
		{"top-p", model.Sampling{Temperature: 1, TopP: 0.69}, []float64{0, 4. / 7, 0, 3. / 7}},
		{"top-p reaches the third", model.Sampling{Temperature: 1, TopP: 0.71}, []float64{0, 4. / 9, 2. / 9, 3. / 9}},
		{"top-p after top-k counts what top-k left", model.Sampling{Temperature: 1, TopK: 2, TopP: 0.55}, []float64{0, 1, 0, 0}},
		{"min-p", model.Sampling{Temperature: 1, MinP: 0.6}, []float64{0, 4. / 7, 0, 3. / 7}},
		{"tiny top-p keeps one", model.Sampling{Temperature: 1, TopP: 1e-9}, []float64{0, 1, 0, 0}},
	} {
		got := share(c.o, p, 20000)
		for i := range c.want {
			assert.InDelta(t, c.want[i], got[i], 0.015, "%s: id %d", c.name, i)
			if c.want[i] == 0 {
				assert.Zero(t, got[i], c.name)
			}
		}
	}
}

func TestGreedyTiesGoToTheLowerID(t *testing.T) {
	assert.Equal(t, int32(1), model.NewSampler(model.Sampling{}).Sample([]float32{0, 5, 5, 5}))
	assert.Equal(t, int32(1), model.NewSampler(model.Sampling{Temperature: 1, TopK: 1}).Sample([]float32{0, 5, 5, 5}))
}

func TestRepeatPenalty(t *testing.T) {
	s := model.NewSampler(model.Sampling{RepeatPenalty: 2})
	logits := []float32{3, 2.9, -1}
	assert.Equal(t, int32(0), s.Sample(logits))
	s.Accept(0)
	assert.Equal(t, int32(1), s.Sample(logits)) // 3/2 < 2.9
	s.Accept(1, 1)
	assert.Equal(t, int32(0), s.Sample(logits)) // 1.5 > 1.45
	assert.Equal(t, []float32{3, 2.9, -1}, logits, "logits are not changed")
	neg := model.NewSampler(model.Sampling{RepeatPenalty: 2})
	neg.Accept(0)
	assert.Equal(t, int32(1), neg.Sample([]float32{-1, -1.5}), "a negative logit is multiplied")
}

func TestDrawAllocatesNothing(t *testing.T) {
	s := model.NewSampler(model.Sampling{Temperature: 1, TopK: 3, TopP: 0.9})
	logits := logs(0.1, 0.4, 0.2, 0.3)
	s.Sample(logits)
	assert.Zero(t, testing.AllocsPerRun(100, func() { s.Sample(logits) }))
}
