package model_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// A checkpoint of 13.8 GB (OLMoE-1B-7B's shape, random weights) opens in under a second before its pages are read, and
// running it takes no second copy: resident memory stays below the file's size and 15 %. SWITCHYARD_BIG names a folder
// with room for it; the checkpoint is kept there for the next run.
func TestBigCheckpoint(t *testing.T) {
	dir := os.Getenv("SWITCHYARD_BIG")
	if dir == "" {
		t.Skip("SWITCHYARD_BIG names no folder for a checkpoint of 13.8 GB")
	}
	file := filepath.Join(dir, "model.safetensors")
	if _, err := os.Stat(file); err != nil {
		writeOLMoE(t, dir, 16, 64)
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Greater(t, info.Size(), int64(10e9))

	start := time.Now()
	m, err := model.Open(dir, model.Options{})
	opened := time.Since(start)
	require.NoError(t, err)
	defer m.Close()
	t.Logf("opened %.1f GB in %v", float64(info.Size())/1e9, opened)
	require.Less(t, opened, time.Second)
	_, err = m.Logits(context.Background(), []int32{1, 2, 3, 4, 5, 6, 7, 8})
	require.NoError(t, err)
	peak := residentPeak(t)
	t.Logf("peak resident memory %.1f GB", float64(peak)/1e9)
	require.Less(t, float64(peak), 1.15*float64(info.Size()))
}

// writeOLMoE writes a checkpoint of random bf16 weights; experts share one pool of numbers, each from another place.
func writeOLMoE(t *testing.T, dir string, layers, experts int) {
	const hidden, inner, vocab = 2048, 1024, 50304
	config, err := json.Marshal(map[string]any{
		"model_type": "olmoe", "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": inner,
		"num_hidden_layers": layers, "num_attention_heads": 16, "num_experts": experts, "num_experts_per_tok": 8,
		"max_position_embeddings": 4096,
	})
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600))
	rng := rand.New(rand.NewPCG(1, 2))
	pool := make([]uint16, vocab*hidden+1<<20)
	for i := range pool {
		pool[i] = tensor.F32ToBF16(float32(rng.NormFloat64()) / 45)
	}
	var list []loader.Named
	add := func(name string, shape ...int) {
		n, _ := tensor.Shape(shape).Elems()
		at := rng.IntN(len(pool)-n+1) &^ 31
		x := tensor.FromU16(pool[at:at+n], shape...)
		x.DType = tensor.BF16
		list = append(list, loader.Named{Name: name, Tensor: x})
	}
	add("model.embed_tokens.weight", vocab, hidden)
	add("lm_head.weight", vocab, hidden)
	add("model.norm.weight", hidden)
	for i := range layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		for _, n := range strings.Fields("input_layernorm post_attention_layernorm self_attn.q_norm self_attn.k_norm") {
			add(at+n+".weight", hidden)
		}
		for _, n := range strings.Fields("q k v o") {
			add(at+"self_attn."+n+"_proj.weight", hidden, hidden)
		}
		add(at+"mlp.gate.weight", experts, hidden)
		for e := range experts {
			add(fmt.Sprintf("%smlp.experts.%d.gate_proj.weight", at, e), inner, hidden)
			add(fmt.Sprintf("%smlp.experts.%d.up_proj.weight", at, e), inner, hidden)
			add(fmt.Sprintf("%smlp.experts.%d.down_proj.weight", at, e), hidden, inner)
		}
	}
	require.NoError(t, loader.Write(filepath.Join(dir, "model.safetensors"), list, nil))
}

// residentPeak is the process's largest resident set so far, in bytes.
func residentPeak(t *testing.T) int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc/self/status here to read the peak of resident memory from")
	}
	for line := range strings.Lines(string(data)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kib); err == nil {
			return kib << 10
		}
	}
	t.Fatal("VmHWM is missing")
	return 0
}
