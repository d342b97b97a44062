package route

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/learn"
)

// Difficulty estimates what a prompt gains by the strong model. It is safe for concurrent use once trained or opened.
type Difficulty struct {
	scale     scaler
	grams     learn.NGrams
	embedding *learn.Head // classes: the weak model is better, equal, the strong one is better
	words     *learn.Head
	landmarks *ridge
	parts     [3]spread // of each part's estimates on prompts that it was not trained on
	quantiles []float64 // of the score on such prompts, from 0 to 1 in steps of 1/(n-1)
	rows      int       // it was trained on
	source    Source
}

// spread brings estimates to mean 0 and spread 1.
type spread struct{ mean, by float64 }

func (s spread) apply(v float64) float64 {
	if s.by == 0 {
		return 0
	}
	return (v - s.mean) / s.by
}

func spreadOf(v []float64) spread {
	var s spread
	for _, x := range v {
		s.mean += x / float64(len(v))
	}
	for _, x := range v {
		s.by += (x - s.mean) * (x - s.mean) / float64(len(v))
	}
	s.by = math.Sqrt(s.by)
	return s
}

// Estimate is what the parts say of one prompt.
type Estimate struct {
	Score    float64    // mean of the parts; higher gains more by the strong model
	Quantile float64    // share of the training prompts with a lower score
	Gain     float64    // P(only the strong model is right) - P(only the weak one), by the first part
	Parts    [3]float64 // embedding and shape, words, landmarks; each of mean 0 and spread 1
}

// PartNames name the parts of an Estimate.
func PartNames() [3]string { return [3]string{"embedding", "words", "landmarks"} }

// Estimate judges prompts.
func (d *Difficulty) Estimate(ctx context.Context, prompts []string) ([]Estimate, error) {
	rows, err := d.source.read(ctx, prompts, nil)
	if err != nil {
		return nil, err
	}
	out := make([]Estimate, len(rows))
	for i, row := range rows {
		d.scale.apply(row)
		raw := d.raw(row, d.grams.Row(prompts[i]))
		out[i] = Estimate{Gain: raw[0]}
		for p, v := range raw {
			out[i].Parts[p] = d.parts[p].apply(v)
			out[i].Score += out[i].Parts[p] / float64(len(raw))
		}
		out[i].Quantile = d.quantile(out[i].Score)
	}
	return out, nil
}

// Scores judges the prompts of outcomes.
func (d *Difficulty) Scores(ctx context.Context, rows []Outcome, progress func(stage string, done, all int)) ([]float64, error) {
	if err := checkPrompts(rows); err != nil {
		return nil, err
	}
	var out []float64
	const batch = 64
	for a := 0; a < len(rows); a += batch {
		var prompts []string
		for _, r := range rows[a:min(a+batch, len(rows))] {
			prompts = append(prompts, r.Prompt)
		}
		list, err := d.Estimate(ctx, prompts)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			out = append(out, e.Score)
		}
		if progress != nil {
			progress("judging", len(out), len(rows))
		}
	}
	return out, nil
}

// Rows is how many prompts the router was trained on.
func (d *Difficulty) Rows() int { return d.rows }

// raw is what each part says of one scaled row.
func (d *Difficulty) raw(row []float32, words learn.Sparse) [3]float64 {
	return [3]float64{gainOf(d.embedding, row, learn.Sparse{}), gainOf(d.words, nil, words), d.landmarks.at(row)}
}

// gainOf is P(strong better) - P(weak better).
func gainOf(h *learn.Head, dense []float32, sparse learn.Sparse) float64 {
	var l [3]float32
	h.Logits(l[:], dense, sparse)
	learn.Softmax(l[:], 1)
	return float64(l[2]) - float64(l[0])
}

func (d *Difficulty) quantile(score float64) float64 {
	at, _ := slices.BinarySearch(d.quantiles, score)
	return float64(at) / float64(max(len(d.quantiles), 1))
}

// Threshold is the score above which about the given share of prompts like those of the training lie.
func (d *Difficulty) Threshold(share float64) float64 {
	at := int(math.Round((1 - share) * float64(len(d.quantiles)-1)))
	return d.quantiles[min(max(at, 0), len(d.quantiles)-1)]
}

// TrainOptions of Train; the zero value works.
type TrainOptions struct {
	Landmarks int // prompts that the third part compares with; 0: 4096
	Buckets   int // of the n-grams; 0: some sixteen a row, at most 1<<17
	Folds     int // of cross-validation; 0: 5
	Progress  func(stage string, done, all int)
}

// defaults: few rows hold few n-grams, and many buckets would only cost time.
func (o *TrainOptions) defaults(rows int) {
	o.Landmarks, o.Folds = cmp.Or(o.Landmarks, 4096), cmp.Or(o.Folds, 5)
	o.Buckets = cmp.Or(o.Buckets, min(1<<bits.Len(uint(16*rows)), 1<<17))
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
}

// minRows is the least that a router can be learnt from.
const minRows = 20

