package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/loader"
)

// family is what a model_type brings: config.json → Spec, and tensor names → weights.
type family struct {
	spec func(c *loader.Fields) *Spec
	bind func(b *binder, s *Spec, w *Weights)
}

// families maps model_type to its family. It is a function so that no package state can be changed.
func families() map[string]family {
	return map[string]family{
		"llama":            {specLlama, bindLlama},
		"mistral":          {specMistral, bindLlama},
		"qwen2":            {specQwen2, bindLlama},
		"qwen3":            {specQwen3, bindLlama},
		"mixtral":          {specMixtral, bindMixtral},
		"olmoe":            {specOLMoE, bindQwenMoE},
		"qwen2_moe":        {specQwen2MoE, bindQwenMoE},
		"qwen3_moe":        {specQwen3MoE, bindQwenMoE},
		"granitemoe":       {specGraniteMoE, bindGraniteMoE},
		"granitemoeshared": {specGraniteMoEShared, bindGraniteMoE},
		"phimoe":           {specPhiMoE, bindMixtral},
		"flex_olmo":        {specFlexOlmo, bindQwenMoE},
	}
}

// Families lists the supported values of model_type, sorted.
func Families() []string { return slices.Sorted(maps.Keys(families())) }

// readSpec resolves config.json and generation_config.json to a validated Spec.
func readSpec(c *loader.Checkpoint) (*Spec, family, error) {
	f := c.Config()
	name := f.String("model_type")
	if err := f.Err(); err != nil {
		return nil, family{}, err
	}
	fam, ok := families()[name]
	if !ok {
		if _, encoder := encoderFamilies()[name]; encoder {
			return nil, family{}, fmt.Errorf("config.json: %w %q for text generation: it is an encoder (embed, classify)", ErrFamily, name)
		}
		return nil, family{}, fmt.Errorf("config.json: %w %q, want one of %s", ErrFamily, name, strings.Join(Families(), ", "))
	}
	s := fam.spec(f)
	s.Family = name
	readEnds(s, f, c.GenerationConfig())
	if err := f.Err(); err != nil {
		return nil, fam, err
	}
	if err := s.Validate(); err != nil {
		return nil, fam, fmt.Errorf("config.json: %w", err)
	}
	return s, fam, nil
}

// readEnds takes begin and end ids from generation_config.json, or from config.json where that has none. Ids outside
// the vocabulary are dropped: published files hold some, and no token can match them.
func readEnds(s *Spec, config, generation *loader.Fields) {
	ids := func(key string) []int32 {
		for _, f := range []*loader.Fields{generation, config} {
			var out []int32
			for _, id := range f.IntsOrInt(key) {
				if id >= 0 && id < s.Vocab {
					out = append(out, int32(id))
				}
			}
			if len(out) > 0 {
				return out
			}
		}
		return nil
	}
	s.BOS, s.EOS = ids("bos_token_id"), ids("eos_token_id")
	if err := generation.Err(); err != nil {
		config.Fail("eos_token_id", "a readable generation_config.json", err.Error())
	}
}
