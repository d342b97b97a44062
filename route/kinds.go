package route

import (
	"cmp"
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Kinds names the kind of a prompt by nothing but the experts that a local mixture used while it read it: a softmax head on
// each expert's share of its layer. It is safe for concurrent use.
type Kinds struct {
	Labels []string

	head        *learn.Head
	mean        []float32 // [features] of the training prompts
	usual       tensor.Mat
	temperature float64
	threshold   float64          // of the top probability; below it no kind matches
	byLength    [lengths]float64 // the same for prompts of 1, 2-3, 4-7, … tokens: short ones are weaker evidence
	hash        string           // of the mixture's weights
	mixture     *model.Model
	layers      []int // of the mixture's experts
}

// KindsOptions of TrainKinds; the zero value works.
type KindsOptions struct {
	L2       float64 // see learn.FitOptions; 0: 1e-5
	Sure     float64 // share of the matches that must be right, for prompts of each length; 0: 0.95
	Progress func(stage string, done, all int)
}

// Other is the label of training examples that are of none of the kinds. It is learnt as a class of its own, which takes
// probability from the kinds where a prompt is like neither.
const Other = "other"

// lengths are the classes of length that have thresholds of their own: 1, 2-3, 4-7, 8-15, 16-31 tokens, and more.
const lengths = 6

func lengthClass(tokens int) int { return min(max(bits.Len(uint(tokens))-1, 0), lengths-1) }

// KindsReport says what training found on the tenth of each class that it held out.
type KindsReport struct {
	Examples    int     `json:"examples"`
	HeldOut     int     `json:"held_out"`
	Accuracy    float64 `json:"accuracy"` // of the likeliest kind, where there is one
	Temperature float64 `json:"temperature"`
	Threshold   float64 `json:"threshold"`

	ByLength [lengths]float64 `json:"thresholds"`
	Matched  float64          `json:"matched"` // share of the examples with a kind that match it
	False    float64          `json:"false"`   // share of the examples of no kind that match one
}

// TrainKinds learns the kinds of labelled prompts from the experts of a mixture: on nine tenths, calibrated on the rest,
// then once more on everything. Errors: learn.ErrData, what the mixture says, the context's.
func TrainKinds(ctx context.Context, e *kernels.Engine, m *model.Model, examples []learn.Example, o KindsOptions) (*Kinds, *KindsReport, error) {
	o.defaults()
	k := &Kinds{hash: m.Hash(), mixture: m, layers: m.Spec().MoELayers()}
	y, err := k.number(examples)
	if err != nil {
		return nil, nil, err
	}
	raw, shares, tokens := make([][]float32, len(examples)), make([][]float32, len(examples)), make([]int, len(examples))
	for i, x := range examples {
		w, err := watch(ctx, m, x.Text)
		if err != nil {
			return nil, nil, fmt.Errorf("example %d: %w", i+1, err)
		}
		raw[i], shares[i], tokens[i] = w.row(), w.shares(), int(w.tokens[0])
		o.Progress("reading", i+1, len(examples))
	}
	k.measure(raw, shares, y)
	for i := range raw {
		k.centre(raw[i])
	}
	r := &KindsReport{Examples: len(y)}
	if err := k.calibrate(ctx, e, raw, y, tokens, o, r); err != nil {
		return nil, nil, err
	}
	k.head, err = learn.Fit(ctx, e, learn.Data{Dense: matOf(raw)}, y, len(k.Labels), o.fit("fitting all"))
	return k, r, err
}

func (o *KindsOptions) defaults() {
	if o.L2 == 0 {
		o.L2 = 1e-5
	}
	if o.Sure == 0 {
		o.Sure = 0.95
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
}

func (o *KindsOptions) fit(stage string) learn.FitOptions {
	return learn.FitOptions{L2: o.L2, Progress: func(i, n int) { o.Progress(stage, i, n) }}
}

// number lists the labels and gives each example's.
func (k *Kinds) number(examples []learn.Example) ([]int, error) {
	for i, x := range examples {
		if strings.TrimSpace(x.Text) == "" || x.Label == "" || !utf8.ValidString(x.Text) {
			return nil, fmt.Errorf("%w: example %d: want a label and a text of UTF-8", learn.ErrData, i+1)
		}
		if !slices.Contains(k.Labels, x.Label) {
			k.Labels = append(k.Labels, x.Label)
		}
	}
	if len(k.Labels) < 2 || len(k.layers) == 0 || len(examples) < minRows {
		return nil, fmt.Errorf("%w: want %d examples of 2 labels and a mixture of experts, found %d of %d and %d layers of experts",
			learn.ErrData, minRows, len(examples), len(k.Labels), len(k.layers))
	}
	slices.Sort(k.Labels)
	y := make([]int, len(examples))
	for i, x := range examples {
		y[i] = slices.Index(k.Labels, x.Label)
	}
	return y, nil
}

// measure keeps the mean of each feature, and each label's mean of the shares.
func (k *Kinds) measure(rows, shares [][]float32, y []int) {
	of := make([][][]float32, len(k.Labels))
	for i, c := range y {
		of[c] = append(of[c], shares[i])
	}
	k.mean, k.usual = meanOf(rows), tensor.NewMat(len(k.Labels), len(shares[0]))
	for c := range of {
		copy(k.usual.Row(c), meanOf(of[c]))
	}
}

func meanOf(rows [][]float32) []float32 {
	sum, out := make([]float64, len(rows[0])), make([]float32, len(rows[0]))
	for _, r := range rows {
		for j, v := range r {
			sum[j] += float64(v)
		}
	}
	for j, v := range sum {
		out[j] = float32(v / float64(len(rows)))
	}
	return out
}

func (k *Kinds) centre(row []float32) {
	for j := range row {
		row[j] -= k.mean[j]
	}
}

// calibrate sets temperature and threshold by a head that has not seen the held-out part.
func (k *Kinds) calibrate(ctx context.Context, e *kernels.Engine, rows [][]float32, y, tokens []int, o KindsOptions, r *KindsReport) error {
	train, held := learn.Split(y, len(k.Labels))
	all := learn.Data{Dense: matOf(rows)}
	pick := func(list []int) (out []int) {
		for _, i := range list {
			out = append(out, y[i])
		}
		return out
	}
	head, err := learn.Fit(ctx, e, all.At(train), pick(train), len(k.Labels), o.fit("fitting"))
	if err != nil {
		return err
	}
	logits := make([][]float32, len(held))
	for n, i := range held {
		logits[n] = make([]float32, len(k.Labels))
		head.Logits(logits[n], rows[i], learn.Sparse{})
	}
	k.temperature = learn.Temperature(logits, pick(held))
	r.HeldOut, r.Temperature = len(held), k.temperature
	k.thresholds(logits, pick(held), func(n int) int { return tokens[held[n]] }, o.Sure, r)
	return nil
}

// likelier is the least that a threshold may be: a kind that matches is likelier than everything else together.
const likelier = 0.5

// guess is what a head says of a held-out example.
type guess struct {
	p     float64
	right bool
}

// thresholds sets the threshold of each length, and the one of them all, by the guesses of held-out examples.
func (k *Kinds) thresholds(logits [][]float32, y []int, tokens func(int) int, sure float64, r *KindsReport) {
	var all []guess
	var by [lengths][]guess
	right := 0
	for n, l := range logits {
		learn.Softmax(l, k.temperature)
		best := k.likeliest(l)
		g := guess{float64(l[best]), best == y[n]}
		all, by[lengthClass(tokens(n))] = append(all, g), append(by[lengthClass(tokens(n))], g)
		if g.right {
			right++
		}
	}
	k.threshold = lowestSure(all, sure)
	for i := range by {
		if k.byLength[i] = k.threshold; len(by[i]) >= minRows {
			k.byLength[i] = lowestSure(by[i], sure)
		}
	}
	k.threshold = max(k.threshold, likelier)
	k.byLength[lengths-1] = max(k.byLength[lengths-1], likelier)
	for i := lengths - 2; i >= 0; i-- { // less to go by never makes surer
		k.byLength[i] = max(k.byLength[i], k.byLength[i+1])
	}
	r.Threshold, r.ByLength = k.threshold, k.byLength
	k.count(logits, y, right, tokens, r)
}

// likeliest is the likeliest of the kinds; other is none.
func (k *Kinds) likeliest(p []float32) int {
	best := -1
	for c, name := range k.Labels {
		if name != Other && (best < 0 || p[c] > p[best]) {
			best = c
		}
	}
	return best
}

// count takes the shares of matches among examples with and without a kind.
func (k *Kinds) count(logits [][]float32, y []int, right int, tokens func(int) int, r *KindsReport) {
	var matched, of [2]int // without a kind, with one
	for n, l := range logits {
		kind, best := 1, k.likeliest(l)
		if k.Labels[y[n]] == Other {
			kind = 0
		}
		of[kind]++
		if float64(l[best]) >= k.byLength[lengthClass(tokens(n))] && (kind == 0 || best == y[n]) {
			matched[kind]++
		}
	}
	r.Accuracy = float64(right) / float64(max(of[1], 1))
	r.False, r.Matched = float64(matched[0])/float64(max(of[0], 1)), float64(matched[1])/float64(max(of[1], 1))
}

// lowestSure is the lowest probability from which on the share of right guesses is at least sure; 1 where there is none.
func lowestSure(list []guess, sure float64) float64 {
	slices.SortFunc(list, func(a, b guess) int { return cmp.Compare(b.p, a.p) })
	lowest, right := 1.0, 0
	for i, g := range list {
		if g.right {
			right++
		}
		if float64(right) >= sure*float64(i+1) {
			lowest = g.p
		}
	}
	return lowest
}
