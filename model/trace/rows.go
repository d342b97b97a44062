package trace

import (
	"math"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// plan lists the tensors of the file.
func (w *writer) plan(sequences int) []loader.Planned {
	t, l := w.total, len(w.layers)
	list := []loader.Planned{
		{Name: "token_ids", DType: tensor.I32, Shape: tensor.Shape{t}},
		{Name: "seq_offsets", DType: tensor.I32, Shape: tensor.Shape{sequences + 1}},
		{Name: "moe_layer_index", DType: tensor.I32, Shape: tensor.Shape{l}},
		{Name: "topk_ids", DType: tensor.U16, Shape: tensor.Shape{t, l, w.k}},
		{Name: "topk_weights", DType: tensor.F32, Shape: tensor.Shape{t, l, w.k}},
	}
	for _, x := range []struct {
		there bool
		p     loader.Planned
	}{
		{w.slots, loader.Planned{Name: "topk_slots", DType: tensor.U8, Shape: tensor.Shape{t, l, w.k}}},
		{w.o.Logits, loader.Planned{Name: "router_logits", DType: tensor.F32, Shape: tensor.Shape{t, l, w.e}}},
		{w.o.Choice, loader.Planned{Name: "choice_scores", DType: tensor.F32, Shape: tensor.Shape{t, l, w.e}}},
		{w.o.Entropy, loader.Planned{Name: "gate_entropy", DType: tensor.F32, Shape: tensor.Shape{t, l}}},
		{w.o.Norms, loader.Planned{Name: "expert_out_norm", DType: tensor.F32, Shape: tensor.Shape{t, l, w.k}}},
		{w.o.Lookahead, loader.Planned{Name: "lookahead_ids", DType: tensor.U16, Shape: tensor.Shape{t, l, w.k}}},
		{w.o.Predicted, loader.Planned{Name: "predicted_ids", DType: tensor.I32, Shape: tensor.Shape{t}}},
		{w.o.LogProb, loader.Planned{Name: "next_token_logprob", DType: tensor.F32, Shape: tensor.Shape{t}}},
	} {
		if x.there {
			list = append(list, x.p)
		}
	}
	return list
}

// rows writes what the record holds, from row w.done on.
func (w *writer) rows() error {
	r := &w.rec
	r.end()
	n, l := r.n, len(w.layers)
	for _, x := range []struct {
		there bool
		name  string
		make  func() *tensor.Tensor
	}{
		{true, "topk_ids", func() *tensor.Tensor { return tensor.FromU16(r.ids, n, l, w.k) }},
		{true, "topk_weights", func() *tensor.Tensor { return tensor.FromF32(r.weights, n, l, w.k) }},
		{w.slots, "topk_slots", func() *tensor.Tensor { return &tensor.Tensor{Data: r.slots} }},
		{w.o.Logits, "router_logits", func() *tensor.Tensor { return tensor.FromF32(r.logits, n, l, w.e) }},
		{w.o.Choice, "choice_scores", func() *tensor.Tensor { return tensor.FromF32(r.choice, n, l, w.e) }},
		{w.o.Entropy, "gate_entropy", func() *tensor.Tensor { return tensor.FromF32(r.entropy, n, l) }},
		{w.o.Norms, "expert_out_norm", func() *tensor.Tensor { return tensor.FromF32(r.outNorms, n, l, w.k) }},
		{w.o.Lookahead, "lookahead_ids", func() *tensor.Tensor { return tensor.FromU16(r.early, n, l, w.k) }},
	} {
		if !x.there {
			continue
		}
		if err := w.put(x.name, w.done, x.make()); err != nil {
			return err
		}
	}
	return nil
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

// predicted are the likeliest tokens, ties to the lower id.
func predicted(logits tensor.Mat) []int32 {
	out := make([]int32, logits.Rows)
	for t := range out {
		row := logits.Row(t)
		for i, v := range row {
			if v > row[out[t]] {
				out[t] = int32(i)
			}
		}
	}
	return out
}
