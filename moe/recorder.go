package moe

import (
	"slices"
)

// RecordWhat says what a Recorder keeps beside ids and weights.
type RecordWhat int

// RecordRouting keeps ids and weights; RecordLogits the raw router logits too.
const (
	RecordRouting RecordWhat = iota
	RecordLogits
)

// Recorder is an Observer that keeps the routing of every layer in memory, call after call. It is for runs of one
// sequence at a time; it is not safe for concurrent use.
type Recorder struct {
	what   RecordWhat
	layers map[int]*Record
}

// Record is what one layer decided, over all tokens so far.
type Record struct {
	E      int
	Start  []int32   // [T+1]
	Expert []int32   // [N]
	Weight []float32 // [N]
	Logits []float32 // [T,E] where asked for
}

// NewRecorder makes an empty recorder.
func NewRecorder(what RecordWhat) *Recorder {
	return &Recorder{what: what, layers: map[int]*Record{}}
}

// ObserveRouting implements Observer.
func (c *Recorder) ObserveRouting(layer int, r *Routing) {
	rec := c.layers[layer]
	if rec == nil {
		rec = &Record{E: r.E, Start: []int32{0}}
		c.layers[layer] = rec
	}
	base := int32(len(rec.Expert))
	for _, s := range r.Start[1:] {
		rec.Start = append(rec.Start, base+s)
	}
	rec.Expert = append(rec.Expert, r.Expert...)
	rec.Weight = append(rec.Weight, r.Weight...)
	if c.what == RecordLogits {
		rec.Logits = append(rec.Logits, r.Logits.Data...)
	}
}

// Layer is the record of one layer; an empty one where nothing was seen.
func (c *Recorder) Layer(i int) *Record {
	if r := c.layers[i]; r != nil {
		return r
	}
	return &Record{Start: []int32{0}}
}

// Tokens is T.
func (r *Record) Tokens() int { return len(r.Start) - 1 }

// MaxK is the largest number of experts that a token has.
func (r *Record) MaxK() int {
	k := 0
	for t := range r.Tokens() {
		k = max(k, int(r.Start[t+1]-r.Start[t]))
	}
	return k
}

// Sorted gives ids and weights [T,k], each token's by falling weight, ties by lower id; places that a token leaves empty
// have id -1 and weight 0.
func (r *Record) Sorted(k int) ([]int32, []float32) {
	ids, weights := make([]int32, r.Tokens()*k), make([]float32, r.Tokens()*k)
	var order []int32
	for t := range r.Tokens() {
		order = order[:0]
		for i := r.Start[t]; i < r.Start[t+1]; i++ {
			order = append(order, i)
		}
		slices.SortFunc(order, func(a, b int32) int {
			if r.Weight[a] != r.Weight[b] {
				if r.Weight[a] > r.Weight[b] {
					return -1
				}
				return 1
			}
			return int(r.Expert[a] - r.Expert[b])
		})
		for j := range k {
			ids[t*k+j] = -1
			if j < len(order) {
				ids[t*k+j], weights[t*k+j] = r.Expert[order[j]], r.Weight[order[j]]
			}
		}
	}
	return ids, weights
}
