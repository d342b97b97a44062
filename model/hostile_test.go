package model_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// changed copies a golden folder with its tensors and config keys changed.
func changed(t *testing.T, name string, weights func(map[string]*tensor.Tensor), config map[string]any) string {
	dir := t.TempDir()
	src := filepath.Join(goldens, name)
	c, err := loader.Open(src)
	require.NoError(t, err)
	defer c.Close()
	all := map[string]*tensor.Tensor{}
	for _, n := range c.Names() {
		view, _ := c.Tensor(n)
		own := tensor.New(view.DType, view.Shape...)
		copy(own.Data, view.Data)
		all[n] = own
	}
	if weights != nil {
		weights(all)
	}
	var list []loader.Named
	for n, x := range all {
		list = append(list, loader.Named{Name: n, Tensor: x})
	}
	require.NoError(t, loader.Write(filepath.Join(dir, "model.safetensors"), list, nil))
	data, err := os.ReadFile(filepath.Join(src, "config.json"))
	require.NoError(t, err)
	keys := map[string]any{}
	require.NoError(t, json.Unmarshal(data, &keys))
	for k, v := range config {
		keys[k] = v
		if v == "absent" {
			delete(keys, k)
		}
	}
	data, err = json.Marshal(keys)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600))
	return dir
}

// fill sets every bf16 element.
func fill(x *tensor.Tensor, v float32) {
	u := x.U16s()
	for i := range u {
		u[i] = tensor.F32ToBF16(v)
	}
}

func TestDamagedWeights(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name, want string
		kind       error
		damage     func(map[string]*tensor.Tensor)
	}{
		{"router", "layer 1", moe.ErrBadScore, func(w map[string]*tensor.Tensor) {
			fill(w["model.layers.1.block_sparse_moe.gate.weight"].Index(3), nan)
		}},
		{"head", "logit of token 7", model.ErrNumbers, func(w map[string]*tensor.Tensor) { fill(w["lm_head.weight"].Index(7), nan) }},
		{"overflow", "not finite", model.ErrNumbers, func(w map[string]*tensor.Tensor) { fill(w["lm_head.weight"], 3e38) }},
		{"embedding", "layer 0", moe.ErrBadScore, func(w map[string]*tensor.Tensor) { fill(w["model.embed_tokens.weight"], nan) }},
	} {
		m, err := model.Open(changed(t, "mixtral", c.damage, nil), model.Options{})
		require.NoError(t, err, c.name)
		_, err = m.Logits(context.Background(), []int32{5, 6, 7})
		assert.ErrorIs(t, err, c.kind, c.name)
		assert.ErrorContains(t, err, c.want, c.name)
		require.NoError(t, m.Close())
	}
}

