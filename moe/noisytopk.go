package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// NoisyScorer adds noise that a second linear map tunes (arXiv 1701.06538, eq. 4):
//
//	l = x·W_g + N(0,1) · softplus(x·W_noise)
//
// The normal values depend on Seed, layer, position and expert alone, so that a run repeats; a call without positions is
// an [ErrGate]. Logits that a recorder sees hold the noise.
type NoisyScorer struct {
	Clean, Noise Scorer
	Seed         uint64

	spread buffer
}

// NewNoisyTopK is the gate of that paper: noisy logits, the K best of them, softmax over the chosen.
func NewNoisyTopK(w, noise kernels.Matrix, k int, seed uint64) (*Router, error) {
	spec := GateSpec{Experts: w.Rows, TopK: k, Score: ScoreIdentity, Select: SelectTopK, WeightFrom: FromSoftmaxSelected, Norm: NormNone}
	if noise.Rows != w.Rows || noise.Cols != w.Cols {
		return nil, fmt.Errorf("%w: noise: want [%d %d], found [%d %d]", ErrGate, w.Rows, w.Cols, noise.Rows, noise.Cols)
	}
	r, err := NewGate(spec, RouterWeights{W: w})
	if err != nil {
		return nil, err
	}
	r.Scorer = &NoisyScorer{Clean: r.Scorer, Noise: &Linear{W: noise}, Seed: seed}
	return r, nil
}

// Score implements Scorer.
func (s *NoisyScorer) Score(dst tensor.Mat, c Call) error {
	if len(c.Pos) != dst.Rows {
		return fmt.Errorf("%w: layer %d: noise needs %d positions, found %d", ErrGate, c.Layer, dst.Rows, len(c.Pos))
	}
	spread := s.spread.mat(dst.Rows, dst.Cols)
	if err := s.Clean.Score(dst, c); err != nil {
		return err
	}
	if err := s.Noise.Score(spread, c); err != nil {
		return err
	}
	for t := range dst.Rows {
		for e, v := range spread.Row(t) {
			dst.Row(t)[e] += float32(noiseAt(s.Seed, c.Layer, c.Pos[t], e) * softplus(float64(v)))
		}
	}
	return nil
}

// noiseAt is a standard normal value of its own for a layer, position and expert.
func noiseAt(seed uint64, layer int, pos int32, expert int) float64 {
	return gauss(mix(mix(mix(seed, uint64(layer)), uint64(uint32(pos))), uint64(expert)))
}
