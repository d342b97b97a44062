package prune

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Write makes the folder dst of the checkpoint in src with the experts that stay. It is written beside its place, opened
// once, and renamed: after an error nothing is left. dst must not exist, or be empty.
func Write(ctx context.Context, src fs.FS, ckpt *loader.Checkpoint, dst string, keep Keep) (err error) {
	if list, err := os.ReadDir(dst); err == nil && len(list) > 0 {
		return fmt.Errorf("%w: %s: want a new or empty folder, found %d files", ErrPrune, dst, len(list))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dst)), ".switchyard-prune-*")
	if err != nil {
		return fmt.Errorf("%s: cannot be written: %w", dst, err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return config(ckpt, filepath.Join(tmp, "config.json"), keep) },
		func() error { return others(src, tmp) },
		func() error { return weights(ctx, ckpt, filepath.Join(tmp, "model.safetensors"), keep) },
		func() error { return opens(tmp) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	_ = os.Remove(dst) // an empty folder
	return os.Rename(tmp, dst)
}

// opens makes sure that every tensor is as the new config says.
func opens(dir string) error {
	m, err := model.Open(dir, model.Options{Threads: 1})
	if err != nil {
		return fmt.Errorf("%w: the result does not open: %w", ErrPrune, err)
	}
	return m.Close()
}

// config writes config.json with another number of experts; every other key keeps its text and place.
func config(ckpt *loader.Checkpoint, path string, keep Keep) error {
	f := ckpt.Config()
	n := 0
	for _, list := range keep {
		n = len(list)
	}
	var out strings.Builder
	changed := false
	for i, key := range f.Keys() {
		k, _ := json.Marshal(key) // a string always marshals
		raw := f.Raw(key)
		if slices.Contains([]string{"num_experts", "num_local_experts", "n_routed_experts"}, key) {
			raw, changed = json.RawMessage(strconv.Itoa(n)), true
		}
		out.WriteString(map[bool]string{true: "{\n  ", false: ",\n  "}[i == 0])
		out.Write(k)
		out.WriteString(": ")
		out.Write(raw)
	}
	if !changed {
		return fmt.Errorf("%w: config.json: want num_experts, num_local_experts or n_routed_experts, found none", ErrPrune)
	}
	return os.WriteFile(path, []byte(out.String()+"\n}\n"), 0o666)
}

// others copies what is no weights: tokenizer, templates, generation config.
func others(src fs.FS, dir string) error {
	list, err := fs.ReadDir(src, ".")
	if err != nil {
		return err
	}
	for _, e := range list {
		name := e.Name()
		ext := filepath.Ext(name)
		if e.IsDir() || name == "config.json" || !slices.Contains([]string{".json", ".txt", ".jinja", ".model"}, ext) ||
			strings.HasSuffix(name, ".index.json") {
			continue
		}
		data, err := fs.ReadFile(src, name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// part is a tensor of the result: rows of one of the source, all of them where rows is nil.
type part struct {
	loader.Planned
	from *tensor.Tensor
	rows []int
}

func weights(ctx context.Context, ckpt *loader.Checkpoint, path string, keep Keep) error {
	var parts []part
	var plan []loader.Planned
	for _, name := range ckpt.Names() {
		t, _ := ckpt.Tensor(name)
		p, stays, err := partOf(name, t, keep)
		if err != nil {
			return err
		}
		if stays {
			parts, plan = append(parts, p), append(plan, p.Planned)
		}
	}
	out, err := loader.Create(path, plan, ckpt.Metadata())
	if err != nil {
		return err
	}
	defer out.Abort()
	for _, p := range parts {
		if err := p.put(ctx, out); err != nil {
			return err
		}
	}
	return out.Commit()
}

func (p *part) put(ctx context.Context, out *loader.Stream) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.rows == nil {
		return out.Put(p.Name, 0, p.from.Data)
	}
	for i, row := range p.rows {
		if err := out.Put(p.Name, i, p.from.Rows(row, row+1).Data); err != nil {
			return err
		}
	}
	return nil
}

// Names of tensors, as the loader's layouts and the families have them. The number of the layer comes first.
var (
	inLayer   = regexp.MustCompile(`\blayers\.(\d+)\.`)
	perExpert = regexp.MustCompile(`^(.*\bexperts\.)(\d+)(\..*)$`)
	fused     = regexp.MustCompile(`\b(experts\.(gate_up_proj|down_proj)(_bias)?|(block_sparse_moe|mlp)\.(input|output)_linear\.weight)$`)
	router    = regexp.MustCompile(`\.(gate|router|router\.layer)\.(weight|bias|e_score_correction_bias)$|\.e_score_correction_bias$`)
)

// partOf says what becomes of a tensor. One that speaks of experts in a way that is not known is refused, so that none is
// left as it was by mistake.
func partOf(name string, t *tensor.Tensor, keep Keep) (p part, stays bool, err error) {
	p = part{Planned: loader.Planned{Name: name, DType: t.DType, Shape: t.Shape}, from: t}
	m := inLayer.FindStringSubmatch(name)
	if m == nil {
		return p, true, nil
	}
	layer, err := strconv.Atoi(m[1])
	list, mixture := keep[layer]
	if err != nil || !mixture {
		return p, true, nil
	}
	if m := perExpert.FindStringSubmatch(name); m != nil {
		e, err := strconv.Atoi(m[2])
		at := slices.Index(list, e)
		p.Name = m[1] + strconv.Itoa(at) + m[3]
		return p, err == nil && at >= 0, nil
	}
	if fused.MatchString(name) || router.MatchString(name) {
		if len(t.Shape) == 0 || list[len(list)-1] >= t.Shape[0] {
			return p, false, fmt.Errorf("%w: %s: want a row for each expert, found %v", ErrPrune, name, t.Shape)
		}
		p.rows, p.Shape = list, append(tensor.Shape{len(list)}, t.Shape[1:]...)
		return p, true, nil
	}
	if strings.Contains(name, "expert") && !strings.Contains(name, "shared_expert") {
		return p, false, fmt.Errorf("%w: %s: want the tensors of a known layout of experts", ErrPrune, name)
	}
	return p, true, nil
}
