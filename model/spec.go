package model

import (
	"fmt"
	"strings"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Spec is everything that config.json says, resolved once. The zero value of an option is the plain Llama choice.
type Spec struct {
	Family   string `json:"family"`              // model_type
	Vocab    int    `json:"vocab"`               // V
	Hidden   int    `json:"hidden"`              // H
	Context  int    `json:"context"`             // max_position_embeddings
	Tied     bool   `json:"tied,omitempty"`      // the output head is the embedding
	HeadBias bool   `json:"head_bias,omitempty"` // lm_head has a bias

	Norm    NormKind `json:"norm"`     // every norm of the model
	NormEps float32  `json:"norm_eps"` // its epsilon

	EmbedScale    float32 `json:"embed_scale,omitempty"`    // embeddings are multiplied by it; 0 means 1
	ResidualScale float32 `json:"residual_scale,omitempty"` // each branch is multiplied by it before it is added; 0 means 1
	LogitDivisor  float32 `json:"logit_divisor,omitempty"`  // logits are divided by it; 0 means 1

	Rope   Rope    `json:"rope"`
	Layers []Layer `json:"layers"`

	BOS []int32 `json:"bos,omitempty"` // from generation_config.json, else config.json
	EOS []int32 `json:"eos,omitempty"` // any of them ends a generation
}

// NormKind says which normalisation a model uses.
type NormKind string

// RMSNorm divides by the root mean square; LayerNorm subtracts the mean first and has a bias.
const (
	RMSNorm   NormKind = "rms"
	LayerNorm NormKind = "layer"
)

// Layer is one decoder layer: mixer, then feed-forward.
type Layer struct {
	// PostNorm: norms stand behind the branches (x + norm(f(x))) and not before them (x + f(norm(x))).
	PostNorm  bool      `json:"post_norm,omitempty"`
	Attention Attention `json:"attention"`
	Dense     *Dense    `json:"dense,omitempty"` // a plain feed-forward; nil in a mixture layer
	MoE       *MoE      `json:"moe,omitempty"`   // a mixture of experts; nil in a dense layer
}

// Attention describes grouped-query attention.
type Attention struct {
	Heads   int     `json:"heads"`
	KVHeads int     `json:"kv_heads"` // divides Heads
	HeadDim int     `json:"head_dim"` // D, even
	QKVBias bool    `json:"qkv_bias,omitempty"`
	OBias   bool    `json:"o_bias,omitempty"`
	QKNorm  QKNorm  `json:"qk_norm,omitempty"`
	Clip    float32 `json:"clip,omitempty"`   // q, k and v are clamped to ±Clip after the norm; 0: not
	Window  int     `json:"window,omitempty"` // position i sees j with i-j < Window; 0: all
	Scale   float32 `json:"scale,omitempty"`  // of q·k; 0 means 1/sqrt(HeadDim)
}

// QKNorm says how queries and keys are normalised before the rotary embedding.
type QKNorm string

// QKNormHead has a weight [D] for each head alone; QKNormFull one of the whole projection's width.
const (
	QKNormNone QKNorm = ""
	QKNormHead QKNorm = "head"
	QKNormFull QKNorm = "full"
)

// Dense is a gated feed-forward of one width.
type Dense struct {
	Width int                `json:"width"`
	Bias  bool               `json:"bias,omitempty"`
	Act   kernels.Activation `json:"act"`
}

// MoE is a mixture layer: the gate as data, and the experts and shared experts around it.
type MoE struct {
	Gate  moe.GateSpec  `json:"gate"`
	Block moe.BlockSpec `json:"block"`
	Width int           `json:"width"` // I, of one expert
}

// Limits that config values are held to before they size anything.
const (
	maxDim     = 1 << 20 // widths
	maxVocab   = 1 << 24
	maxLayers  = 4096
	maxHeads   = 4096
	maxExperts = 1 << 16
	maxContext = 1 << 30
)

// Validate checks what single fields cannot: divisibility, parity, presence. It reports every fault, each with field,
// want and found.
func (s *Spec) Validate() error {
	var faults []string
	bad := func(field, want string, found any) {
		faults = append(faults, fmt.Sprintf("%s: want %s, found %v", field, want, found))
	}
	if len(s.Layers) == 0 {
		bad("layers", "at least 1", 0)
	}
	for i := range s.Layers {
		l := &s.Layers[i]
		l.validate(func(field, want string, found any) { bad(fmt.Sprintf("layer %d: %s", i, field), want, found) })
	}
	if err := s.Rope.validate(); err != nil {
		faults = append(faults, err.Error())
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrSpec, strings.Join(faults, "; "))
	}
	return nil
}

func (l *Layer) validate(bad func(field, want string, found any)) {
	a := &l.Attention
	if a.KVHeads == 0 || a.Heads%a.KVHeads != 0 {
		bad("num_attention_heads", fmt.Sprintf("a multiple of num_key_value_heads %d", a.KVHeads), a.Heads)
	}
	if a.HeadDim%2 != 0 || a.HeadDim == 0 {
		bad("head_dim", "an even number", a.HeadDim)
	}
	if (l.Dense == nil) == (l.MoE == nil) {
		bad("feed-forward", "either dense or a mixture", "both or none")
	}
	if l.MoE != nil {
		if err := l.MoE.Gate.Validate(); err != nil {
			bad("gate", "a valid gate", err)
		}
	}
}

// MoELayers lists the indices of the layers that are mixtures of experts.
func (s *Spec) MoELayers() []int {
	var out []int
	for i := range s.Layers {
		if s.Layers[i].MoE != nil {
			out = append(out, i)
		}
	}
	return out
}
