package route

import (
	"context"
	"slices"

	"github.com/seed2fbf7788/switchyard/learn"
)

// Labeller names the kind of a prompt; implementations are safe for concurrent use.
type Labeller interface {
	Labels() []string
	Label(ctx context.Context, text string) (Label, error)
}

// Label is what a labeller says of a prompt.
type Label struct {
	Name       string             `json:"name"`    // the likeliest, matching or not
	Matched    bool               `json:"matched"` // it is likely enough
	Confidence float64            `json:"confidence"`
	Threshold  float64            `json:"threshold"`
	Reason     Reason             `json:"reason"`
	Signals    map[string]float64 `json:"signals,omitempty"`
}

// The reasons of labellers.
const (
	ReasonLabel    Reason = "label_match"    // a classifier's
	ReasonExamples Reason = "examples_match" // near to an example
)

// LabelledAs matches where a labeller gives one of some labels and is sure enough of it.
type LabelledAs struct {
	By      Labeller
	Is      []string
	AtLeast float64 // confidence, beyond the labeller's own threshold
}

// Read implements Signal. A labeller reads a prompt once, however many conditions ask for it.
func (s LabelledAs) Read(ctx context.Context, p *Prompt) (Reading, error) {
	l, err := p.label(ctx, s.By)
	if err != nil {
		return Reading{}, err
	}
	r := Reading{Label: l.Name, Confidence: l.Confidence, Threshold: max(l.Threshold, s.AtLeast), Reason: l.Reason}
	named := slices.Contains(s.Is, l.Name)
	r.Match = named && l.Matched && l.Confidence >= s.AtLeast
	if !r.Match {
		if named {
			r.Confidence = 1 - l.Confidence
		}
		if l.Reason != ReasonEmpty {
			r.Reason = ReasonNoMatch
		}
	}
	return r, nil
}

func (p *Prompt) label(ctx context.Context, by Labeller) (Label, error) {
	if l, ok := p.labels[by]; ok {
		return l.label, l.err
	}
	if p.short == "" {
		p.short = Bound(p.Text, maxLabelBytes)
	}
	l, err := by.Label(ctx, p.short)
	if p.labels == nil {
		p.labels = map[Labeller]labelled{}
	}
	p.labels[by] = labelled{l, err}
	return l, err
}

// KindLabels are those of Kinds.
type KindLabels struct{ Kinds *Kinds }

// Labels implements Labeller.
func (k *KindLabels) Labels() []string { return k.Kinds.Labels }

// Label implements Labeller.
func (k *KindLabels) Label(ctx context.Context, text string) (Label, error) {
	d, err := k.Kinds.Decide(ctx, Bound(text, maxReadBytes)) // so that the end of a long one is read too
	if err != nil {
		return Label{}, err
	}
	return Label{d.Kind, d.Reason == ReasonExperts, d.Confidence, d.Threshold, d.Reason, d.Signals}, nil
}

// DifficultyLabels are weak and strong, on the two sides of a threshold.
type DifficultyLabels struct {
	Difficulty *Difficulty
	Threshold  float64
}

// Labels implements Labeller.
func (d *DifficultyLabels) Labels() []string { return []string{Weak, Strong} }

// Label implements Labeller.
func (d *DifficultyLabels) Label(ctx context.Context, text string) (Label, error) {
	e, err := d.Difficulty.Decide(ctx, text, d.Threshold)
	if err != nil {
		return Label{}, err
	}
	return Label{e.Model, true, e.Confidence, 0.5, e.Reason, e.Signals}, nil
}

// ClassLabels are those of a learnt classifier; what it calls out of scope matches nothing.
type ClassLabels struct{ Classifier *learn.Classifier }

// Labels implements Labeller.
func (c *ClassLabels) Labels() []string { return c.Classifier.Labels }

// Label implements Labeller.
func (c *ClassLabels) Label(ctx context.Context, text string) (Label, error) {
	list, err := c.Classifier.Classify(ctx, []string{text})
	if err != nil {
		return Label{}, err
	}
	best := slices.Index(list[0].Scores, slices.Max(list[0].Scores))
	l := Label{Name: c.Classifier.Labels[best], Confidence: float64(list[0].Score), Threshold: c.Classifier.Threshold, Reason: ReasonNoMatch}
	if l.Name == list[0].Label && l.Name != c.Classifier.OutOfScope {
		l.Matched, l.Reason = true, ReasonLabel
	}
	return l, nil
}
