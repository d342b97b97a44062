package model

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Sampling says how a token is chosen from logits. The zero value takes the most likely token, ties to the lower id.
//
// Steps in order, as the reference's logits processors apply them: repeat penalty on the ids met so far, division by
// the temperature, then the candidates are cut to the TopK most likely, to the smallest set whose probability reaches
// TopP, and to those at least MinP times as likely as the first; one is drawn. Arithmetic is f64 in a fixed order, so
// the same seed draws the same tokens wherever the logits are the same. Behind the repeat penalty the logit of id i becomes
// logit + Bias[i] − count·FrequencyPenalty − [count > 0]·PresencePenalty, count being how often i has been generated.
type Sampling struct {
	Temperature   float64 // 0: greedy
	TopK          int     // 0: all
	TopP          float64 // 0 or 1: all
	MinP          float64 // 0: all
	RepeatPenalty float64 // 0 or 1: none; a positive logit is divided by it, a negative one multiplied
	Seed          uint64

	FrequencyPenalty, PresencePenalty float64           // 0: none; see above
	Bias                              map[int32]float64 // added to logits; nil: none
}

// Check refuses values that make no sense, naming the option.
func (s Sampling) Check() error {
	bad := func(name, want string, v any) error {
		return fmt.Errorf("%w: %s: want %s, found %v", ErrOption, name, want, v)
	}
	switch {
	case !(s.Temperature >= 0) || math.IsInf(s.Temperature, 0):
		return bad("temperature", "0 or more", s.Temperature)
	case s.TopK < 0:
		return bad("top-k", "0 or more", s.TopK)
	case !(s.TopP >= 0 && s.TopP <= 1):
		return bad("top-p", "0 to 1", s.TopP)
	case !(s.MinP >= 0 && s.MinP <= 1):
		return bad("min-p", "0 to 1", s.MinP)
	case !(s.RepeatPenalty >= 0) || math.IsInf(s.RepeatPenalty, 0):
		return bad("repeat-penalty", "0 (none) or more", s.RepeatPenalty)
	case !finite(s.FrequencyPenalty):
		return bad("frequency-penalty", "a finite number", s.FrequencyPenalty)
	case !finite(s.PresencePenalty):
		return bad("presence-penalty", "a finite number", s.PresencePenalty)
	}
	for id, b := range s.Bias {
		if !finite(b) {
			return bad(fmt.Sprintf("bias of token %d", id), "a finite number", b)
		}
	}
	return nil
}

func finite(f float64) bool { return f-f == 0 }

// Sampler draws tokens; it belongs to one sequence. It keeps its scratch, so a draw allocates nothing after the first.
type Sampler struct {
	opts  Sampling
	rng   *rand.Rand
	cands []candidate
	seen  []bool // by id: met so far, for the repeat penalty

	counts  map[int32]int // of generated ids, where they matter
	touched []uint64      // ids of Bias and counts, as bits
	allowed []uint64      // see Allow
	adjusts bool          // bias or penalties by count are set
}

type candidate struct {
	id int32
	l  float64 // logit, then probability
}

// NewSampler makes a sampler; the options must have passed Check.
func NewSampler(o Sampling) *Sampler {
	s := &Sampler{opts: o, rng: rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15)), counts: map[int32]int{}}
	s.adjusts = len(o.Bias) > 0 || o.FrequencyPenalty != 0 || o.PresencePenalty != 0
	for id := range o.Bias {
		s.touch(id)
	}
	return s
}

// Allow restricts the following draws to the ids whose bit is set (bit i%64 of word i/64), at least one of them below V; nil
// allows all again. The slice is read at each draw and must not change in between.
func (s *Sampler) Allow(bits []uint64) { s.allowed = bits }

// Generated tells the sampler of an id that was drawn: Accept, and a count for the penalties.
func (s *Sampler) Generated(id int32) {
	s.Accept(id)
	if s.adjusts {
		s.counts[id]++
		s.touch(id)
	}
}

// touch marks an id whose logit is adjusted.
func (s *Sampler) touch(id int32) {
	w := int(id) / 64
	if id < 0 {
		return
	}
	if w >= len(s.touched) {
		s.touched = append(s.touched, make([]uint64, w+1-len(s.touched))...)
	}
	s.touched[w] |= 1 << (id % 64)
}

// Accept tells the sampler of ids that stand in the text, for the repeat penalty.
func (s *Sampler) Accept(ids ...int32) {
	if s.opts.RepeatPenalty == 0 || s.opts.RepeatPenalty == 1 {
		return
	}
	for _, id := range ids {
		for int(id) >= len(s.seen) {
			s.seen = append(s.seen, make([]bool, max(1024, int(id)+1-len(s.seen)))...)
		}
		s.seen[id] = true
	}
}

// Sample chooses a token from logits [V], which it does not change.
func (s *Sampler) Sample(logits []float32) int32 { return s.SampleTop(logits, -1) }

// SampleTop is Sample for who knows which logit is the largest, the first of equals; -1 for who does not.
func (s *Sampler) SampleTop(logits []float32, top int32) int32 {
	if s.opts.Temperature == 0 {
		return s.greedy(logits, top)
	}
	s.fill(logits)
	s.cut()
	return s.draw()
}

