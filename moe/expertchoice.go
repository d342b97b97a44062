package moe

import (
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// ExpertChoice lets experts choose tokens (arXiv 2202.09368): with scores s [T,E], every expert takes the
// ceil(T·Capacity/E) tokens with its largest scores, ties to the earlier token, so that all experts are equally loaded
// and a token has any number of experts, none too. Weights are the scores, normalised and scaled as the spec says.
//
// A token's experts depend on all tokens of the call: this is for whole texts in one call, and there is no decoding with
// it. A call that does not begin at position 0 is an [ErrGate].
type ExpertChoice struct {
	Spec      GateSpec
	Capacity  float64   // mean number of experts a token
	PerExpert []float32 // [E+Null] or nil

	scores buffer // [T,E]
	column []float32
	taken  []int32 // [C]
	ids    []int32 // of the token that is being filled
	flags  []bool  // [T,E]
	one    []float32
}

// CrossToken implements CrossToken.
func (s *ExpertChoice) CrossToken() bool { return true }

func (s *ExpertChoice) maxK() int { return s.Spec.Slots() }

// Select implements Selector.
func (s *ExpertChoice) Select(dst *Routing, logits tensor.Mat, c Call) error {
	if err := wholeText("expertchoice", c); err != nil {
		return err
	}
	if err := s.score(logits, c.Layer); err != nil {
		return err
	}
	n, e := logits.Rows, s.Spec.Slots()
	s.flags, s.column = sized(s.flags, n*e), sized(s.column, n)
	clear(s.flags)
	most := min(max(int(math.Ceil(float64(n)*s.Capacity/float64(e))), 1), n)
	s.taken = sized(s.taken, most)
	for x := range e {
		for t := range n {
			s.column[t] = s.scores.last.Row(t)[x]
		}
		for _, t := range s.taken[:choose(s.taken, s.column, nil)] {
			s.flags[int(t)*e+x] = true
		}
	}
	return s.fill(dst, n, e, c.Layer)
}

// score fills s.scores.
func (s *ExpertChoice) score(logits tensor.Mat, layer int) error {
	out := s.scores.mat(logits.Rows, logits.Cols)
	s.one = sized(s.one, logits.Cols)
	for t := range logits.Rows {
		copy(s.one, logits.Row(t))
		if bad := firstNaN(s.one); bad >= 0 {
			return fmt.Errorf("layer %d token %d expert %d: %w: logit %v", layer, t, bad, ErrBadScore, logits.Row(t)[bad])
		}
		s.Spec.cap(s.one)
		s.Spec.score(out.Row(t), s.one)
	}
	return nil
}

// fill lists every token's experts by falling score.
func (s *ExpertChoice) fill(dst *Routing, n, e, layer int) error {
	dst.Reset(e, n, e)
	s.ids = sized(s.ids, e)
	for t := range n {
		row := s.scores.last.Row(t)
		k := choose(s.ids, row[:e], nil)
		from := len(dst.Expert)
		for _, x := range s.ids[:k] {
			if s.flags[t*e+int(x)] {
				dst.Add(x, row[x])
			}
		}
		dst.EndToken()
		ids, weights := dst.Expert[from:], dst.Weight[from:]
		s.Spec.finish(ids, weights, nil, s.PerExpert)
		if bad := badWeight(ids, weights); bad >= 0 {
			return fmt.Errorf("layer %d token %d expert %d: %w: score %v", layer, t, bad, ErrBadScore, row[bad])
		}
	}
	return nil
}

// wholeText refuses a call that goes on with a text.
func wholeText(name string, c Call) error {
	if len(c.Pos) > 0 && c.Pos[0] != 0 {
		return fmt.Errorf("%w: %s decides about a whole text: want it in one call from position 0 (prefill only, no decoding), found position %d",
			ErrGate, name, c.Pos[0])
	}
	return nil
}
