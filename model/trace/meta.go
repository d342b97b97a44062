package trace

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
)

// Format names the layout of the file; it changes when that does.
const Format = model.TraceFormat

// metadata is what the header says of a run: enough to repeat it bit for bit.
func metadata(m *model.Model, texts []Text) (map[string]string, error) {
	gates, edits := map[string]moe.GateSpec{}, map[string]string{}
	for i, v := range m.Gates(nil) {
		if v == nil {
			continue
		}
		gates[fmt.Sprint(i)] = v.Spec
		if v.Edits != "" {
			edits[fmt.Sprint(i)] = v.Edits
		}
	}
	labels := make([]string, len(texts))
	for i, t := range texts {
		labels[i] = t.Label
	}
	p, err := moe.ParseProgram(m.GateText())
	if err != nil {
		return nil, err
	}
	files, err := hashes(p.Edits)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"quant": m.Quant(), "compute": m.Compute(),
		"format": Format, "version": model.Version, "family": m.Spec().Family, "level": m.Level(),
		"gate": asJSON(gates), "gate_override": m.GateText(), "interventions": asJSON(edits), "gate_files": asJSON(files),
		"labels": asJSON(labels), "seed": fmt.Sprint(p.Edits.Seed()),
		"model_hash": m.Hash(), "tokenizer_hash": m.TokenizerHash(),
	}, nil
}

// hashes are the SHA-256 of the files that a gate names.
func hashes(edits moe.Interventions) (map[string]string, error) {
	out := map[string]string{}
	for _, key := range []string{"file", "replay"} {
		for _, path := range edits.Paths(key) {
			f, err := os.Open(strings.TrimSuffix(path, ",any"))
			if err != nil {
				return nil, err
			}
			h := sha256.New()
			_, err = io.Copy(h, f)
			f.Close()
			if err != nil {
				return nil, err
			}
			out[path] = hex.EncodeToString(h.Sum(nil))
		}
	}
	return out, nil
}

func asJSON(v any) string {
	b, _ := json.Marshal(v) // maps of plain data always marshal
	return string(b)
}
