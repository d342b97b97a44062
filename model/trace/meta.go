package trace

import (
	"encoding/json"
	"fmt"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Format names the layout of the file; it changes when that does.
const Format = "switchyard-trace-1"

// metadata is what the header says of a run.
func metadata(m *model.Model, texts []Text, o Options) map[string]string {
	gates := map[string]moe.GateSpec{}
	for _, l := range m.Spec().MoELayers() {
		gates[fmt.Sprint(l)] = m.Spec().Layers[l].MoE.Gate
	}
	labels := make([]string, len(texts))
	for i, t := range texts {
		labels[i] = t.Label
	}
	return map[string]string{
		"format": Format, "version": model.Version, "family": m.Spec().Family, "level": m.Level(),
		"gate": asJSON(gates), "gate_override": o.Gate, "labels": asJSON(labels), "seed": "0",
		"model_hash": m.Hash(), "tokenizer_hash": m.TokenizerHash(),
	}
}

func asJSON(v any) string {
	b, _ := json.Marshal(v) // maps of plain data always marshal
	return string(b)
}
