package random

import "fmt"

// kind says how the values of a tensor are made.
type kind uint8

const (
	norm     kind = iota // ones
	embed                // looked up, not multiplied with, unless it is the head too
	router               // drawn value by value
	inner                // a matrix whose output stays inside a branch
	toStream             // a matrix whose output is added to the residual stream
)

// planned is a tensor to be made; cols is 0 for vectors.
type planned struct {
	name       string
	kind       kind
	rows, cols int
}

func (p *planned) elems() int { return p.rows * max(p.cols, 1) }

// plan lists every tensor of the shape under the names of its family.
func (s *Shape) plan() []planned {
	list := []planned{
		{"model.embed_tokens.weight", embed, s.Vocab, s.Hidden},
		{"model.norm.weight", norm, s.Hidden, 0},
	}
	if !s.Tied {
		list = append(list, planned{"lm_head.weight", inner, s.Vocab, s.Hidden})
	}
	for i := range s.Layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		list = append(list, s.attention(at)...)
		list = append(list, s.feedForward(at)...)
	}
	return list
}

func (s *Shape) attention(at string) []planned {
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	list := []planned{
		{at + "input_layernorm.weight", norm, s.Hidden, 0},
		{at + "post_attention_layernorm.weight", norm, s.Hidden, 0},
		{at + "self_attn.q_proj.weight", inner, q, s.Hidden},
		{at + "self_attn.k_proj.weight", inner, kv, s.Hidden},
		{at + "self_attn.v_proj.weight", inner, kv, s.Hidden},
		{at + "self_attn.o_proj.weight", toStream, s.Hidden, q},
	}
	switch s.Family {
	case "olmoe":
		return append(list, planned{at + "self_attn.q_norm.weight", norm, q, 0}, planned{at + "self_attn.k_norm.weight", norm, kv, 0})
	case "qwen3_moe":
		return append(list, planned{at + "self_attn.q_norm.weight", norm, s.HeadDim, 0}, planned{at + "self_attn.k_norm.weight", norm, s.HeadDim, 0})
	}
	return list
}

func (s *Shape) feedForward(at string) []planned {
	if s.Experts == 0 {
		return s.mlp(at+"mlp.", "gate_proj", "up_proj", "down_proj")
	}
	room, names := at+"mlp.", [3]string{"gate_proj", "up_proj", "down_proj"}
	if s.Family == "mixtral" {
		room, names = at+"block_sparse_moe.", [3]string{"w1", "w3", "w2"}
	}
	list := []planned{{room + "gate.weight", router, s.Experts, s.Hidden}}
	for e := range s.Experts {
		list = append(list, s.mlp(fmt.Sprintf("%sexperts.%d.", room, e), names[0], names[1], names[2])...)
	}
	return list
}

func (s *Shape) mlp(at, gate, up, down string) []planned {
	return []planned{
		{at + gate + ".weight", inner, s.Width, s.Hidden},
		{at + up + ".weight", inner, s.Width, s.Hidden},
		{at + down + ".weight", toStream, s.Hidden, s.Width},
	}
}
