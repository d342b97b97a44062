package model

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// writeIndex says which shard holds which tensor, where there are several.
func (q *quantizer) writeIndex(dir string) error {
	if len(q.shards) == 1 {
		return nil
	}
	var index struct {
		Metadata struct {
			Size int64 `json:"total_size"`
		} `json:"metadata"`
		Weights map[string]string `json:"weight_map"`
	}
	index.Metadata.Size, index.Weights = q.total, map[string]string{}
	for i, s := range q.shards {
		for _, p := range s.plan {
			index.Weights[p.Name] = q.shardName(i)
		}
	}
	return writeJSON(filepath.Join(dir, "model.safetensors.index.json"), index)
}

// writeConfig copies config.json key by key, as it stands, and says how the weights are packed.
func (q *quantizer) writeConfig(dir string) error {
	config := q.m.ckpt.Config()
	var b strings.Builder
	b.WriteString("{\n")
	for _, key := range config.Keys() {
		if key != quantKey {
			k, _ := json.Marshal(key) // strings always marshal
			fmt.Fprintf(&b, "  %s: %s,\n", k, config.Raw(key))
		}
	}
	entry, _ := json.Marshal(newQuantConfig(q.o.Scheme))
	fmt.Fprintf(&b, "  %q: %s\n}\n", quantKey, entry)
	return writeFile(filepath.Join(dir, "config.json"), []byte(b.String()))
}

func writeJSON(path string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(path, append(data, '\n'))
}

func writeFile(path string, data []byte) error {
	if err := os.WriteFile(path, data, 0o666); err != nil {
		return fmt.Errorf("%s: cannot be written: %w", filepath.Base(path), pathCause(err))
	}
	return nil
}

// copied are the endings of files that go along: tokenizer, chat template, generation config, card, licence.
func copied(name string) bool {
	if name == "config.json" || strings.HasSuffix(name, ".index.json") {
		return false
	}
	upper := strings.ToUpper(name)
	return slices.Contains([]string{".json", ".jinja", ".txt", ".model", ".md"}, filepath.Ext(name)) ||
		strings.HasPrefix(upper, "LICENSE") || strings.HasPrefix(upper, "NOTICE")
}

// copyOthers copies the small files of the folder.
func (q *quantizer) copyOthers(dir string) error {
	entries, err := os.ReadDir(q.src)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(q.src, e.Name())); err != nil || !info.Mode().IsRegular() || !copied(e.Name()) {
			continue
		}
		data, err := q.m.ckpt.ReadFile(e.Name())
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, e.Name()), data); err != nil {
			return err
		}
	}
	return nil
}