// word is word w of the allowed ids below n.
func (s *Sampler) word(w, n int) uint64 {
	all := ^uint64(0)
	if s.allowed != nil {
		if all = 0; w < len(s.allowed) {
			all = s.allowed[w]
		}
	}
	if left := n - 64*w; left < 64 {
		all &= 1<<left - 1
	}
	return all
}

// logit is what an id's logit becomes.
func (s *Sampler) logit(id int, l float32) float64 {
	v := float64(l)
	if id < len(s.seen) && s.seen[id] {
		if v > 0 {
			v /= s.opts.RepeatPenalty
		} else {
			v *= s.opts.RepeatPenalty
		}
	}
	if w := id / 64; w < len(s.touched) && s.touched[w]>>(id%64)&1 != 0 {
		v += s.adjust(int32(id))
	}
	return v
}

// adjust is what bias and penalties add.
func (s *Sampler) adjust(id int32) float64 {
	v := s.opts.Bias[id]
	if n := s.counts[id]; n > 0 {
		v -= float64(n)*s.opts.FrequencyPenalty + s.opts.PresencePenalty
	}
	return v
}

func (s *Sampler) greedy(logits []float32, top int32) int32 {
	if len(s.seen) == 0 && !s.adjusts { // the largest wins, where it may
		if top < 0 {
			top = argMax(logits)
		}
		if s.word(int(top)/64, len(logits))>>(top%64)&1 != 0 {
			return top
		}
	}
	best, most := 0, math.Inf(-1)
	for w := range (len(logits) + 63) / 64 {
		for left := s.word(w, len(logits)); left != 0; left &= left - 1 {
			id := 64*w + bits.TrailingZeros64(left)
			if v := s.logit(id, logits[id]); v > most {
				best, most = id, v
			}
		}
	}
	return int32(best)
}

// argMax is the index of the largest value, the first of equals.
func argMax(x []float32) int32 {
	best, top := 0, float32(math.Inf(-1))
	for i, v := range x {
		if v > top {
			best, top = i, v
		}
	}
	return int32(best)
}

// fill makes every id that is allowed a candidate with its probability.
func (s *Sampler) fill(logits []float32) {
	s.cands = slices.Grow(s.cands[:0], len(logits))
	top := math.Inf(-1)
	for w := range (len(logits) + 63) / 64 {
		for left := s.word(w, len(logits)); left != 0; left &= left - 1 {
			id := 64*w + bits.TrailingZeros64(left)
			v := s.logit(id, logits[id]) / s.opts.Temperature
			s.cands = append(s.cands, candidate{int32(id), v})
			top = max(top, v)
		}
	}
	if len(s.cands) == 0 { // against the contract of Allow
		s.cands = append(s.cands, candidate{})
	}
	sum := 0.0
	for i := range s.cands {
		s.cands[i].l = math.Exp(s.cands[i].l - top)
		sum += s.cands[i].l
	}
	for i := range s.cands {
		s.cands[i].l /= sum
	}
}

// cut keeps the candidates that top-k, top-p and min-p allow, most likely first. It takes them from a heap one at a
// time, so the cost goes with how many are kept and not with sorting the vocabulary.
func (s *Sampler) cut() {
	k, p := s.opts.TopK, s.opts.TopP
	if k == 0 || k > len(s.cands) {
		k = len(s.cands)
	}
	if p == 0 {
		p = 1
	}
	if k == len(s.cands) && p == 1 && s.opts.MinP == 0 {
		return
	}
	h := s.cands
	for i := len(h)/2 - 1; i >= 0; i-- {
		sink(h, i)
	}
	total := 1.0 // of the probabilities that top-p counts: of all candidates, or of those that top-k left
	if k < len(h) {
		h = pop(h, k, 2)
		total = 0
		for _, c := range h {
			total += c.l
		}
	} else {
		h = pop(h, k, p)
	}
	s.cands = h[:s.keep(h, p*total)]
}

// keep counts the leading candidates that reach the mass and are not too unlikely beside the first; at least one.
func (s *Sampler) keep(h []candidate, mass float64) int {
	sum, floor := 0.0, s.opts.MinP*h[0].l
	for i, c := range h {
		if i > 0 && (c.l < floor || sum >= mass) {
			return i
		}
		sum += c.l
	}
	return len(h)
}

// pop takes the k first candidates off the heap, fewer where their sum passes mass, and returns them in order.
func pop(h []candidate, k int, mass float64) []candidate {
	n, sum := len(h), 0.0
	for i := 0; i < k; i++ {
		last := n - 1 - i
		h[0], h[last] = h[last], h[0]
		sink(h[:last], 0)
		if sum += h[last].l; sum > mass+1e-9 {
			k = i + 1
		}
	}
	kept := h[n-k:]
	slices.Reverse(kept)
	return kept
}

func before(a, b candidate) bool { return a.l > b.l || (a.l == b.l && a.id < b.id) }

// sink restores the heap order below i: a parent comes before its children.
func sink(h []candidate, i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && before(h[c+1], h[c]) {
			c++
		}
		if !before(h[c], h[i]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// draw picks one candidate with probability proportional to its own.
func (s *Sampler) draw() int32 {
	total := 0.0
	for _, c := range s.cands {
		total += c.l
	}
	at := s.rng.Float64() * total
	for _, c := range s.cands {
		at -= c.l
		if at < 0 {
			return c.id
		}
	}
	return s.cands[len(s.cands)-1].id
}
