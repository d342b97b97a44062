package route

import "context"

// Decision is where a prompt goes and why. It is data: nothing in it names a prompt's text.
type Decision struct {
	Model      string             `json:"model"`      // weak or strong
	Confidence float64            `json:"confidence"` // of the choice: how far the score lies from the threshold among the training prompts, 0.5 to 1
	Score      float64            `json:"score"`
	Threshold  float64            `json:"threshold"`
	Reason     Reason             `json:"reason"`
	Quantile   float64            `json:"quantile"` // share of the training prompts that are easier
	Gain       float64            `json:"gain"`     // P(only the strong model is right) - P(only the weak one)
	Signals    map[string]float64 `json:"signals"`  // each signal's share of the score
}

// Reason says why, from a closed list.
type Reason string

// The reasons.
const (
	ReasonEasy Reason = "below_threshold" // the weak model will do
	ReasonHard Reason = "above_threshold" // the strong model is worth it
)

// The models of a Decision.
const (
	Weak   = "weak"
	Strong = "strong"
)

// Decide sends a prompt to the strong model where its score is above the threshold.
func (d *Difficulty) Decide(ctx context.Context, prompt string, threshold float64) (Decision, error) {
	list, err := d.Estimate(ctx, []string{prompt})
	if err != nil {
		return Decision{}, err
	}
	e := list[0]
	out := Decision{Model: Weak, Reason: ReasonEasy, Score: e.Score, Threshold: threshold, Quantile: e.Quantile, Gain: e.Gain, Signals: map[string]float64{}}
	if e.Score > threshold {
		out.Model, out.Reason = Strong, ReasonHard
	}
	at := d.quantile(threshold)
	span := at
	if out.Model == Strong {
		span = 1 - at
	}
	out.Confidence = 0.5 + 0.5*min(abs(e.Quantile-at)/max(span, 1e-9), 1)
	for i, name := range PartNames() {
		out.Signals[name] = e.Parts[i] / float64(len(e.Parts))
	}
	return out, nil
}

func abs(v float64) float64 { return max(v, -v) }
