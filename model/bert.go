package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/loader"
)

// BERT (arXiv 1810.04805; reference: transformers models/bert): absolute positions, norms behind the residual, a plain
// feed-forward; its classification head reads the pooler's tanh of the first token.
func specBERT(c *loader.Fields) *EncoderSpec {
	s := readEncoder(c, encoderKeys{"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"})
	s.NormEps = readEps(c, "layer_norm_eps", 1e-12)
	s.Positions = c.IntOr("max_position_embeddings", 512, 1, maxContext)
	s.Types = c.IntOr("type_vocab_size", 2, 1, 1<<16)
	s.Context = s.Positions
	if t := c.StringOr("position_embedding_type", "absolute"); t != "absolute" {
		bad(c, "position_embedding_type", "absolute", t)
	}
	if c.BoolOr("is_decoder", false) {
		bad(c, "is_decoder", "false", true)
	}
	s.Head = &ClassHead{Labels: readLabels(c), Tanh: true, MultiLabel: readMultiLabel(c)}
	return s
}

// RoBERTa (arXiv 1907.11692) and XLM-RoBERTa (arXiv 1911.02116; reference: transformers models/roberta): BERT whose positions
// begin behind the padding id, and whose head has a dense layer of its own.
func specRoBERTa(c *loader.Fields) *EncoderSpec {
	s := specBERT(c)
	s.Pad = int32(c.IntOr("pad_token_id", 1, 0, maxVocab))
	s.Padded = true
	s.Context = s.Positions - int(s.Pad) - 1
	return s
}

// bindBERT claims the tensors of bert, roberta and xlm-roberta. Checkpoints of the bare model have no prefix, those of
// a model with a head do; heads of other tasks that a checkpoint brings along are not used.
func bindBERT(b *binder, s *EncoderSpec, w *encoderWeights) {
	prefix := b.prefix("embeddings.word_embeddings.weight", "bert.", "roberta.")
	b.Skip("cls.*", "lm_head.*", "qa_outputs.*", prefix+"embeddings.position_ids")
	e := prefix + "embeddings."
	w.Words = b.matrix(e+"word_embeddings.weight", s.Vocab, s.Hidden)
	w.Positions = b.matrix(e+"position_embeddings.weight", s.Positions, s.Hidden)
	w.Types = b.matrix(e+"token_type_embeddings.weight", s.Types, s.Hidden)
	w.EmbedNorm = b.encoderNorm(e+"LayerNorm", s)
	for i := range w.Layers {
		l, at := &w.Layers[i], fmt.Sprintf("%sencoder.layer.%d.", prefix, i)
		l.Q = b.linear(at+"attention.self.query", s.Hidden, s.Hidden, true)
		l.K = b.linear(at+"attention.self.key", s.Hidden, s.Hidden, true)
		l.V = b.linear(at+"attention.self.value", s.Hidden, s.Hidden, true)
		l.O = b.linear(at+"attention.output.dense", s.Hidden, s.Hidden, true)
		l.AttnNorm = b.encoderNorm(at+"attention.output.LayerNorm", s)
		b.plainFFN(l, s, at+"intermediate.dense", at+"output.dense")
		l.FFNNorm = b.encoderNorm(at+"output.LayerNorm", s)
	}
	b.bertHead(s, w, prefix)
}

// bertHead claims BERT's pooler and classifier, or RoBERTa's classifier of two layers; without either there is no head,
// and a pooler that nothing reads is left alone.
func (b *binder) bertHead(s *EncoderSpec, w *encoderWeights, prefix string) {
	classes := len(s.Head.Labels)
	switch {
	case b.Has("classifier.dense.weight"):
		b.Skip(prefix + "pooler.*")
		w.Head.Dense = b.linear("classifier.dense", s.Hidden, s.Hidden, true)
		w.Head.Out = b.linear("classifier.out_proj", classes, s.Hidden, true)
	case b.Has("classifier.weight"):
		w.Head.Dense = b.linear(prefix+"pooler.dense", s.Hidden, s.Hidden, true)
		w.Head.Out = b.linear("classifier", classes, s.Hidden, true)
	default:
		b.Skip(prefix + "pooler.*")
		s.Head = nil
	}
}

func readEps(c *loader.Fields, key string, def float64) float32 {
	eps := float32(c.FloatOr(key, def))
	if !(eps >= 0) {
		bad(c, key, "0 or more", eps)
	}
	return eps
}
