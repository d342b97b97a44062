package route

import (
	"context"
	"fmt"
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
	threshold   float64 // of the top probability; below it no kind matches
	hash        string  // of the mixture's weights
	mixture     *model.Model
	layers      []int // of the mixture's experts
}

// KindsOptions of TrainKinds; the zero value works.
type KindsOptions struct {
	L2       float64 // see learn.FitOptions; 0: 1e-5
	Cost     float64 // share of right answers that may fall below the threshold; 0: 0.02
	Progress func(stage string, done, all int)
}

// KindsReport says what training found on the tenth of each class that it held out.
type KindsReport struct {
	Examples    int     `json:"examples"`
	HeldOut     int     `json:"held_out"`
	Accuracy    float64 `json:"accuracy"`
	Temperature float64 `json:"temperature"`
	Threshold   float64 `json:"threshold"`
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
	raw, shares := make([][]float32, len(examples)), make([][]float32, len(examples))
	for i, x := range examples {
		w, err := watch(ctx, m, x.Text)
		if err != nil {
			return nil, nil, fmt.Errorf("example %d: %w", i+1, err)
		}
		raw[i], shares[i] = w.row(), w.shares()
		o.Progress("reading", i+1, len(examples))
	}
	k.measure(raw, shares, y)
	for i := range raw {
		k.centre(raw[i])
	}
	r := &KindsReport{Examples: len(y)}
	if err := k.calibrate(ctx, e, raw, y, o, r); err != nil {
		return nil, nil, err
	}
	k.head, err = learn.Fit(ctx, e, learn.Data{Dense: matOf(raw)}, y, len(k.Labels), o.fit("fitting all"))
	return k, r, err
}

func (o *KindsOptions) defaults() {
	if o.L2 == 0 {
		o.L2 = 1e-5
	}
	if o.Cost == 0 {
		o.Cost = 0.02
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
func (k *Kinds) calibrate(ctx context.Context, e *kernels.Engine, rows [][]float32, y []int, o KindsOptions, r *KindsReport) error {
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
	var right []float64
	for n, i := range held {
		if best := learn.Softmax(logits[n], k.temperature); best == y[i] {
			right = append(right, float64(logits[n][best]))
		}
	}
	k.threshold = learn.Threshold(right, len(held), o.Cost)
	r.HeldOut, r.Accuracy = len(held), float64(len(right))/float64(max(len(held), 1))
	r.Temperature, r.Threshold = k.temperature, k.threshold
	return nil
}
