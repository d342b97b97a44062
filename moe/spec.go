package moe

import (
	"errors"
	"fmt"
	"strings"
)

// ErrGate is returned for a gate specification, or an override of one, that cannot work.
var ErrGate = errors.New("bad gate")

// GateSpec says what a gate does, as data: the twelve axes to which the gates of all known families reduce, per layer,
// resolved when a checkpoint is opened. The zero value of an axis is the plain choice.
type GateSpec struct {
	Experts int `json:"experts"` // E routed experts, not counting null experts
	TopK    int `json:"top_k"`   // K

	Input      RouterInput `json:"input,omitempty"`       // 1: what the router reads
	Bias       bool        `json:"bias,omitempty"`        // 2: the router's linear map has a bias
	Compute    Compute     `json:"compute,omitempty"`     // 3: rounding of the logits
	Softcap    float32     `json:"softcap,omitempty"`     // 4: l → c·tanh(l/c); 0: none
	Score      Score       `json:"score"`                 // 5: logits → scores
	Select     Select      `json:"select"`                // 6: how experts are chosen
	ChoiceBias bool        `json:"choice_bias,omitempty"` // 7: a vector is added to the scores for the choice only
	Groups     *Groups     `json:"groups,omitempty"`      // 8: only experts of the best groups may be chosen
	WeightFrom WeightFrom  `json:"weight_from"`           // 9: what the weights are made of
	Norm       WeightNorm  `json:"norm"`                  // 10: how a token's weights are normalised
	NormEps    float32     `json:"norm_eps,omitempty"`    //     added to the sum
	NormFloor  float32     `json:"norm_floor,omitempty"`  //     the sum is at least this
	NormP      float32     `json:"norm_p,omitempty"`      //     p of the p-norm
	Scale      float32     `json:"scale,omitempty"`       // 11: weights are multiplied by it; 0 means 1
	SumScale   float32     `json:"sum_scale,omitempty"`   //     the routed sum is multiplied by it; 0 means 1
	PerExpert  bool        `json:"per_expert,omitempty"`  //     a vector [E] multiplies the weights
	ApplyInput bool        `json:"apply_input,omitempty"` // 12: the weight multiplies the expert's input, not its output

	Null     int      `json:"null,omitempty"`      // experts with ids E…E+Null-1 that hold no weights
	NullKind NullKind `json:"null_kind,omitempty"` // and what they contribute
	Jitter   float32  `json:"jitter,omitempty"`    // SparseMixer: two experts within 2·Jitter of each other tie
}

// RouterInput is axis 1.
type RouterInput string

// What the router reads: the block's input, or (gemma4) that input under an RMSNorm of its own.
const (
	InputBlock  RouterInput = ""
	InputNormed RouterInput = "normed"
)

// Compute is axis 3: products accumulate in f32 always; ComputeBF16 rounds the logits to bf16 as a reference run in
// bf16 does.
type Compute string

// Rounding of router logits.
const (
	ComputeF32  Compute = ""
	ComputeBF16 Compute = "bf16"
)

// Score is axis 5.
type Score string

// Score functions of a logit: softmax over all experts, sigmoid, sqrt(softplus), the logit itself.
const (
	ScoreSoftmax      Score = "softmax"
	ScoreSigmoid      Score = "sigmoid"
	ScoreSqrtSoftplus Score = "sqrtsoftplus"
	ScoreIdentity     Score = "identity"
)

// Select is axis 6.
type Select string

// Selectors: the K best; SparseMixer's two (phimoe); a fixed table by token id (deepseek_v4's first layers).
const (
	SelectTopK        Select = "topk"
	SelectSparseMixer Select = "sparsemixer"
	SelectTable       Select = "table"
)

// Groups is axis 8: the experts stand in N groups of equal size; the Keep best groups stay.
type Groups struct {
	N        int        `json:"n"`
	Keep     int        `json:"keep"`
	Agg      GroupScore `json:"agg"`
	FillZero bool       `json:"fill_zero,omitempty"` // others' choice scores become 0 (deepseek_v2) and not -inf
}

// GroupScore says how a group is scored.
type GroupScore string

// A group's score: its best expert, or the sum of its two best.
const (
	GroupMax     GroupScore = "max"
	GroupTop2Sum GroupScore = "top2sum"
)

// WeightFrom is axis 9.
type WeightFrom string

// What a chosen expert's weight is made of: its score; the softmax over the chosen logits; the sigmoid of its logit.
const (
	FromScore           WeightFrom = "score"
	FromSoftmaxSelected WeightFrom = "softmax_selected"
	FromSigmoidSelected WeightFrom = "sigmoid_selected"
)

// WeightNorm is axis 10.
type WeightNorm string

// A token's weights: as they are; divided by their sum; divided by their p-norm.
const (
	NormNone WeightNorm = "none"
	NormSum  WeightNorm = "sum"
	NormPow  WeightNorm = "pnorm"
)

// NullKind says what a null expert contributes.
type NullKind string

// Null experts: the identity adds weight·x (longcat), zero adds nothing (zaya).
const (
	NullIdentity NullKind = "identity"
	NullZero     NullKind = "zero"
)

