// Package cascade judges a local answer by how sure the model was of it, so that a doubtful one can be asked of a bigger
// model.
//
// The score of an answer is the mean natural log-probability of its tokens, or what a [Scorer] makes of them. Below the
// threshold the request escalates. What the client sees meanwhile depends on First: 0 judges the whole answer, and nothing
// can be sent until it is complete; n judges the first n tokens, after which a kept answer streams as it comes. The threshold
// is calibrated on answers that are known to be right or wrong, judged with the same First.
package cascade

import (
	"errors"
	"fmt"
	"math"
)

// ErrOptions is returned for options that cannot be.
var ErrOptions = errors.New("cascade options")

// Options of New.
type Options struct {
	Threshold float64 // answers with a lower score escalate
	First     int     // tokens that are judged; 0: all
	Scorer    Scorer  // nil: MeanLogProb
}

// Scorer gives an answer a score, the surer the higher. It must not keep logProbs, and be safe for concurrent use.
type Scorer interface {
	Score(logProbs []float64) float64
}

// MeanLogProb is the mean of the log-probabilities: 0 is certain. An answer with no token has -Inf.
type MeanLogProb struct{}

// Score implements Scorer.
func (MeanLogProb) Score(logProbs []float64) float64 {
	if len(logProbs) == 0 {
		return math.Inf(-1)
	}
	sum := 0.0
	for _, v := range logProbs {
		sum += v
	}
	return sum / float64(len(logProbs))
}

// Cascade is safe for concurrent use.
type Cascade struct{ o Options }

// New makes a cascade.
func New(o Options) (*Cascade, error) {
	if math.IsNaN(o.Threshold) {
		return nil, fmt.Errorf("%w: Threshold is no number", ErrOptions)
	}
	if o.First < 0 {
		return nil, fmt.Errorf("%w: First is %d, want at least 0", ErrOptions, o.First)
	}
	if o.Scorer == nil {
		o.Scorer = MeanLogProb{}
	}
	return &Cascade{o}, nil
}

// Threshold is the score below which an answer escalates.
func (c *Cascade) Threshold() float64 { return c.o.Threshold }

// Verdict on an answer.
type Verdict int

// The verdicts.
const (
	Undecided Verdict = iota
	Keep
	Escalate
)

// Judge follows one answer, for one goroutine.
type Judge struct {
	c        *Cascade
	logProbs []float64
	verdict  Verdict
	score    float64
}

// Judge begins an answer.
func (c *Cascade) Judge() *Judge { return &Judge{c: c, score: math.NaN()} }

// Add takes the log-probability of the next token. Once there is a verdict, it stays.
func (j *Judge) Add(logProb float64) Verdict {
	if j.verdict == Undecided {
		j.logProbs = append(j.logProbs, logProb)
		if j.c.o.First > 0 && len(j.logProbs) >= j.c.o.First {
			j.decide()
		}
	}
	return j.verdict
}

// Done ends the answer; there is a verdict now.
func (j *Judge) Done() Verdict {
	if j.verdict == Undecided {
		j.decide()
	}
	return j.verdict
}

func (j *Judge) decide() {
	j.score = j.c.o.Scorer.Score(j.logProbs)
	j.verdict = Escalate
	if j.score >= j.c.o.Threshold { // a score that is no number is not sure
		j.verdict = Keep
	}
}

// Score is the score; not a number before there is a verdict.
func (j *Judge) Score() float64 { return j.score }
