package moe

// RouterInput is axis 1.
type RouterInput string

// What the router reads: the block's input x; x / sqrt(mean(x²)+eps) · vector · H^-½ (gemma4); a state that the layer
// before hands on (zaya), which needs a [Gate] of its own.
const (
	InputBlock   RouterInput = ""
	InputNormed  RouterInput = "normed"
	InputCarried RouterInput = "carried"
)

// Compute is axis 3: products accumulate in f32 always; ComputeBF16 and ComputeF16 round the logits as a reference run
// in that type does.
type Compute string

// Rounding of router logits.
const (
	ComputeF32  Compute = ""
	ComputeBF16 Compute = "bf16"
	ComputeF16  Compute = "f16"
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

// Groups is axis 8: the experts stand in N groups of equal size; the Keep best groups stay, ties to the lower group.
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

// A token's weights: as they are; divided by their sum; divided by their p-norm; divided by their sum and that of the
// shared slots' scores (inkling).
const (
	NormNone   WeightNorm = "none"
	NormSum    WeightNorm = "sum"
	NormPow    WeightNorm = "pnorm"
	NormShared WeightNorm = "sum_shared"
)

// NullKind says what a null expert contributes.
type NullKind string

// Null experts: the identity adds weight·x (longcat), zero adds nothing (zaya).
const (
	NullIdentity NullKind = "identity"
	NullZero     NullKind = "zero"
)