// Every tensor that does not fit is reported, all at once.
func TestTensorsThatDoNotFit(t *testing.T) {
	dir := changed(t, "mixtral", func(w map[string]*tensor.Tensor) {
		delete(w, "model.norm.weight")
		w["model.extra"] = tensor.New(tensor.BF16, 3)
		w["lm_head.weight"] = tensor.New(tensor.BF16, 320, 63)
		w["model.layers.0.self_attn.q_proj.weight"] = tensor.New(tensor.I32, 64, 64)
		delete(w, "model.layers.1.block_sparse_moe.experts.5.w2.weight")
	}, nil)
	_, err := model.Open(dir, model.Options{})
	for _, kind := range []error{loader.ErrMissing, loader.ErrUnclaimed, loader.ErrShape, loader.ErrDType} {
		assert.ErrorIs(t, err, kind)
	}
	var all loader.Faults
	require.ErrorAs(t, err, &all)
	lines := strings.Join(all.Lines(), "\n")
	for _, want := range []string{"model.norm.weight", "model.extra", "[320 63]", "q_proj", "experts.5.w2.weight"} {
		assert.Contains(t, lines, want)
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		golden, key string
		value       any
		want        string
	}{
		{"mixtral", "hidden_size", -64, "hidden_size"},
		{"mixtral", "hidden_size", 1e30, "hidden_size"},
		{"mixtral", "hidden_size", "wide", "hidden_size"},
		{"mixtral", "hidden_size", "absent", "hidden_size"},
		{"mixtral", "hidden_size", 2.5, "hidden_size"},
		{"mixtral", "hidden_size", 128, "shape"},
		{"mixtral", "num_hidden_layers", 0, "num_hidden_layers"},
		{"mixtral", "num_hidden_layers", 3, "model.layers.2"},
		{"mixtral", "num_hidden_layers", 1, "model.layers.1"},
		{"mixtral", "num_hidden_layers", 1 << 40, "num_hidden_layers"},
		{"mixtral", "num_attention_heads", 3, "num_attention_heads"},
		{"mixtral", "num_key_value_heads", 0, "num_key_value_heads"},
		{"mixtral", "num_experts_per_tok", 9, "num_experts_per_tok"},
		{"mixtral", "num_local_experts", 65536, "expert"},
		{"mixtral", "vocab_size", 1 << 23, "embed_tokens"},
		{"mixtral", "rms_norm_eps", -1, "rms_norm_eps"},
		{"mixtral", "hidden_act", "mish", "mish"},
		{"mixtral", "model_type", "absent", "model_type"},
		{"mixtral", "model_type", "gpt9", "gpt9"},
		{"mixtral", "rope_theta", 0.5, "rope_theta"},
		{"mixtral", "rope_scaling", map[string]any{"rope_type": "spiral"}, "spiral"},
		{"mixtral", "rope_scaling", map[string]any{"rope_type": "linear"}, "factor"},
		{"mixtral", "rope_scaling", map[string]any{"rope_type": "yarn", "factor": -2}, "factor"},
		{"mixtral", "rope_scaling", map[string]any{"rope_type": "longrope", "short_factor": []int{1}, "long_factor": []int{1}}, "short_factor"},
		{"mixtral", "sliding_window", -1, "sliding_window"},
		{"mixtral", "max_position_embeddings", -1, "max_position_embeddings"},
		{"qwen3", "head_dim", 31, "head_dim"},
		{"qwen2-window", "layer_types", []string{"full_attention"}, "layer_types"},
		{"qwen2-window", "layer_types", []string{"a", "b", "c"}, "layer_types"},
		{"granitemoe", "logits_scaling", 0, "logits_scaling"},
		{"olmoe", "clip_qkv", -1, "clip_qkv"},
		{"qwen2-moe", "decoder_sparse_step", 0, "decoder_sparse_step"},
	} {
		_, err := model.Open(changed(t, c.golden, nil, map[string]any{c.key: c.value}), model.Options{})
		require.Error(t, err, "%s=%v", c.key, c.value)
		assert.ErrorContains(t, err, c.want, "%s=%v", c.key, c.value)
		assert.Less(t, len(err.Error()), 4000, "%s=%v: an error is a line, not a book", c.key, c.value)
	}
}

// FuzzConfig opens folders with any config.json and no tensors: an error always, never a panic or a flood of memory.
func FuzzConfig(f *testing.F) {
	dirs, err := filepath.Glob(goldens + "/*/config.json")
	require.NoError(f, err)
	for _, d := range dirs {
		data, err := os.ReadFile(d)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"model_type":"llama","vocab_size":1,"hidden_size":2,"intermediate_size":1,"num_hidden_layers":4096,"num_attention_heads":1}`))
	empty := append(binary.LittleEndian.AppendUint64(nil, 2), "{}"...)
	f.Fuzz(func(t *testing.T, config []byte) {
		fsys := fstest.MapFS{"config.json": {Data: config}, "model.safetensors": {Data: empty}}
		m, err := model.OpenFS(fsys, model.Options{Threads: 1})
		if err == nil {
			m.Close()
			t.Fatal("a model without tensors was opened")
		}
	})
}
