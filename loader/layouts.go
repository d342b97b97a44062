package loader

// perExpert is a layout with a tensor for each expert and matrix; %d is the expert.
// Ungated experts have no gate matrix.
type perExpert struct{ name, gate, up, down string }

// fused is a layout with one tensor for all experts: gate and up together [E,2I,H], down [E,H,I]. transposed says that
// the last two dimensions may stand the other way round.
type fused struct {
	name, gateUp, down string
	transposed         bool
}

func perExpertLayouts() []perExpert {
	return []perExpert{
		{"A", "block_sparse_moe.experts.%d.w1.weight", "block_sparse_moe.experts.%d.w3.weight", "block_sparse_moe.experts.%d.w2.weight"},
		{"A'", "feed_forward.experts.%d.w1.weight", "feed_forward.experts.%d.w3.weight", "feed_forward.experts.%d.w2.weight"},
		{"B", "mlp.experts.%d.gate_proj.weight", "mlp.experts.%d.up_proj.weight", "mlp.experts.%d.down_proj.weight"},
		{"C", "feed_forward.experts.%d.gate_proj.weight", "feed_forward.experts.%d.up_proj.weight", "feed_forward.experts.%d.down_proj.weight"},
	}
}

func ungatedLayouts() []perExpert {
	return []perExpert{
		{"C", "", "mixer.experts.%d.up_proj.weight", "mixer.experts.%d.down_proj.weight"},
		{"B", "", "mlp.experts.%d.up_proj.weight", "mlp.experts.%d.down_proj.weight"},
	}
}

func fusedLayouts() []fused {
	return []fused{
		{"D", "block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight", false},
		{"D", "mlp.input_linear.weight", "mlp.output_linear.weight", false},
		{"D'", "mlp.experts.gate_up_proj", "mlp.experts.down_proj", true},
		{"D'", "block_sparse_moe.experts.gate_up_proj", "block_sparse_moe.experts.down_proj", true},
		{"D'", "experts.gate_up_proj", "experts.down_proj", true},
		{"E", "feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj", true},
	}
}

// Layouts says what the names of layouts mean.
func Layouts() map[string]string {
	return map[string]string{
		"A": "per expert w1, w3, w2", "A'": "per expert w1, w3, w2 under feed_forward",
		"B": "per expert gate_proj, up_proj, down_proj", "C": "per expert gate_proj … under feed_forward, or up_proj, down_proj under mixer",
		"D":  "all experts in input_linear [E,2I,H], output_linear [E,H,I]",
		"D'": "all experts in gate_up_proj [E,2I,H], down_proj [E,H,I]",
		"E":  "all experts transposed: gate_up_proj [E,H,2I], down_proj [E,I,H]",
	}
}
