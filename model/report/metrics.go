package report

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Metrics is what a trace says, in the form of metrics.json. Pointers and maps are absent where the trace does not hold
// what they need. Formulas: go doc ./moe, one type a metric.
type Metrics struct {
	File      string            `json:"file"`
	Tokens    int               `json:"tokens"`
	Sequences int               `json:"sequences"`
	Model     string            `json:"model_hash,omitempty"`
	Tokenizer string            `json:"tokenizer_hash,omitempty"`
	Gate      string            `json:"gate_override,omitempty"`
	LogProb   *float64          `json:"mean_logprob,omitempty"` // of each next token, in nats
	Layers    []Layer           `json:"layers"`
	Labels    map[string]*Label `json:"labels"`
	Cache     *Cache            `json:"cache,omitempty"`
}

// Layer is one mixture layer over all texts.
type Layer struct {
	Layer        int                   `json:"layer"`
	Experts      int                   `json:"experts"` // E, null experts included
	Load         []int64               `json:"load"`    // c_i
	MaxVio       float64               `json:"max_vio"`
	CV           float64               `json:"cv"`
	Gini         float64               `json:"gini"`
	Jain         float64               `json:"jain"`
	Dead         int                   `json:"dead"`
	LoadEntropy  float64               `json:"load_entropy"`      // of c/N, in nats
	Entropy      *float64              `json:"entropy,omitempty"` // of the gate, mean over tokens, in nats
	Balance      *float64              `json:"balance_loss,omitempty"`
	Z            *float64              `json:"z_loss,omitempty"`
	Repeat       float64               `json:"repeat_previous"`
	CoActivation [][]float64           `json:"coactivation"`         // [i][j] = P(j|i)
	Transition   [][]float64           `json:"transition,omitempty"` // [i][j] = P(j in the next mixture layer | i here)
	Lookahead    *Agreement            `json:"lookahead,omitempty"`
	Vocabulary   map[string]Vocabulary `json:"vocabulary"` // by input, next and predicted token
	Saliency     Saliency              `json:"saliency"`
}

// Agreement is how two choices of experts for the same tokens agree.
type Agreement struct {
	Recall float64 `json:"recall"` // mean |S ∩ S*| / |S*|
	Exact  float64 `json:"exact"`  // share of tokens with S = S*
}

// Vocabulary is how much a token's id fixes its first expert.
type Vocabulary struct {
	Mean      float64 `json:"mean"`       // over all ids
	MeanTen   float64 `json:"mean_10"`    // over ids seen at least ten times
	DistinctN int     `json:"ids"`        // how many were seen
	TenN      int     `json:"ids_ten"`    // at least ten times
	Top       []Word  `json:"most_fixed"` // at least ten times, by falling share
}

// Word is a token id and the expert that most often comes first for it.
type Word struct {
	ID     int32   `json:"id"`
	Expert int     `json:"expert"`
	Share  float64 `json:"share"`
	N      int64   `json:"n"`
}

// Saliency ranks experts for pruning; EAN and REAP where the trace holds expert output norms.
type Saliency struct {
	Weight []float64 `json:"weight"` // Σ g
	EAN    []float64 `json:"ean,omitempty"`
	REAP   []float64 `json:"reap,omitempty"`
}

// Label is what the texts of one label have of their own.
type Label struct {
	Tokens int          `json:"tokens"`
	Layers []LabelLayer `json:"layers"`
}

// LabelLayer is the domain specialisation of one layer: the share of the label's pairs that go to each expert.
type LabelLayer struct {
	Layer int       `json:"layer"`
	Share []float64 `json:"share"`
}

// Cache is a simulation of a cache of experts over the stream of all (layer, expert) pairs in order of tokens.
type Cache struct {
	Accesses int          `json:"accesses"` // simulated: the first of the trace
	Experts  int          `json:"experts"`  // of all layers
	Curves   []CacheCurve `json:"curves"`
}

// CacheCurve is one policy: hit rates at Capacity experts.
type CacheCurve struct {
	Policy   moe.CachePolicy `json:"policy"`
	Capacity []int           `json:"capacity"`
	HitRate  []float64       `json:"hit_rate"`
}

// layerStats counts one layer.
type layerStats struct {
	load   moe.Load
	gate   moe.GateEntropy
	losses moe.RouterLosses
	repeat moe.Repeat
	co     moe.CoActivation
	next   moe.Transition
	early  moe.Overlap
	value  moe.Saliency

	entropy  float64 // of recorded entropies, where logits were not
	entropyN int64
}

