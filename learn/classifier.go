package learn

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Example is a labelled text.
type Example struct {
	Text  string `json:"text"`
	Label string `json:"label"`
}

// Classifier names the kind of a text: a softmax head on an encoder's embedding and on hashed n-grams, or on the latter
// alone. Its probabilities are calibrated; an answer whose probability is below Threshold counts as out of scope.
// It is safe for concurrent use.
type Classifier struct {
	Labels      []string
	Temperature float64
	Threshold   float64 // of the top probability; 0: everything is in scope
	OutOfScope  string  // the label for what is not; one of Labels, or a name of its own
	NGrams      NGrams
	Head        *Head

	enc *model.Encoder // or nil
}

// OutOfScopeName is the label given to texts below the threshold where the training data has no label for them.
const OutOfScopeName = "out_of_scope"

// outOfScopeLabels are names of classes that mean "none of the others".
var outOfScopeLabels = []string{"oos", "out_of_scope", "out-of-scope", "none", "other_oos"}

// Class is the answer to one text.
type Class struct {
	Label  string
	Score  float32
	Scores []float32 // [C] in the order of Labels
}

// Classify names the kind of each text.
func (c *Classifier) Classify(ctx context.Context, texts []string) ([]Class, error) {
	d, err := features(ctx, c.enc, c.NGrams, texts, nil)
	if err != nil {
		return nil, err
	}
	out := make([]Class, len(texts))
	for i := range out {
		out[i] = c.decide(c.logits(&d, i))
	}
	return out, nil
}

func (c *Classifier) logits(d *Data, i int) []float32 {
	l := make([]float32, c.Head.Classes())
	var dense []float32
	if d.Dense.Rows > 0 {
		dense = d.Dense.Row(i)
	}
	c.Head.Logits(l, dense, d.Sparse[i])
	return l
}

// decide turns logits into an answer; they become the scores.
func (c *Classifier) decide(l []float32) Class {
	best := Softmax(l, c.Temperature)
	a := Class{Label: c.Labels[best], Score: l[best], Scores: l}
	if float64(a.Score) < c.Threshold {
		a.Label = c.OutOfScope
	}
	return a
}

// features turns texts into rows. With an encoder there are dense ones; n-grams are always there.
func features(ctx context.Context, enc *model.Encoder, g NGrams, texts []string, progress func(done, all int)) (Data, error) {
	d := Data{Sparse: make([]Sparse, len(texts)), Buckets: g.Buckets}
	for i, t := range texts {
		d.Sparse[i] = g.Row(t)
	}
	if enc == nil {
		return d, nil
	}
	d.Dense = tensor.NewMat(len(texts), enc.Dim())
	for a := 0; a < len(texts); a += embedBatch {
		b := min(a+embedBatch, len(texts))
		list, err := enc.Embed(ctx, texts[a:b])
		if err != nil {
			return d, err
		}
		for i, v := range list {
			copy(d.Dense.Row(a+i), v)
		}
		if progress != nil {
			progress(b, len(texts))
		}
	}
	return d, nil
}

const embedBatch = 64 // texts between two reports of progress

// TrainOptions of TrainClassifier; the zero value works.
type TrainOptions struct {
	L2       []float64 // candidates for FitOptions.L2, tried on a held-out part; nil: 1e-5
	Cost     float64   // share of in-scope accuracy that finding what is out of scope may cost, where there are examples of it; 0 means 0.015, less than 0 none
	MaxIter  int       // see FitOptions
	Buckets  int       // of the n-grams; 0: 1<<14
	Progress func(stage string, done, all int)
}

// TrainReport says what training found on the part that it held out, a tenth of each class.
type TrainReport struct {
	Examples    int     `json:"examples"`
	HeldOut     int     `json:"held_out"`
	Classes     int     `json:"classes"`
	L2          float64 `json:"l2"`
	Accuracy    float64 `json:"accuracy"` // on what is in scope, the threshold applied
	Recall      float64 `json:"out_of_scope_recall"`
	Loss        float64 `json:"loss"`
	Temperature float64 `json:"temperature"`
	Threshold   float64 `json:"threshold"`
}

// TrainClassifier learns a classifier from examples: the head by [Fit] on nine tenths, its penalty chosen, its temperature
// and threshold calibrated on the rest, then once more on everything. enc may be nil: then hashed n-grams are all there
// is. Errors: [ErrData], what the encoder says, the context's.
func TrainClassifier(ctx context.Context, e *kernels.Engine, enc *model.Encoder, examples []Example, o TrainOptions) (*Classifier, *TrainReport, error) {
	o.defaults()
	c := &Classifier{NGrams: NGrams{Buckets: o.Buckets, Chars: 4}, enc: enc}
	if enc != nil {
		c.NGrams.Scale = 0.5
	}
	texts, y, err := c.read(examples)
	if err != nil {
		return nil, nil, err
	}
	d, err := features(ctx, enc, c.NGrams, texts, func(done, all int) { o.report("reading", done, all) })
	if err != nil {
		return nil, nil, err
	}
	train, held := Split(y, len(c.Labels))
	r := &TrainReport{Examples: len(y), HeldOut: len(held), Classes: len(c.Labels)}
	if err := c.choose(ctx, e, d, y, train, held, o, r); err != nil {
		return nil, nil, err
	}
	c.Head, err = Fit(ctx, e, d, y, len(c.Labels), FitOptions{L2: r.L2, MaxIter: o.MaxIter,
		Progress: func(i, n int) { o.report("fitting all", i, n) }})
	return c, r, err
}

