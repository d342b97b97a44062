package moe

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Routing is who works on what, in CSR form, so that the number of experts may differ per token: token t owns the pairs
// Start[t]:Start[t+1], in the order of choice (falling choice score, ties by lower id); writers that want another order
// sort. Weights are final: combining multiplies and adds in ascending order of slot, no more. A Routing is filled again
// by the next call; copy what shall live longer.
type Routing struct {
	E      int        // experts that an id may name, null experts included
	Start  []int32    // [T+1]
	Expert []int32    // [N]
	Weight []float32  // [N]
	Logits tensor.Mat // [T, outputs] raw router logits, before softcap, where the gate has a router
	Shared []float32  // [T,S] weights of shared experts, where the gate gives them (NormShared)
	logits []float32
}

// Tokens is T.
func (r *Routing) Tokens() int { return max(len(r.Start)-1, 0) }

// Of gives the experts and weights of token t; they share memory with r.
func (r *Routing) Of(t int) ([]int32, []float32) {
	a, b := r.Start[t], r.Start[t+1]
	return r.Expert[a:b], r.Weight[a:b]
}

// Reset empties r and makes room for tokens with up to k experts each. Logits stay.
func (r *Routing) Reset(e, tokens, k int) {
	r.E = e
	r.Start = append(grow(r.Start[:0], tokens+1), 0)
	r.Expert, r.Weight = grow(r.Expert[:0], tokens*k), grow(r.Weight[:0], tokens*k)
	r.Shared = r.Shared[:0]
}

// Uniform makes every token own exactly k pairs, to be filled in place.
func (r *Routing) Uniform(e, tokens, k int) {
	r.Reset(e, tokens, k)
	for t := range tokens {
		r.Start = append(r.Start, int32((t+1)*k))
	}
	r.Expert, r.Weight = r.Expert[:tokens*k], r.Weight[:tokens*k]
}

// Add appends a pair to the token that is being filled; EndToken closes it.
func (r *Routing) Add(expert int32, weight float32) {
	r.Expert, r.Weight = append(r.Expert, expert), append(r.Weight, weight)
}

// EndToken closes the token that is being filled.
func (r *Routing) EndToken() { r.Start = append(r.Start, int32(len(r.Expert))) }

// NoLogits says that the gate has no router, so that those of another gate's call do not stay.
func (r *Routing) NoLogits() { r.Logits = tensor.Mat{} }

// room makes Logits a matrix [tokens, n] over memory that is kept.
func (r *Routing) room(tokens, n int) {
	r.logits = sized(r.logits, tokens*n)
	r.Logits = tensor.MatOf(r.logits, tokens, n)
}

// check holds a gate to its contract, so that an experiment's mistake is an error and not a crash.
func (r *Routing) check(tokens, slots, layer int) error {
	if r.Tokens() != tokens || r.Start[0] != 0 || int(r.Start[tokens]) != len(r.Expert) || len(r.Expert) != len(r.Weight) {
		return fmt.Errorf("%w: layer %d: routing of %d tokens, %d experts and %d weights for %d tokens",
			ErrGate, layer, r.Tokens(), len(r.Expert), len(r.Weight), tokens)
	}
	for t := range tokens {
		if r.Start[t] > r.Start[t+1] {
			return fmt.Errorf("%w: layer %d: token %d owns the pairs %d to %d", ErrGate, layer, t, r.Start[t], r.Start[t+1])
		}
	}
	for i, e := range r.Expert {
		if e < 0 || int(e) >= slots {
			return fmt.Errorf("%w: layer %d: expert %d in pair %d, want 0 to %d", ErrGate, layer, e, i, slots-1)
		}
	}
	return nil
}

// grow gives s room for n elements; what it holds is kept only where it has the room already or is empty.
func grow[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, len(s), n)
	}
	return s
}

// sized is s with n elements of unspecified content.
func sized[E any](s []E, n int) []E { return grow(s[:0], n)[:n] }