// Train learns a Difficulty from outcomes. The report is by cross-validation: every prompt is judged by parts that never saw
// it. Errors: learn.ErrData, what the source says, the context's.
func Train(ctx context.Context, e *kernels.Engine, src Source, rows []Outcome, o TrainOptions) (*Difficulty, *Report, error) {
	o.defaults(len(rows))
	if err := checkRows(rows); err != nil {
		return nil, nil, err
	}
	prompts := make([]string, len(rows))
	for i := range rows {
		prompts[i] = rows[i].Prompt
	}
	raw, err := src.read(ctx, prompts, func(done, all int) { o.Progress("reading", done, all) })
	if err != nil {
		return nil, nil, err
	}
	d := &Difficulty{source: src, scale: newScaler(raw, src.width()), grams: learn.NGrams{Buckets: o.Buckets}, rows: len(rows)}
	for _, r := range raw {
		d.scale.apply(r)
	}
	t := trainer{ctx: ctx, e: e, o: o, dense: raw, words: sparseOf(d.grams, prompts), rows: rows}
	score, err := t.crossValidate(d)
	if err != nil {
		return nil, nil, err
	}
	o.Progress("fitting all", 0, 1)
	if err := t.fit(d, all(len(rows))); err != nil {
		return nil, nil, err
	}
	o.Progress("fitting all", 1, 1)
	report := Evaluate(score, rows)
	return d, &report, nil
}

func checkRows(rows []Outcome) error {
	if len(rows) < minRows {
		return fmt.Errorf("%w: want at least %d rows, found %d", learn.ErrData, minRows, len(rows))
	}
	if err := checkPrompts(rows); err != nil {
		return err
	}
	seen := map[int]bool{}
	for _, r := range rows {
		seen[r.gain()] = true
	}
	if len(seen) < 2 {
		return fmt.Errorf("%w: the models differ on no row, or on all in the same way: there is nothing to choose", learn.ErrData)
	}
	return nil
}

func checkPrompts(rows []Outcome) error {
	for i, r := range rows {
		if strings.TrimSpace(r.Prompt) == "" || !utf8.ValidString(r.Prompt) {
			return fmt.Errorf("%w: row %d: prompt: want words in UTF-8, found %.40q", learn.ErrData, i+1, r.Prompt)
		}
	}
	return nil
}

func all(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// trainer holds what all fits share: scaled rows, n-grams, outcomes.
type trainer struct {
	ctx   context.Context
	e     *kernels.Engine
	o     TrainOptions
	dense [][]float32
	words []learn.Sparse
	rows  []Outcome
}

// Penalties of the parts, found on MMLU outcomes by cross-validation; learn.FitOptions has their meaning.
const (
	l2Embedding = 4.5e-4
	l2Words     = 3e-5
	wordsEnd    = 1e-4 // fitting rare words to the end costs more than it gives
)

// fit trains the parts on the rows listed.
func (t *trainer) fit(d *Difficulty, list []int) error {
	y := make([]int, len(list))
	gain := make([]float64, len(list))
	dense, words := make([][]float32, len(list)), make([]learn.Sparse, len(list))
	for i, j := range list {
		gain[i] = float64(t.rows[j].gain())
		y[i], dense[i], words[i] = t.rows[j].gain()+1, t.dense[j], t.words[j]
	}
	var err error
	if d.embedding, err = learn.Fit(t.ctx, t.e, learn.Data{Dense: matOf(dense)}, y, 3, learn.FitOptions{L2: l2Embedding}); err != nil {
		return err
	}
	if d.words, err = learn.Fit(t.ctx, t.e, learn.Data{Sparse: words, Buckets: d.grams.Buckets}, y, 3, learn.FitOptions{L2: l2Words, MaxIter: 100, Precision: wordsEnd}); err != nil {
		return err
	}
	d.landmarks, err = fitRidge(t.e, dense, gain, t.o.Landmarks)
	return err
}

// crossValidate judges every row by parts that did not see it, takes spreads and quantiles from that, and gives the scores.
// Row i belongs to fold i mod folds after a fixed shuffle.
func (t *trainer) crossValidate(d *Difficulty) ([]float64, error) {
	order := shuffled(len(t.rows))
	raw := make([][3]float64, len(t.rows))
	for fold := range t.o.Folds {
		t.o.Progress("cross-validation", fold, t.o.Folds)
		var train, held []int
		for at, i := range order {
			if at%t.o.Folds == fold {
				held = append(held, i)
			} else {
				train = append(train, i)
			}
		}
		slices.Sort(train)
		part := *d
		if err := t.fit(&part, train); err != nil {
			return nil, err
		}
		for _, i := range held {
			raw[i] = part.raw(t.dense[i], t.words[i])
		}
	}
	t.o.Progress("cross-validation", t.o.Folds, t.o.Folds)
	return d.settle(raw), nil
}

// settle takes spreads and quantiles from estimates of unseen prompts.
func (d *Difficulty) settle(raw [][3]float64) []float64 {
	score := make([]float64, len(raw))
	for p := range d.parts {
		v := make([]float64, len(raw))
		for i := range raw {
			v[i] = raw[i][p]
		}
		d.parts[p] = spreadOf(v)
		for i := range raw {
			score[i] += d.parts[p].apply(v[i]) / float64(len(d.parts))
		}
	}
	sorted := slices.Sorted(slices.Values(score))
	const steps = 1000
	for i := range steps + 1 {
		d.quantiles = append(d.quantiles, sorted[i*(len(sorted)-1)/steps])
	}
	return score
}