// stats counts a trace.
type stats struct {
	r      *trace.Reader
	layers []layerStats
	labels map[string][]moe.Load
	tokens map[string]int
	stream []int32 // layer·E + expert, for the cache
	base   []int32 // of a layer in the stream

	logProb  float64
	logProbN int64
}

// Measure reads a trace and computes its metrics. Memory does not grow with the trace: vocabulary specialisation, which
// grows with distinct tokens, is counted for some layers at a time.
func Measure(ctx context.Context, r *trace.Reader) (*Metrics, error) {
	s := &stats{r: r, layers: make([]layerStats, len(r.Layers)), labels: map[string][]moe.Load{}, tokens: map[string]int{}}
	n := int32(0)
	for _, g := range r.Gates {
		s.base = append(s.base, n)
		n += int32(g.Slots())
	}
	for p, err := range r.Pieces(ctx) {
		if err != nil {
			return nil, err
		}
		s.add(p)
	}
	m := s.metrics()
	cache, err := simulate(ctx, s.stream, int(n))
	if err != nil {
		return nil, err
	}
	m.Cache = cache
	for c := 0; c < len(r.Layers); c += vocabularyLayers {
		if err := measureVocabulary(ctx, r, m.Layers, c, min(c+vocabularyLayers, len(r.Layers))); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// add counts a piece.
func (s *stats) add(p *trace.Piece) {
	label := s.r.Labels[p.Seq]
	loads := s.labels[label]
	if loads == nil {
		loads = make([]moe.Load, len(s.layers))
		s.labels[label] = loads
	}
	s.tokens[label] += len(p.IDs)
	for c := range s.layers {
		l, r := &s.layers[c], &p.Routing[c]
		loads[c].Add(r)
		l.load.Add(r)
		l.gate.Add(r)
		l.losses.Add(r)
		l.co.Add(r)
		for t := range p.IDs {
			l.repeat.AddToken(first(r, t))
		}
		if p.Last() {
			l.repeat.EndSequence()
		}
		if c+1 < len(s.layers) {
			l.next.Add(r, &p.Routing[c+1])
		}
		if p.Lookahead != nil && c > 0 {
			l.early.Add(&p.Lookahead[c], r)
		}
		var norms []float32
		if p.Norms != nil {
			norms = p.Norms[c]
		}
		l.value.Add(r, norms)
	}
	s.addEntropies(p)
	s.addStream(p)
	for _, v := range p.LogProb {
		if v == v { // the last of a sequence has none
			s.logProb, s.logProbN = s.logProb+float64(v), s.logProbN+1
		}
	}
}

// first is the expert in the first place of a token, as the trace lists them by falling weight; -1 where it has none.
func first(r *moe.Routing, t int) int32 {
	if ids, _ := r.Of(t); len(ids) > 0 {
		return ids[0]
	}
	return -1
}

// addEntropies sums what was recorded of them.
func (s *stats) addEntropies(p *trace.Piece) {
	for i, v := range p.Entropy {
		if v == v { // a gate without a router has none
			l := &s.layers[i%len(s.layers)]
			l.entropy, l.entropyN = l.entropy+float64(v), l.entropyN+1
		}
	}
}

// addStream notes accesses in the order in which a run makes them: token by token, layer by layer.
func (s *stats) addStream(p *trace.Piece) {
	for t := range p.IDs {
		for c := range s.layers {
			ids, _ := p.Routing[c].Of(t)
			if len(s.stream)+len(ids) > cacheAccesses {
				return
			}
			for _, e := range ids {
				s.stream = append(s.stream, s.base[c]+e)
			}
		}
	}
}

func (s *stats) metrics() *Metrics {
	r := s.r
	m := &Metrics{
		File: r.Path, Tokens: r.Tokens, Sequences: len(r.Labels), Gate: r.Metadata["gate_override"],
		Model: r.Metadata["model_hash"], Tokenizer: r.Metadata["tokenizer_hash"], Labels: map[string]*Label{},
	}
	if s.logProbN > 0 {
		m.LogProb = pointer(s.logProb / float64(s.logProbN))
	}
	for c := range s.layers {
		m.Layers = append(m.Layers, s.layers[c].metrics(r.Layers[c], r.Gates[c].Slots()))
	}
	for _, name := range slices.Sorted(maps.Keys(s.labels)) {
		l := &Label{Tokens: s.tokens[name]}
		for c := range s.layers {
			l.Layers = append(l.Layers, LabelLayer{r.Layers[c], s.labels[name][c].Share()})
		}
		m.Labels[name] = l
	}
	return m
}

func (l *layerStats) metrics(layer, experts int) Layer {
	m := Layer{
		Layer: layer, Experts: experts, Load: l.load.Count, MaxVio: l.load.MaxVio(), CV: l.load.CV(), Gini: l.load.Gini(),
		Jain: l.load.Jain(), Dead: l.load.Dead(), LoadEntropy: l.load.Entropy(), Repeat: l.repeat.Share(),
		CoActivation: square(experts, experts, l.co.P), Vocabulary: map[string]Vocabulary{},
		Saliency: Saliency{Weight: l.value.Weight},
	}
	if l.next.To > 0 {
		m.Transition = square(l.next.From, l.next.To, l.next.P)
	}
	switch {
	case l.gate.Tokens > 0:
		m.Entropy = pointer(l.gate.Mean())
		m.Balance, m.Z = pointer(l.losses.Balance()), pointer(l.losses.Z())
	case l.entropyN > 0:
		m.Entropy = pointer(l.entropy / float64(l.entropyN))
	}
	if l.early.Tokens > 0 {
		m.Lookahead = &Agreement{l.early.MeanRecall(), l.early.ExactShare()}
	}
	if l.value.HasNorms() {
		for e := range experts {
			m.Saliency.EAN = append(m.Saliency.EAN, l.value.EAN(e))
			m.Saliency.REAP = append(m.Saliency.REAP, l.value.REAP(e))
		}
	}
	return m
}

// square is the matrix [from][to] of p(to, from).
func square(from, to int, p func(j, i int) float64) [][]float64 {
	out := make([][]float64, from)
	for i := range out {
		out[i] = make([]float64, to)
		for j := range out[i] {
			out[i][j] = p(j, i)
		}
	}
	return out
}

func pointer(v float64) *float64 { return &v }

// vocabularyLayers is how many layers' vocabularies are in memory at once.
const vocabularyLayers = 8

// fixedWords is how many ids a vocabulary lists.
const fixedWords = 20

// measureVocabulary counts layers [a,b).
func measureVocabulary(ctx context.Context, r *trace.Reader, out []Layer, a, b int) error {
	keys := []string{"input", "next"}
	if r.Has("predicted_ids") {
		keys = append(keys, "predicted")
	}
	count := make([]map[string]*moe.Vocabulary, b-a)
	for i := range count {
		count[i] = map[string]*moe.Vocabulary{}
		for _, k := range keys {
			count[i][k] = &moe.Vocabulary{}
		}
	}
	for p, err := range r.Pieces(ctx) {
		if err != nil {
			return err
		}
		by := map[string][]int32{"input": p.IDs, "next": p.Next, "predicted": p.Predicted}
		for i := range count {
			for _, k := range keys {
				for t, key := range by[k] {
					count[i][k].AddToken(r.Gates[a+i].Slots(), key, first(&p.Routing[a+i], t))
				}
			}
		}
	}
	for i := range count {
		for _, k := range keys {
			out[a+i].Vocabulary[k] = vocabularyOf(count[i][k])
		}
	}
	return nil
}

func vocabularyOf(v *moe.Vocabulary) Vocabulary {
	keys := v.Keys()
	out := Vocabulary{Mean: v.Mean(1), MeanTen: v.Mean(10), DistinctN: len(keys), Top: []Word{}}
	for _, k := range keys {
		if share, e, n := v.Of(k); n >= 10 {
			out.Top = append(out.Top, Word{k, e, share, n})
		}
	}
	out.TenN = len(out.Top)
	slices.SortStableFunc(out.Top, func(a, b Word) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(b.N, a.N)) })
	out.Top = slices.Clone(out.Top[:min(len(out.Top), fixedWords)])
	return out
}

// cacheAccesses bounds the stream that caches are simulated on: Belady needs it whole.
const cacheAccesses = 1 << 20

// simulate runs the policies at an eighth, a quarter, half and three quarters of all experts.
func simulate(ctx context.Context, stream []int32, experts int) (*Cache, error) {
	out := &Cache{Accesses: len(stream), Experts: experts}
	for _, policy := range []moe.CachePolicy{moe.CacheLRU, moe.CacheLFU, moe.CacheBelady} {
		c := CacheCurve{Policy: policy}
		for _, eighths := range []int{1, 2, 4, 6} {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			n := max(1, experts*eighths/8)
			c.Capacity = append(c.Capacity, n)
			c.HitRate = append(c.HitRate, float64(moe.CacheHits(stream, n, policy))/float64(max(1, len(stream))))
		}
		out.Curves = append(out.Curves, c)
	}
	return out, nil
}
