package route

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/seed2fbf7788/switchyard/learn"
)

// KindDecision is what a prompt's experts say of its kind and why. Like a Decision it is data and holds no text.
type KindDecision struct {
	Model      string             `json:"model"` // the kind where one matches, else [Default]
	Kind       string             `json:"kind"`  // the likeliest of the kinds, matching or not
	Confidence float64            `json:"confidence"`
	Threshold  float64            `json:"threshold"`
	Reason     Reason             `json:"reason"`
	Kinds      map[string]float64 `json:"kinds"`    // calibrated probability of each, and of [Other]
	Signals    map[string]float64 `json:"signals"`  // what the experts of each layer add to the log-odds of the kind against the mean kind
	Evidence   []Evidence         `json:"evidence"` // the experts that say most, the strongest first
	Experts    []LayerExperts     `json:"experts"`
}

// LayerExperts are the shares of a layer's experts in the work on the prompt.
type LayerExperts struct {
	Layer  int       `json:"layer"`
	Shares []float32 `json:"shares"`
}

// Evidence is one expert's part in a decision.
type Evidence struct {
	Layer  int     `json:"layer"`
	Expert int     `json:"expert"`
	Share  float32 `json:"share"`  // of its layer's work on this prompt
	Usual  float32 `json:"usual"`  // on training prompts of the kind
	Others float32 `json:"others"` // on those of the other kinds
	Adds   float64 `json:"adds"`   // to the log-odds of the kind
}

// The reasons of a KindDecision.
const (
	ReasonExperts Reason = "experts_match"   // the experts are those of the kind
	ReasonNoMatch Reason = "no_match"        // no kind is likely enough; the router works
	ReasonEmpty   Reason = "nothing_to_read" // the prompt has no tokens
)

// Default is the model of a prompt that no kind matches.
const Default = "default"

const evidence = 5 // experts that a decision names

// Decide reads a prompt, at most 256 tokens of it, and names its kind.
func (k *Kinds) Decide(ctx context.Context, prompt string) (KindDecision, error) {
	w, err := watch(ctx, k.mixture, prompt)
	if err != nil {
		return KindDecision{}, err
	}
	shares, row := w.shares(), w.row()
	k.centre(row)
	p := make([]float32, len(k.Labels))
	k.head.Logits(p, row, learn.Sparse{})
	learn.Softmax(p, k.temperature)
	best := k.likeliest(p)
	d := KindDecision{Model: Default, Kind: k.Labels[best], Confidence: float64(p[best]), Threshold: k.byLength[lengthClass(int(w.tokens[0]))], Reason: ReasonNoMatch,
		Kinds: map[string]float64{}, Signals: map[string]float64{}}
	for c, name := range k.Labels {
		d.Kinds[name] = float64(p[c])
	}
	switch {
	case w.tokens[0] == 0:
		d.Reason = ReasonEmpty
	case d.Confidence >= d.Threshold:
		d.Model, d.Reason = d.Kind, ReasonExperts
	}
	k.explain(&d, best, shares, row)
	return d, nil
}

// explain fills what the layers and the experts add.
func (k *Kinds) explain(d *KindDecision, best int, shares, row []float32) {
	e := len(shares) / len(k.layers)
	for n, layer := range k.layers {
		sum := 0.0
		for i := range e {
			j := n*e + i
			adds := 0.0
			for of := range measures {
				adds += k.adds(best, of*len(shares)+j, row[of*len(shares)+j])
			}
			sum += adds
			d.Evidence = append(d.Evidence, Evidence{Layer: layer, Expert: i, Share: shares[j], Usual: k.usual.Row(best)[j], Others: k.others(best, j), Adds: adds})
		}
		d.Signals[fmt.Sprintf("layer %d", layer)] = sum
		d.Experts = append(d.Experts, LayerExperts{layer, shares[n*e : (n+1)*e : (n+1)*e]})
	}
	slices.SortStableFunc(d.Evidence, func(a, b Evidence) int { return cmp.Compare(b.Adds, a.Adds) })
	d.Evidence = d.Evidence[:min(evidence, len(d.Evidence))]
}

// adds is what a feature adds to a kind's logit beyond what it adds to the mean kind's.
func (k *Kinds) adds(kind, j int, v float32) float64 {
	mean := 0.0
	for c := range k.Labels {
		mean += float64(k.head.W.Row(c)[j]) / float64(len(k.Labels))
	}
	return (float64(k.head.W.Row(kind)[j]) - mean) * float64(v) / k.temperature
}

func (k *Kinds) others(kind, j int) float32 {
	sum := float32(0)
	for c := range k.Labels {
		if c != kind {
			sum += k.usual.Row(c)[j]
		}
	}
	return sum / float32(max(len(k.Labels)-1, 1))
}

// finite says whether a number read from a file can be worked with.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
