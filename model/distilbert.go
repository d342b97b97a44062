package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
)

// DistilBERT (arXiv 1910.01108; reference: transformers models/distilbert): BERT with other names, no token types, and a
// head of its own with ReLU.
func specDistilBERT(c *loader.Fields) *EncoderSpec {
	s := readEncoder(c, encoderKeys{"dim", "n_layers", "n_heads", "hidden_dim", "activation"})
	s.NormEps = 1e-12
	s.Positions = c.IntOr("max_position_embeddings", 512, 1, maxContext)
	s.Context = s.Positions
	s.Head = &ClassHead{Labels: readLabels(c), Act: kernels.ReLU, MultiLabel: readMultiLabel(c)}
	return s
}

func bindDistilBERT(b *binder, s *EncoderSpec, w *encoderWeights) {
	prefix := b.prefix("embeddings.word_embeddings.weight", "distilbert.")
	b.Skip("vocab_*", "qa_outputs.*", prefix+"embeddings.position_ids")
	e := prefix + "embeddings."
	w.Words = b.matrix(e+"word_embeddings.weight", s.Vocab, s.Hidden)
	w.Positions = b.matrix(e+"position_embeddings.weight", s.Positions, s.Hidden)
	w.EmbedNorm = b.encoderNorm(e+"LayerNorm", s)
	for i := range w.Layers {
		l, at := &w.Layers[i], fmt.Sprintf("%stransformer.layer.%d.", prefix, i)
		l.Q = b.linear(at+"attention.q_lin", s.Hidden, s.Hidden, true)
		l.K = b.linear(at+"attention.k_lin", s.Hidden, s.Hidden, true)
		l.V = b.linear(at+"attention.v_lin", s.Hidden, s.Hidden, true)
		l.O = b.linear(at+"attention.out_lin", s.Hidden, s.Hidden, true)
		l.AttnNorm = b.encoderNorm(at+"sa_layer_norm", s)
		b.plainFFN(l, s, at+"ffn.lin1", at+"ffn.lin2")
		l.FFNNorm = b.encoderNorm(at+"output_layer_norm", s)
	}
	if !b.Has("classifier.weight") {
		b.Skip("pre_classifier.*")
		s.Head = nil
		return
	}
	w.Head.Dense = b.linear("pre_classifier", s.Hidden, s.Hidden, true)
	w.Head.Out = b.linear("classifier", len(s.Head.Labels), s.Hidden, true)
}
