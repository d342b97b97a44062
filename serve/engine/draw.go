package engine

import (
	"math"
	"slices"
	"time"

	"github.com/seed2fbf7788/switchyard/model"
)

// step draws a token within the model's step. What is to be told and does not end the text is told at once, from whichever
// worker drew: readers then run where that worker ran, and not all behind each other.
func (j *Job) step(logits []float32, top int32) {
	j.drawn = j.draw(logits, top)
	if j.drawn.finish == "" && len(j.drawn.list) > 0 {
		j.deliver(j.drawn.list, "", nil)
		j.drawn.list = nil
	}
}

// drawn is what came of one draw.
type drawn struct {
	list   []Token
	finish model.Finish
	drew   bool
}

// draw chooses a job's next token from its logits, whose largest is top, and says whether the text ends. Jobs of one
// step draw side by side.
func (j *Job) draw(logits []float32, top int32) drawn {
	if j.Constraint != nil {
		j.sampler.Allow(j.Constraint.Mask(j.limit-j.generated(), j.ends))
	}
	id := j.sampler.SampleTop(logits, top)
	if slices.Contains(j.ends, id) {
		return drawn{list: j.text.flush(), finish: model.FinishStop}
	}
	j.sampler.Generated(id)
	j.tokens = append(j.tokens, id)
	t := Token{ID: id, Time: time.Now()}
	if j.LogProbs {
		t.LogProb, t.Top = logProbs(logits, id, j.Top)
	}
	list := j.text.add(t)
	if j.Constraint != nil {
		j.Constraint.Accept(id)
	}
	switch {
	case j.text.hit:
		return drawn{list, model.FinishStop, true}
	case j.Constraint != nil && j.Constraint.Done():
		return j.last(list, model.FinishStop)
	case j.generated() >= j.limit:
		return j.last(list, model.FinishLength)
	}
	return drawn{list: list, drew: true}
}

// last ends a text behind the tokens of list.
func (j *Job) last(list []Token, f model.Finish) drawn {
	list = append(list, j.text.flush()...)
	if j.text.hit {
		f = model.FinishStop
	}
	return drawn{list, f, true}
}

// logProbs is the log-probability of id and the top most likely tokens, ties to the lower id, before any sampling
// option; sums in f64.
func logProbs(logits []float32, id int32, top int) (float32, []Alternative) {
	most := float64(slices.Max(logits))
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - most)
	}
	norm := most + math.Log(sum)
	var best []Alternative // by falling logit
	for i, l := range logits {
		if len(best) == top && (top == 0 || l <= best[top-1].LogProb) {
			continue
		}
		at := len(best)
		for at > 0 && best[at-1].LogProb < l {
			at--
		}
		best = slices.Insert(best, at, Alternative{int32(i), l})
		best = best[:min(len(best), top)]
	}
	for i := range best {
		best[i].LogProb = float32(float64(best[i].LogProb) - norm)
	}
	return float32(float64(logits[id]) - norm), best
}