func (o *TrainOptions) defaults() {
	if o.L2 == nil {
		o.L2 = []float64{1e-5}
	}
	if o.Cost == 0 {
		o.Cost = 0.015
	}
	if o.Buckets == 0 {
		o.Buckets = 1 << 14
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
}

func (o *TrainOptions) report(stage string, done, all int) { o.Progress(stage, done, all) }

// read lists texts and class numbers, and refuses what nothing can be learnt from.
func (c *Classifier) read(examples []Example) (texts []string, y []int, err error) {
	number := map[string]int{}
	for i, x := range examples {
		switch {
		case strings.TrimSpace(x.Text) == "":
			return nil, nil, fmt.Errorf("%w: example %d: text: want words, found none", ErrData, i+1)
		case !utf8.ValidString(x.Text) || !utf8.ValidString(x.Label):
			return nil, nil, fmt.Errorf("%w: example %d: want UTF-8", ErrData, i+1)
		case x.Label == "":
			return nil, nil, fmt.Errorf("%w: example %d: label: want a name, found none", ErrData, i+1)
		}
		number[x.Label] = 0
	}
	for l := range number {
		c.Labels = append(c.Labels, l)
	}
	slices.Sort(c.Labels)
	if len(c.Labels) < 2 {
		return nil, nil, fmt.Errorf("%w: want 2 labels or more, found %d in %d examples", ErrData, len(c.Labels), len(examples))
	}
	for i, l := range c.Labels {
		number[l] = i
	}
	c.OutOfScope = OutOfScopeName
	for _, l := range outOfScopeLabels {
		if _, has := number[l]; has {
			c.OutOfScope = l
		}
	}
	for _, x := range examples {
		texts, y = append(texts, x.Text), append(y, number[x.Label])
	}
	return texts, y, nil
}

// Split holds out every tenth example of each class (at least one of those that have several); the rest is for training.
func Split(y []int, classes int) (train, held []int) {
	seen, total := make([]int, classes), make([]int, classes)
	for _, c := range y {
		total[c]++
	}
	for i, c := range y {
		seen[c]++
		if seen[c]%10 == 5 || (total[c] < 5 && total[c] > 1 && seen[c] == total[c]) {
			held = append(held, i)
		} else {
			train = append(train, i)
		}
	}
	return train, held
}

// choose fits every candidate on train, keeps the one with the least loss on held, and calibrates it there.
func (c *Classifier) choose(ctx context.Context, e *kernels.Engine, d Data, y, train, held []int, o TrainOptions, r *TrainReport) error {
	part, seen := d.At(train), d.At(held)
	pick := func(list []int) []int {
		out := make([]int, len(list))
		for i, j := range list {
			out[i] = y[j]
		}
		return out
	}
	yTrain, yHeld := pick(train), pick(held)
	for n, l2 := range o.L2 {
		stage := fmt.Sprintf("fitting %d of %d", n+1, len(o.L2))
		head, err := Fit(ctx, e, part, yTrain, len(c.Labels), FitOptions{L2: l2, MaxIter: o.MaxIter,
			Progress: func(i, most int) { o.report(stage, i, most) }})
		if err != nil {
			return err
		}
		try := *c
		try.Head = head
		now := *r
		try.calibrate(&seen, yHeld, o.Cost, &now)
		if now.L2 = l2; n == 0 || now.Loss < r.Loss {
			*r, c.Temperature, c.Threshold = now, try.Temperature, try.Threshold
		}
	}
	return nil
}

// calibrate sets temperature and threshold from held-out examples and reports what they give.
func (c *Classifier) calibrate(d *Data, y []int, cost float64, r *TrainReport) {
	logits := make([][]float32, len(y))
	for i := range y {
		logits[i] = c.logits(d, i)
	}
	c.Temperature = Temperature(logits, y)
	outside := slices.Index(c.Labels, c.OutOfScope)
	var right []float64
	inside, loss := 0, 0.0
	answers := make([]Class, len(y))
	for i, want := range y {
		answers[i] = (&Classifier{Labels: c.Labels, Temperature: c.Temperature}).decide(logits[i])
		loss -= logOf(answers[i].Scores[want])
		if want == outside {
			continue
		}
		inside++
		if answers[i].Label == c.Labels[want] {
			right = append(right, float64(answers[i].Score))
		}
	}
	if outside >= 0 {
		c.Threshold = Threshold(right, inside, cost)
	}
	good, found := 0, 0
	for i, want := range y {
		out := float64(answers[i].Score) < c.Threshold || answers[i].Label == c.OutOfScope
		switch {
		case want == outside && out:
			found++
		case want != outside && !out && answers[i].Label == c.Labels[want]:
			good++
		}
	}
	r.Accuracy, r.Loss = share(good, inside), loss/float64(max(len(y), 1))
	r.Recall = share(found, len(y)-inside)
	r.Temperature, r.Threshold = c.Temperature, c.Threshold
}
