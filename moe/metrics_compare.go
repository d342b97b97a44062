package moe

import "slices"

// Overlap compares two routings of the same tokens: S(t) under study and S*(t), the truth. It serves router saturation
// (a checkpoint against the last, arXiv 2409.02060), lookahead (layer l+1's gate on layer l's input against what l+1
// chose) and the difference of two runs. The zero value works.
type Overlap struct {
	Tokens int64   // with at least one true expert
	Exact  int64   // tokens where S = S*
	Recall float64 // Σ_t |S ∩ S*| / |S*|
	Common int64   // Σ_t |S ∩ S*|
	Pairs  int64   // Σ_t max(|S|, |S*|)
}

// Add counts a call. It panics where the tokens differ in number.
func (o *Overlap) Add(got, truth *Routing) {
	if got.Tokens() != truth.Tokens() {
		panic("moe.Overlap: calls of different tokens")
	}
	for t := range got.Tokens() {
		a, _ := got.Of(t)
		b, _ := truth.Of(t)
		n := 0
		for _, e := range a {
			if slices.Contains(b, e) {
				n++
			}
		}
		o.Common, o.Pairs = o.Common+int64(n), o.Pairs+int64(max(len(a), len(b)))
		if len(b) == 0 {
			continue
		}
		o.Tokens++
		o.Recall += float64(n) / float64(len(b))
		if n == len(a) && n == len(b) {
			o.Exact++
		}
	}
}

// MeanRecall is mean_t |S ∩ S*| / |S*|: router saturation, lookahead recall.
func (o *Overlap) MeanRecall() float64 { return ratio(o.Recall, float64(o.Tokens)) }

// ExactShare is the share of tokens whose sets are equal.
func (o *Overlap) ExactShare() float64 { return ratio(float64(o.Exact), float64(o.Tokens)) }

// Differ is the share of routing decisions that differ: 1 − Common/Pairs.
func (o *Overlap) Differ() float64 {
	if o.Pairs == 0 {
		return 0
	}
	return 1 - float64(o.Common)/float64(o.Pairs)
}

// Vocabulary counts first experts by a key a token: its id, the next token's, or the predicted one's (OLMoE §5). Memory
// grows with distinct pairs of key and expert, not with tokens. The zero value works.
type Vocabulary struct {
	e     int
	count map[uint64]int64 // key·2³² + expert
}

// Add counts a call; keys [T], a negative key is left out. It panics where there are not as many keys as tokens.
func (v *Vocabulary) Add(r *Routing, keys []int32) {
	if len(keys) != r.Tokens() {
		panic("moe.Vocabulary: keys of other tokens")
	}
	for t, key := range keys {
		v.AddToken(r.E, key, r.First(t))
	}
}

// AddToken counts one token whose first expert, of e, is known; a negative key or expert is left out.
func (v *Vocabulary) AddToken(e int, key, first int32) {
	if v.count == nil {
		v.count = map[uint64]int64{}
	}
	v.e = max(v.e, e)
	if key >= 0 && first >= 0 {
		v.count[uint64(key)<<32|uint64(first)]++
	}
}

// Of is max_i count_i / n of one key, that expert (ties to the lower id), and n; expert -1 where the key was not seen.
func (v *Vocabulary) Of(key int32) (share float64, expert int, n int64) {
	expert = -1
	top := int64(0)
	for e := range v.e {
		c := v.count[uint64(uint32(key))<<32|uint64(e)]
		n += c
		if c > top {
			top, expert = c, e
		}
	}
	return ratio(float64(top), float64(n)), expert, n
}

// Keys lists the keys that were seen, in ascending order.
func (v *Vocabulary) Keys() []int32 {
	var keys []int32
	for at := range v.count {
		keys = append(keys, int32(at>>32))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// Mean is the mean of Of over keys seen at least atLeast times, in ascending order of keys so that bits repeat.
func (v *Vocabulary) Mean(atLeast int64) float64 {
	sum, of := 0.0, 0.0
	for _, k := range v.Keys() {
		if share, _, n := v.Of(k); n >= atLeast {
			sum, of = sum+share, of+1
		}
	}
	return ratio(sum, of)
}
