package moe

import (
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// TopK is the selector of most families: scores, a bias that counts for the choice only, groups, the K best, and
// weights made of scores or of the chosen logits, normalised and scaled. Formulas: [GateSpec].
//
// Sources: transformers models mixtral, qwen3_moe, olmoe, deepseek_v2, deepseek_v3, granitemoe, gpt_oss, llama4, lfm2_moe.
type TopK struct {
	Spec       GateSpec
	ChoiceBias []float32 // [E] or nil
	PerExpert  []float32 // [E] or nil

	job  topkJob
	work []topkScratch // one a worker
}

type topkScratch struct {
	score, choice []float32 // [E]
	out           []bool    // [E] not to be chosen: taken already, or of a group that was not kept
	group         []float32 // [groups]
	kept          []bool    // [groups]
}

// selectTile is how many tokens one chunk selects for.
const selectTile = 16

// Select implements Selector.
func (s *TopK) Select(dst *Routing, logits tensor.Mat, c Call) error {
	dst.Uniform(logits.Cols, logits.Rows, s.Spec.TopK)
	s.job = topkJob{s: s, dst: dst, logits: logits, failed: -1}
	if logits.Rows <= selectTile || c.Engine == nil {
		s.reserve(1)
		for t := range logits.Rows {
			if err := s.row(&s.work[0], dst, logits.Row(t), t); err != nil {
				return fmt.Errorf("layer %d token %d %w", c.Layer, t, err)
			}
		}
		return nil
	}
	s.reserve(c.Engine.Threads())
	return s.job.run(c)
}

func (s *TopK) reserve(workers int) {
	n := s.Spec.Slots()
	for len(s.work) < workers {
		w := topkScratch{score: make([]float32, n), choice: make([]float32, n), out: make([]bool, n)}
		if g := s.Spec.Groups; g != nil {
			w.group, w.kept = make([]float32, g.N), make([]bool, g.N)
		}
		s.work = append(s.work, w)
	}
}

// row chooses for one token.
func (s *TopK) row(w *topkScratch, dst *Routing, logits []float32, t int) error {
	if err := s.Spec.score(w.score, logits); err != nil {
		return err
	}
	copy(w.choice, w.score)
	for i, b := range s.ChoiceBias {
		w.choice[i] += b
	}
	clear(w.out)
	s.Spec.maskGroups(w)
	ids, weights := dst.Of(t)
	for j := range ids {
		e := best(w.choice, w.out)
		if e < 0 {
			return fmt.Errorf("%w: %d experts can be chosen, want %d", ErrGate, j, len(ids))
		}
		w.out[e] = true
		ids[j] = int32(e)
	}
	s.Spec.weigh(ids, weights, w.score, logits, s.PerExpert)
	return nil
}

// best is the index of the largest value that is not out, ties to the lower index; -1 where all are out.
func best(v []float32, out []bool) int {
	e := -1
	for i, x := range v {
		if !out[i] && (e < 0 || x > v[e]) {
			e = i
		}
	}
	return e
}

// maskGroups scores the groups by their choice scores and takes the experts of all but the best ones out, or sets their
// choice scores to 0.
func (g *GateSpec) maskGroups(w *topkScratch) {
	if g.Groups == nil {
		return
	}
	size := g.Experts / g.Groups.N
	for i := range w.group {
		w.group[i] = groupScore(w.choice[i*size:(i+1)*size], g.Groups.Agg)
	}
	clear(w.kept)
	for range g.Groups.Keep {
		w.kept[best(w.group, w.kept)] = true
	}
	for e := range g.Experts {
		if w.kept[e/size] {
			continue
		}
		if g.Groups.FillZero {
			w.choice[e] = 0
		} else {
			w.out[e] = true
		}
	}
}

func groupScore(v []float32, agg GroupScore) float32 {
	first, second := float32(math.Inf(-1)), float32(math.Inf(-1))
	for _, x := range v {
		if x > first {
			first, second = x, first
		} else if x > second {
			second = x
		}
	}
	if agg == GroupTop2Sum && len(v) > 1 {
		return first + second
	}
	return first
}

// weigh turns the chosen experts' scores or logits into final weights.
func (g *GateSpec) weigh(ids []int32, weights, score, logits, perExpert []float32) {
	for j, e := range ids {
		switch g.WeightFrom {
		case FromScore:
			weights[j] = score[e]
		case FromSigmoidSelected:
			weights[j] = sigmoid(logits[e])
		default:
			weights[j] = logits[e]
		}
	}
	if g.WeightFrom == FromSoftmaxSelected {
		softmax(weights)
	}
	g.normalise(weights)
	for j, e := range ids {
		if g.Scale != 0 {
			weights[j] *= g.Scale
		}
		if perExpert != nil && int(e) < len(perExpert) {
			weights[j] *= perExpert[e]
		}
	}
}

// normalise divides by the sum (plus epsilon, at least the floor) or by the p-norm, summed in slot order.
func (g *GateSpec) normalise(w []float32) {
	sum := float32(0)
	switch g.Norm {
	case NormSum:
		for _, v := range w {
			sum += v
		}
		sum = max(sum+g.NormEps, g.NormFloor)
	case NormPow:
		p := 0.0
		for _, v := range w {
			p += math.Pow(math.Abs(float64(v)), float64(g.NormP))
		}
		sum = float32(math.Pow(p, 1/float64(g.NormP)))
	default:
		return
	}
	for j := range w {
		w[j] /= sum
	}
}
