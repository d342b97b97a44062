package moe

import (
	"cmp"
	"slices"
)

// Record is what one layer decided, over all tokens so far.
type Record struct {
	E      int
	Start  []int32   // [T+1]
	Expert []int32   // [N]
	Weight []float32 // [N]
	Logits []float32 // [T,E] where asked for
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
		order = r.order(order[:0], t)
		for j := range k {
			ids[t*k+j] = -1
			if j < len(order) {
				ids[t*k+j], weights[t*k+j] = r.Expert[order[j]], r.Weight[order[j]]
			}
		}
	}
	return ids, weights
}

// order appends the pairs of token t by falling weight, ties by lower id.
func (r *Record) order(list []int32, t int) []int32 {
	for i := r.Start[t]; i < r.Start[t+1]; i++ {
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b int32) int {
		return cmp.Or(cmp.Compare(r.Weight[b], r.Weight[a]), cmp.Compare(r.Expert[a], r.Expert[b]))
	})
	return list
}
