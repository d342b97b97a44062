package model

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/loader"
)

// encoderFamily is what a model_type of an encoder brings: config.json → EncoderSpec, and tensor names → weights.
type encoderFamily struct {
	spec func(c *loader.Fields) *EncoderSpec
	bind func(b *binder, s *EncoderSpec, w *encoderWeights)
}

func encoderFamilies() map[string]encoderFamily {
	return map[string]encoderFamily{
		"bert":        {specBERT, bindBERT},
		"roberta":     {specRoBERTa, bindBERT},
		"xlm-roberta": {specRoBERTa, bindBERT},
		"distilbert":  {specDistilBERT, bindDistilBERT},
		"modernbert":  {specModernBERT, bindModernBERT},
	}
}

// EncoderFamilies lists the values of model_type that [OpenEncoder] supports, sorted.
func EncoderFamilies() []string { return slices.Sorted(maps.Keys(encoderFamilies())) }

// IsEncoder says whether the config.json of a folder names an encoder, without opening the weights.
func IsEncoder(config []byte) bool {
	f, err := loader.ParseFields("config.json", config)
	if err != nil {
		return false
	}
	_, ok := encoderFamilies()[f.StringOr("model_type", "")]
	return ok
}

// readEncoderSpec resolves config.json to a validated EncoderSpec.
func readEncoderSpec(c *loader.Checkpoint) (*EncoderSpec, encoderFamily, error) {
	f := c.Config()
	name := f.String("model_type")
	if err := f.Err(); err != nil {
		return nil, encoderFamily{}, err
	}
	fam, ok := encoderFamilies()[name]
	if !ok {
		return nil, fam, fmt.Errorf("config.json: %w %q, want an encoder: one of %s", ErrFamily, name, strings.Join(EncoderFamilies(), ", "))
	}
	s := fam.spec(f)
	s.Family = name
	if err := f.Err(); err != nil {
		return nil, fam, err
	}
	s.HeadDim = s.Hidden / max(s.Heads, 1)
	if err := s.Validate(); err != nil {
		return nil, fam, fmt.Errorf("config.json: %w", err)
	}
	return s, fam, nil
}

// encoderKeys names the keys of the dimensions that all encoders have under some name.
type encoderKeys struct{ hidden, layers, heads, width, act string }

// readEncoder reads those dimensions.
func readEncoder(c *loader.Fields, k encoderKeys) *EncoderSpec {
	s := &EncoderSpec{
		Vocab:  c.Int("vocab_size", 1, maxVocab),
		Hidden: c.Int(k.hidden, 1, maxDim),
		Heads:  c.Int(k.heads, 1, maxHeads),
		Width:  c.Int(k.width, 1, maxDim),
		Act:    readActAt(c, k.act, "gelu"),
		Pad:    int32(c.IntOr("pad_token_id", 0, 0, maxVocab)),
	}
	s.Layers = make([]EncoderLayer, c.Int(k.layers, 1, maxLayers))
	return s
}

// readLabels reads the names of the classes: id2label, or as many plain ones as num_labels says (2 where nothing does).
func readLabels(c *loader.Fields) []string {
	o := c.Object("id2label")
	if o == nil {
		labels := make([]string, c.IntOr("num_labels", 2, 1, 1<<20))
		for i := range labels {
			labels[i] = fmt.Sprintf("LABEL_%d", i)
		}
		return labels
	}
	labels := make([]string, len(o.Keys()))
	for i := range labels {
		labels[i] = o.String(strconv.Itoa(i))
	}
	return labels
}

func readMultiLabel(c *loader.Fields) bool {
	return c.StringOr("problem_type", "") == "multi_label_classification"
}
