package trace

import (
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// rows writes what the recorder saw of n tokens, from row w.done on.
func (w *writer) rows(n int) error {
	l := len(w.layers)
	ids, weights := make([]uint16, n*l*w.k), make([]float32, n*l*w.k)
	for c, layer := range w.layers {
		if err := w.column16(ids, weights, c, w.rec.Layer(layer), n); err != nil {
			return fmt.Errorf("layer %d: %w", layer, err)
		}
	}
	if err := w.put("topk_ids", w.done, tensor.FromU16(ids, n, l, w.k)); err != nil {
		return err
	}
	if err := w.put("topk_weights", w.done, tensor.FromF32(weights, n, l, w.k)); err != nil {
		return err
	}
	if w.o.Logits {
		if err := w.put("router_logits", w.done, tensor.FromF32(w.logits(n), n, l, w.e)); err != nil {
			return err
		}
	}
	if w.o.Entropy {
		return w.put("gate_entropy", w.done, tensor.FromF32(w.entropies(n), n, l))
	}
	return nil
}

// column16 puts one layer's experts into its column of ids [n,L,K] and weights [n,L,K].
func (w *writer) column16(ids []uint16, weights []float32, c int, r *moe.Record, n int) error {
	if r.MaxK() > w.k {
		return fmt.Errorf("%w: want at most %d experts a token, as the gate spec says, found %d", ErrTrace, w.k, r.MaxK())
	}
	sorted, ws := r.Sorted(w.k)
	for t := range n {
		at := (t*len(w.layers) + c) * w.k
		for j := range w.k {
			ids[at+j] = empty
			if e := sorted[t*w.k+j]; e >= 0 {
				ids[at+j], weights[at+j] = uint16(e), ws[t*w.k+j]
			}
		}
	}
	return nil
}

// logits gathers the raw router logits as [n,L,E]; -Inf where a layer has fewer experts, or no router at all.
func (w *writer) logits(n int) []float32 {
	l := len(w.layers)
	out := make([]float32, n*l*w.e)
	for i := range out {
		out[i] = float32(math.Inf(-1))
	}
	for c, layer := range w.layers {
		r := w.rec.Layer(layer)
		for t := range n {
			copy(out[(t*l+c)*w.e:(t*l+c+1)*w.e], logitsOf(r, t))
		}
	}
	return out
}

// logitsOf is the recorded row of one token; empty where the gate has no router.
func logitsOf(r *moe.Record, t int) []float32 {
	e := len(r.Logits) / max(r.Tokens(), 1)
	return r.Logits[t*e : (t+1)*e]
}

// entropies are those of softmax(logits) per token and layer [n,L], in nats, summed in f64; NaN without a router.
func (w *writer) entropies(n int) []float32 {
	l := len(w.layers)
	out := make([]float32, n*l)
	for c, layer := range w.layers {
		r := w.rec.Layer(layer)
		for t := range n {
			out[t*l+c] = entropy(logitsOf(r, t))
		}
	}
	return out
}

// entropy is moe.Entropy, NaN for a gate without logits.
func entropy(logits []float32) float32 {
	if len(logits) == 0 {
		return float32(math.NaN())
	}
	return float32(moe.Entropy(logits))
}

// logProbs are log softmax(logits[t])[next[t]], NaN where no token follows.
func logProbs(logits tensor.Mat, next []int32) []float32 {
	out := make([]float32, logits.Rows)
	for t := range out {
		out[t] = float32(math.NaN())
		if t < len(next) {
			out[t] = model.LogProb(logits.Row(t), next[t])
		}
	}
	return out
}
