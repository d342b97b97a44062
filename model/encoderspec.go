package model

import (
	"fmt"
	"strings"

	"github.com/seed2fbf7788/switchyard/kernels"
)

// EncoderSpec is everything that the config.json of an encoder says, resolved once. The zero value of an option is
// BERT's choice.
type EncoderSpec struct {
	Family  string `json:"family"`  // model_type
	Vocab   int    `json:"vocab"`   // V
	Hidden  int    `json:"hidden"`  // H
	Context int    `json:"context"` // tokens of a text, special ones included

	Heads   int                `json:"heads"`
	HeadDim int                `json:"head_dim"` // H / Heads
	Width   int                `json:"width"`    // I, of the feed-forward
	Act     kernels.Activation `json:"act"`
	Gated   bool               `json:"gated,omitempty"` // act(x·gate)·(x·up), gate and up in one tensor

	NormEps     float32 `json:"norm_eps"`
	PreNorm     bool    `json:"pre_norm,omitempty"`      // x + f(norm(x)) and a last norm; else norm(x + f(x))
	NoNormBias  bool    `json:"no_norm_bias,omitempty"`  // norms have a weight only
	NoAttnBias  bool    `json:"no_attn_bias,omitempty"`  // attention products have no bias
	NoDenseBias bool    `json:"no_dense_bias,omitempty"` // feed-forward products have no bias

	Positions int   `json:"positions,omitempty"`  // rows of the table of absolute positions; 0: rotary
	Padded    bool  `json:"padded,omitempty"`     // positions count from Pad+1, and padding stays at Pad (RoBERTa)
	Pad       int32 `json:"pad,omitempty"`        // id of the padding token
	Types     int   `json:"type_vocab,omitempty"` // rows of the token-type table, of which row 0 is used

	Layers []EncoderLayer `json:"layers"`

	Head *ClassHead `json:"head,omitempty"` // nil: no classification head
}

// EncoderLayer is what differs between layers.
type EncoderLayer struct {
	Window int   `json:"window,omitempty"` // position i sees j with |i-j| ≤ Window; 0: all
	Rope   *Rope `json:"rope,omitempty"`   // nil: absolute positions
}

// ClassHead is a classification head: logits = Out · norm(act(Dense · pooled + b)) + b, pooled being the first token or the
// mean of all.
type ClassHead struct {
	Labels     []string `json:"labels"`
	Mean       bool     `json:"mean,omitempty"`        // pooled is the mean over the tokens; else the first token
	Tanh       bool     `json:"tanh,omitempty"`        // the activation is tanh; else Act
	NoBias     bool     `json:"no_bias,omitempty"`     // Dense has no bias
	Norm       bool     `json:"norm,omitempty"`        // a norm stands before Out
	MultiLabel bool     `json:"multi_label,omitempty"` // scores are sigmoids of their own; else a softmax

	Act kernels.Activation `json:"act"`
}

// Validate checks what single fields cannot. It reports every fault, each with field, want and found.
func (s *EncoderSpec) Validate() error {
	var faults []string
	bad := func(ok bool, field, want string, found any) {
		if !ok {
			faults = append(faults, fmt.Sprintf("%s: want %s, found %v", field, want, found))
		}
	}
	bad(s.Heads > 0 && s.Hidden%max(s.Heads, 1) == 0, "hidden_size", fmt.Sprintf("a multiple of num_attention_heads %d", s.Heads), s.Hidden)
	bad(s.Context > 0, "max_position_embeddings", fmt.Sprintf("more than the %d that padding takes", int(s.Pad)+1), s.Positions)
	bad(len(s.Layers) > 0, "num_hidden_layers", "at least 1", len(s.Layers))
	for i := range s.Layers {
		if r := s.Layers[i].Rope; r != nil {
			err := r.validate()
			bad(err == nil, fmt.Sprintf("layer %d", i), "a valid rotary embedding", err)
			bad(r.Kind == RopeDefault, "rope_type", "default", r.Kind)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrSpec, strings.Join(faults, "; "))
	}
	return nil
}