// Slots is the number of router outputs: routed and null experts.
func (g *GateSpec) Slots() int { return g.Experts + g.Null }

// Validate checks ranges and combinations; every fault names the field, what was wanted and what was found.
func (g *GateSpec) Validate() error {
	var f faults
	f.want(g.Experts > 0, "experts", "1 or more", g.Experts)
	f.want(g.TopK >= 1 && g.TopK <= max(g.Slots(), 1), "topk", fmt.Sprintf("1 to %d", g.Slots()), g.TopK)
	f.oneOf("input", g.Input, InputBlock, InputNormed)
	f.oneOf("compute", g.Compute, ComputeF32, ComputeBF16)
	f.oneOf("score", g.Score, ScoreSoftmax, ScoreSigmoid, ScoreSqrtSoftplus, ScoreIdentity)
	f.oneOf("select", g.Select, SelectTopK, SelectSparseMixer, SelectTable)
	f.oneOf("weight_from", g.WeightFrom, FromScore, FromSoftmaxSelected, FromSigmoidSelected)
	f.oneOf("norm", g.Norm, NormNone, NormSum, NormPow)
	f.want(finite(g.Softcap) && g.Softcap >= 0, "softcap", "0 or more", g.Softcap)
	f.want(finite(g.NormEps) && g.NormEps >= 0, "norm_eps", "0 or more", g.NormEps)
	f.want(finite(g.NormFloor) && g.NormFloor >= 0, "norm_floor", "0 or more", g.NormFloor)
	f.want(finite(g.Scale) && finite(g.SumScale), "scale", "a finite number", g.Scale)
	f.want(finite(g.Jitter) && g.Jitter >= 0, "jitter", "0 or more", g.Jitter)
	f.want(g.Norm != NormPow || g.NormP > 0, "norm_p", "more than 0", g.NormP)
	f.want(g.Select != SelectSparseMixer || g.TopK <= 2, "topk", "1 or 2 with sparsemixer", g.TopK)
	f.want(g.Null >= 0, "null", "0 or more", g.Null)
	if g.Null > 0 {
		f.oneOf("null_kind", g.NullKind, NullIdentity, NullZero)
	}
	if r := g.Groups; r != nil {
		f.want(r.N > 0 && g.Experts%max(r.N, 1) == 0, "groups.n", fmt.Sprintf("a divisor of %d experts", g.Experts), r.N)
		f.want(r.Keep > 0 && r.Keep <= r.N, "groups.keep", fmt.Sprintf("1 to %d", r.N), r.Keep)
		f.oneOf("groups.agg", r.Agg, GroupMax, GroupTop2Sum)
		room := r.Keep * (g.Experts / max(r.N, 1))
		f.want(g.TopK <= room || r.FillZero, "topk", fmt.Sprintf("at most the %d experts of the kept groups", room), g.TopK)
	}
	return f.err()
}

type faults []string

func (f *faults) want(ok bool, field, want string, found any) {
	if !ok {
		*f = append(*f, fmt.Sprintf("%s: want %s, found %v", field, want, found))
	}
}

func (f *faults) oneOf(field string, found any, allowed ...any) {
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if a == found {
			return
		}
		names[i] = fmt.Sprintf("%q", a)
	}
	f.want(false, field, "one of "+strings.Join(names, ", "), fmt.Sprintf("%q", found))
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrGate, strings.Join(f, "; "))
}

func finite(v float32) bool { return v-v == 0 }

// String prints the gate in the language of overrides, axes at their plain choice left out.
func (g *GateSpec) String() string {
	parts := []string{fmt.Sprintf("topk=%d", g.TopK), "score=" + string(g.Score)}
	add := func(on bool, format string, v any) {
		if on {
			parts = append(parts, fmt.Sprintf(format, v))
		}
	}
	add(g.Select != SelectTopK, "select=%s", g.Select)
	add(g.WeightFrom != FromScore, "weight=%s", g.WeightFrom)
	parts = append(parts, "norm="+map[WeightNorm]string{NormSum: "on", NormPow: "pnorm"}[g.Norm])
	if g.Norm == NormNone {
		parts[len(parts)-1] = "norm=off"
	}
	add(g.NormEps != 0, "norm_eps=%g", g.NormEps)
	add(g.Scale != 0 && g.Scale != 1, "scale=%g", g.Scale)
	add(g.SumScale != 0 && g.SumScale != 1, "sum_scale=%g", g.SumScale)
	add(g.Softcap != 0, "softcap=%g", g.Softcap)
	add(g.Compute != ComputeF32, "compute=%s", g.Compute)
	add(g.Select == SelectSparseMixer, "jitter=%g", g.Jitter)
	add(g.ChoiceBias, "choice_bias=%t", true)
	add(g.ApplyInput, "apply=%s", "input")
	if r := g.Groups; r != nil {
		parts = append(parts, fmt.Sprintf("groups=%d/%d:%s", r.Keep, r.N, r.Agg))
	}
	add(g.Null > 0, "null=%d", g.Null)
	return strings.Join(parts, ";")
}
