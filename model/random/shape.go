package random

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Shape is the dimensions of a model that random weights are made for.
type Shape struct {
	Name    string
	Family  string // model_type: llama, olmoe, qwen3_moe or mixtral
	Layers  int
	Hidden  int
	Heads   int
	KVHeads int
	HeadDim int
	Experts int // 0: dense
	TopK    int
	Width   int // of an expert, or of the dense feed-forward
	Vocab   int
	Context int
	Eps     float64
	Theta   float64 // of the rotary embedding
	Tied    bool
}

// Shapes lists the named shapes. Dimensions are those of the published configurations, with fewer layers where the name says
// so. The shapes e8 to e512 are h1024-l12-e64-k8-i512 with another number of experts: what works on a token stays the same.
func Shapes() []Shape {
	olmoe := Shape{
		Name: "olmoe-1b-7b", Family: "olmoe", Layers: 16, Hidden: 2048, Heads: 16, KVHeads: 16, HeadDim: 128,
		Experts: 64, TopK: 8, Width: 1024, Vocab: 50304, Context: 4096, Eps: 1e-5, Theta: 1e4,
	}
	small := Shape{
		Name: "h1024-l12-e64-k8-i512", Family: "qwen3_moe", Layers: 12, Hidden: 1024, Heads: 16, KVHeads: 4, HeadDim: 64,
		Experts: 64, TopK: 8, Width: 512, Vocab: 32000, Context: 32768, Eps: 1e-6, Theta: 1e6,
	}
	list := []Shape{
		olmoe, olmoe.cut("olmoe-1b-7b-4l", 4),
		{
			Name: "qwen3-30b-a3b-8l", Family: "qwen3_moe", Layers: 8, Hidden: 2048, Heads: 32, KVHeads: 4, HeadDim: 128,
			Experts: 128, TopK: 8, Width: 768, Vocab: 151936, Context: 40960, Eps: 1e-6, Theta: 1e6,
		},
		{
			Name: "smollm2-135m", Family: "llama", Layers: 30, Hidden: 576, Heads: 9, KVHeads: 3, HeadDim: 64,
			Width: 1536, Vocab: 49152, Context: 8192, Eps: 1e-5, Theta: 1e5, Tied: true,
		},
		{
			Name: "mixtral-8x7b-2l", Family: "mixtral", Layers: 2, Hidden: 4096, Heads: 32, KVHeads: 8, HeadDim: 128,
			Experts: 8, TopK: 2, Width: 14336, Vocab: 32000, Context: 32768, Eps: 1e-5, Theta: 1e6,
		},
		small,
	}
	for e := 8; e <= 512; e *= 2 {
		s := small
		s.Name, s.Experts = fmt.Sprintf("e%d", e), e
		list = append(list, s)
	}
	return list
}

func (s Shape) cut(name string, layers int) Shape {
	s.Name, s.Layers = name, layers
	return s
}

// Parameters is how many values the model has; a tied head counts once.
func (s Shape) Parameters() int64 {
	n := int64(0)
	for _, p := range s.plan() {
		n += int64(p.elems())
	}
	return n
}

// Find is the shape of a name.
func Find(name string) (Shape, error) {
	list := Shapes()
	if i := slices.IndexFunc(list, func(s Shape) bool { return s.Name == name }); i >= 0 {
		return list[i], nil
	}
	return Shape{}, fmt.Errorf("no shape is called %q, want one of %s", name, strings.Join(Names(), ", "))
}

// Names lists the names of the shapes.
func Names() []string {
	var names []string
	for _, s := range Shapes() {
		names = append(names, s.Name)
	}
	return names
}

// config is the text of the shape's config.json.
func (s *Shape) config() ([]byte, error) {
	c := map[string]any{
		"model_type": s.Family, "num_hidden_layers": s.Layers, "hidden_size": s.Hidden, "num_attention_heads": s.Heads,
		"num_key_value_heads": s.KVHeads, "head_dim": s.HeadDim, "intermediate_size": s.Width, "vocab_size": s.Vocab,
		"max_position_embeddings": s.Context, "rms_norm_eps": s.Eps, "rope_theta": s.Theta, "hidden_act": "silu",
		"tie_word_embeddings": s.Tied,
	}
	switch s.Family {
	case "olmoe", "qwen3_moe":
		c["num_experts"], c["num_experts_per_tok"] = s.Experts, s.TopK
		c["moe_intermediate_size"], c["norm_topk_prob"] = s.Width, s.Family == "qwen3_moe"
	case "mixtral":
		c["num_local_experts"], c["num_experts_per_tok"] = s.Experts, s.TopK
	}
	return json.Marshal(c)
}
