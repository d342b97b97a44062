package moe

// GateSpec says what a gate does, as data: the twelve axes to which the gates of all known families reduce, per layer,
// resolved when a checkpoint is opened. The zero value of an axis is the plain choice. Vectors that belong to an axis
// are in [RouterWeights].
type GateSpec struct {
	Experts int `json:"experts"` // E routed experts, not counting null experts
	TopK    int `json:"top_k"`   // K

	Input       RouterInput `json:"input,omitempty"`        // 1: what the router reads
	InputEps    float32     `json:"input_eps,omitempty"`    //    of InputNormed
	Bias        bool        `json:"bias,omitempty"`         // 2: the router's linear map has a bias
	Compute     Compute     `json:"compute,omitempty"`      // 3: rounding of the logits
	Softcap     float32     `json:"softcap,omitempty"`      // 4: l → c·tanh(l/c); 0: none
	Score       Score       `json:"score"`                  // 5: logits → scores
	Select      Select      `json:"select"`                 // 6: how experts are chosen
	ChoiceBias  bool        `json:"choice_bias,omitempty"`  // 7: a vector is added to the scores for the choice only
	Groups      *Groups     `json:"groups,omitempty"`       // 8: only experts of the best groups may be chosen
	WeightFrom  WeightFrom  `json:"weight_from"`            // 9: what the weights are made of
	Norm        WeightNorm  `json:"norm"`                   // 10: how a token's weights are normalised
	NormEps     float32     `json:"norm_eps,omitempty"`     //     added to the sum
	NormFloor   float32     `json:"norm_floor,omitempty"`   //     the sum is at least this
	NormP       float32     `json:"norm_p,omitempty"`       //     p of the p-norm
	SharedSlots int         `json:"shared_slots,omitempty"` //     S logits behind the experts', of NormShared
	Scale       float32     `json:"scale,omitempty"`        // 11: weights are multiplied by it; 0 means 1
	SumScale    float32     `json:"sum_scale,omitempty"`    //     the routed sum is multiplied by it; 0 means 1
	PerExpert   bool        `json:"per_expert,omitempty"`   //     a vector [E+Null] multiplies the weights
	ApplyInput  bool        `json:"apply_input,omitempty"`  // 12: the weight multiplies the expert's input, not its output

	Null     int      `json:"null,omitempty"`      // experts with ids E…E+Null-1 that hold no weights
	NullKind NullKind `json:"null_kind,omitempty"` // and what they contribute
	Jitter   float32  `json:"jitter,omitempty"`    // SparseMixer: two experts within 2·Jitter of each other tie
}

// Slots is how many experts can be chosen from: routed and null experts.
func (g *GateSpec) Slots() int { return g.Experts + g.Null }

// Logits is the number of router outputs: one for each slot, then the shared slots.
func (g *GateSpec) Logits() int { return g.Slots() + g.SharedSlots }

// scale is the factor of the weights.
func (g *GateSpec) scale() float32 {
	if g.Scale == 0 {
		return 1
	}
	return g.Scale
}

// FallingWeights says that the order of choice is always that of weights that do not rise.
func (g *GateSpec) FallingWeights() bool {
	return g.Select == SelectTopK && !g.ChoiceBias && !g.PerExpert && g.Groups == nil && g.scale() > 0 &&
		g.NormP == 0 && (g.Score != ScoreIdentity || g.WeightFrom != FromScore)
}
