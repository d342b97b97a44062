package model

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Formats of the files that gates name, as their metadata says under "format".
const (
	TraceFormat   = "switchyard-trace-1" // routing of texts; see package trace
	OverlayFormat = "switchyard-gate-1"  // layers.N.router.weight, layers.N.choice_bias
)

// gateFiles reads what replay= and file= clauses name and given does not hold.
func (m *Model) gateFiles(edits moe.Interventions, given moe.Files) (moe.Files, error) {
	f := moe.Files{Recordings: map[string]*moe.Recording{}, Overlays: map[string]*moe.Overlay{}}
	maps.Copy(f.Recordings, given.Recordings)
	maps.Copy(f.Overlays, given.Overlays)
	for _, clause := range edits.Paths("replay") {
		if f.Recordings[clause] != nil {
			continue
		}
		path, foreign := strings.CutSuffix(clause, ",any")
		rec, err := m.readRecording(path, foreign)
		if err != nil {
			return f, fmt.Errorf("replay: %w", err)
		}
		f.Recordings[clause] = rec
	}
	for _, path := range edits.Paths("file") {
		if f.Overlays[path] != nil {
			continue
		}
		o, err := ReadOverlay(path)
		if err != nil {
			return f, fmt.Errorf("file: %w", err)
		}
		f.Overlays[path] = o
	}
	return f, nil
}

// readRecording reads a trace of this model, however quantised, or of any where foreign. It is copied, so that the file
// need not stay. Errors name the file.
func (m *Model) readRecording(path string, foreign bool) (*moe.Recording, error) {
	f, err := loader.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rec, err := m.recordingOf(f, foreign)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rec, nil
}

func (m *Model) recordingOf(f *loader.File, foreign bool) (*moe.Recording, error) {
	meta := f.Metadata()
	if meta["format"] != TraceFormat {
		return nil, fmt.Errorf("%w: want a trace (format %s), found format %q", moe.ErrReplay, TraceFormat, meta["format"])
	}
	if !foreign && !m.knows(meta["model_hash"]) {
		return nil, fmt.Errorf("%w: want a trace of this model (%.12s…; add \",any\" to take another's), found one of %.12s…", moe.ErrReplay, m.Hash(), meta["model_hash"])
	}
	if strings.Contains(meta["interventions"], "softmoe") {
		return nil, fmt.Errorf("%w: want experts that read tokens, found a soft mixture's", moe.ErrReplay)
	}
	rec, err := Recording(f)
	if err != nil {
		return nil, err
	}
	gates := make([]*moe.GateSpec, len(m.spec.Layers))
	for i := range m.spec.Layers {
		if mix := m.spec.Layers[i].MoE; mix != nil {
			gates[i] = &mix.Gate
		}
	}
	return rec, rec.Check(gates)
}

// Recording copies the routing of a trace file. Its form is not checked beyond dtypes and shapes; moe's Check does that.
func Recording(f *loader.File) (*moe.Recording, error) {
	r := &moe.Recording{}
	var ids *tensor.Tensor
	for _, x := range []struct {
		name     string
		dtype    tensor.DType
		dims     int
		optional bool
		take     func(t *tensor.Tensor)
	}{
		{"token_ids", tensor.I32, 1, false, func(t *tensor.Tensor) { r.Tokens = append(r.Tokens, t.I32s()...) }},
		{"seq_offsets", tensor.I32, 1, false, func(t *tensor.Tensor) { r.Offsets = append(r.Offsets, t.I32s()...) }},
		{"moe_layer_index", tensor.I32, 1, false, func(t *tensor.Tensor) { r.Layers = append(r.Layers, t.I32s()...) }},
		{"topk_ids", tensor.U16, 3, false, func(t *tensor.Tensor) { ids, r.K, r.Expert = t, t.Shape[2], append(r.Expert, t.U16s()...) }},
		{"topk_weights", tensor.F32, 3, false, func(t *tensor.Tensor) { r.Weight = append(r.Weight, t.F32s()...) }},
		{"topk_slots", tensor.U8, 3, true, func(t *tensor.Tensor) { r.Slot = append(r.Slot, t.Data...) }},
	} {
		t, ok := f.Tensor(x.name)
		switch {
		case !ok && x.optional:
			continue
		case !ok || t.DType != x.dtype || len(t.Shape) != x.dims:
			found := "none"
			if ok {
				found = fmt.Sprintf("%v %v", t.DType, t.Shape)
			}
			return nil, fmt.Errorf("%w: %s: want %v of %d dimensions, found %s", moe.ErrReplay, x.name, x.dtype, x.dims, found)
		}
		x.take(t)
	}
	if want := [3]int{len(r.Tokens), len(r.Layers), r.K}; [3]int(ids.Shape) != want {
		return nil, fmt.Errorf("%w: topk_ids: want %v, found %v", moe.ErrReplay, want, ids.Shape)
	}
	return r, nil
}

// ReadOverlay reads router weights and choice biases; they are copied. Whether they fit a model shows when its gates are
// compiled. Errors name the file.
func ReadOverlay(path string) (*moe.Overlay, error) {
	f, err := loader.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	o, err := overlayOf(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

func overlayOf(f *loader.File) (*moe.Overlay, error) {
	if got := f.Metadata()["format"]; got != OverlayFormat {
		return nil, fmt.Errorf("%w: want an overlay of gates (format %s), found format %q", moe.ErrGate, OverlayFormat, got)
	}
	o := &moe.Overlay{Layers: map[int]moe.OverlayLayer{}}
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		layer, what, ok := overlayName(name)
		if !ok {
			return nil, fmt.Errorf("%w: want tensors layers.N.router.weight and layers.N.choice_bias, found %q", moe.ErrGate, name)
		}
		l := o.Layers[layer]
		if err := overlayTensor(&l, what, t); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", moe.ErrGate, name, err)
		}
		o.Layers[layer] = l
	}
	return o, nil
}

func overlayName(name string) (layer int, what string, ok bool) {
	rest, ok := strings.CutPrefix(name, "layers.")
	n, what, _ := strings.Cut(rest, ".")
	layer, err := strconv.Atoi(n)
	return layer, what, ok && err == nil && layer >= 0 && (what == "router.weight" || what == "choice_bias")
}

func overlayTensor(l *moe.OverlayLayer, what string, t *tensor.Tensor) error {
	dims := map[string]int{"router.weight": 2, "choice_bias": 1}[what]
	if len(t.Shape) != dims {
		return fmt.Errorf("want %d dimensions, found shape %v", dims, t.Shape)
	}
	values := make([]float32, t.Elems())
	if err := tensor.ToF32(values, t); err != nil {
		return err
	}
	for i, v := range values {
		if v-v != 0 {
			return fmt.Errorf("want finite numbers, found %v at %d", v, i)
		}
	}
	if dims == 1 {
		l.ChoiceBias = values
		return nil
	}
	m, err := kernels.MatrixOf(tensor.FromF32(values, t.Shape...))
	l.Router = &m
	return err
}
