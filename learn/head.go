package learn

import (
	"math"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Head is a softmax regression: logits [C] = W·dense + S·sparse + B. W is [C,D], S is [C,buckets]; either may have no columns.
type Head struct {
	W, S tensor.Mat
	B    []float32
}

// Classes is C.
func (h *Head) Classes() int { return len(h.B) }

// Logits fills dst [C] for one example; sums run in f32 with the features in ascending order.
func (h *Head) Logits(dst, dense []float32, sparse Sparse) {
	copy(dst, h.B)
	for c := range dst {
		sum := float32(0)
		if h.W.Cols > 0 {
			w := h.W.Row(c)
			for i, x := range dense {
				sum += float32(w[i] * x)
			}
		}
		if h.S.Cols > 0 {
			w := h.S.Row(c)
			for j, i := range sparse.Index {
				sum += float32(w[i] * sparse.Value[j])
			}
		}
		dst[c] += sum
	}
}

// Softmax turns logits into probabilities in place, divided by a temperature first (0 means 1), and gives the index of the largest.
func Softmax(logits []float32, temperature float64) int {
	if temperature == 0 {
		temperature = 1
	}
	best := 0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
	}
	top, sum := float64(logits[best]), 0.0
	for _, l := range logits {
		sum += math.Exp((float64(l) - top) / temperature)
	}
	for i, l := range logits {
		logits[i] = float32(math.Exp((float64(l)-top)/temperature) / sum)
	}
	return best
}
