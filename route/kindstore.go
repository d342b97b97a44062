package route

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

//go:embed kinds.safetensors
var builtinKinds []byte

const kindsKey = "switchyard.kinds"

type kindsMeta struct {
	Labels      []string `json:"labels"`
	Temperature float64  `json:"temperature"`
	Threshold   float64  `json:"threshold"`

	ByLength [lengths]float64 `json:"thresholds"` // of prompts of 1, 2-3, 4-7, 8-15, 16-31 tokens, and more
	Mixture  string           `json:"mixture"`    // hash of its weights
}

// Save writes the router to a safetensors file: "bias" [C], "dense" [C,F], "mean" [F] and "usual" [C,F/3], all F32, the rest in
// the metadata.
func (k *Kinds) Save(path string) error {
	text, err := json.Marshal(kindsMeta{k.Labels, k.temperature, k.threshold, k.byLength, k.hash})
	if err != nil {
		return err
	}
	list := append(k.head.Tensors(""), loader.Named{Name: "mean", Tensor: tensor.FromF32(k.mean, len(k.mean))},
		loader.Named{Name: "usual", Tensor: tensor.FromF32(k.usual.Data, k.usual.Rows, k.usual.Cols)})
	return loader.Write(path, list, map[string]string{kindsKey: string(text)})
}

// BuiltinKinds is the router inside the binary; m is the built-in model.
func BuiltinKinds(m *model.Model) (*Kinds, error) {
	f, err := loader.ParseFile("kinds.safetensors", builtinKinds)
	if err != nil {
		return nil, err
	}
	return readKinds(f, m)
}

// OpenKinds opens a file that Save wrote, for the mixture that it was trained with. Errors: learn.ErrFolder, the loader's.
func OpenKinds(path string, m *model.Model) (*Kinds, error) {
	f, err := loader.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readKinds(f, m)
}

func readKinds(f *loader.File, m *model.Model) (*Kinds, error) {
	var meta kindsMeta
	if err := json.Unmarshal([]byte(f.Metadata()[kindsKey]), &meta); err != nil {
		return nil, fmt.Errorf("%w: %s: metadata %s: %w", learn.ErrFolder, f.Name(), kindsKey, err)
	}
	if len(meta.Labels) < 2 || !(meta.Temperature > 0) || !finite(meta.Temperature) || !finite(meta.Threshold) {
		return nil, fmt.Errorf("%w: %s: metadata %s: want labels and a temperature, found %d and %v", learn.ErrFolder, f.Name(), kindsKey, len(meta.Labels), meta.Temperature)
	}
	if hash := m.Hash(); hash != meta.Mixture {
		return nil, fmt.Errorf("%w: %s was trained with a model %.12s, found %.12s", learn.ErrFolder, f.Name(), meta.Mixture, hash)
	}
	k := &Kinds{Labels: meta.Labels, temperature: meta.Temperature, threshold: meta.Threshold, byLength: meta.ByLength, hash: meta.Mixture, mixture: m, layers: m.Spec().MoELayers()}
	wide := 0
	for _, i := range k.layers {
		wide += m.Spec().Layers[i].MoE.Gate.Slots()
	}
	classes := len(k.Labels)
	var err error
	if k.head, err = learn.ReadHead(f, "", classes, measures*wide, 0); err != nil {
		return nil, err
	}
	if k.mean, err = learn.ReadTensor(f, "mean", tensor.Shape{measures * wide}); err != nil {
		return nil, err
	}
	usual, err := learn.ReadTensor(f, "usual", tensor.Shape{classes, wide})
	if err != nil {
		return nil, err
	}
	k.usual = tensor.MatOf(usual, classes, wide)
	return k, nil
}
