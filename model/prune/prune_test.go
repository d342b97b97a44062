package prune_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/model/prune"
	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// pruned makes a folder of a checkpoint.
func pruned(t *testing.T, dir string, drops prune.Drops) string {
	out := filepath.Join(t.TempDir(), "out")
	m, err := model.Open(dir, model.Options{})
	require.NoError(t, err)
	defer m.Close()
	keep, err := prune.Choose(m.Gates(nil), drops, 0, nil)
	require.NoError(t, err)
	ckpt, err := loader.Open(dir)
	require.NoError(t, err)
	defer ckpt.Close()
	require.NoError(t, prune.Write(context.Background(), os.DirFS(dir), ckpt, out, keep))
	return out
}

func logits(t *testing.T, dir, gate string, ids []int32) tensor.Mat {
	m, err := model.Open(dir, model.Options{Gate: gate})
	require.NoError(t, err)
	defer m.Close()
	out, err := m.Logits(context.Background(), ids)
	require.NoError(t, err)
	return out
}

// The checkpoint says here what the reference implementation says of the very same file, for experts in files of their own,
// fused, and under other names; and what the whole model says without those experts.
func TestPrunedAgainstTheReference(t *testing.T) {
	for _, name := range []string{"qwen3-moe", "granitemoe", "mixtral"} {
		t.Run(name, func(t *testing.T) {
			dir := pruned(t, "../../testdata/goldens/"+name, prune.Drops{0: {1, 3}, 1: {0, 7}})
			golden, err := loader.OpenFile("../../testdata/prune/" + name + ".safetensors")
			require.NoError(t, err)
			defer golden.Close()
			data, err := os.ReadFile(filepath.Join(dir, "model.safetensors"))
			require.NoError(t, err)
			sum := sha256.Sum256(data)
			require.Equal(t, golden.Metadata()["checkpoint_sha256"], hex.EncodeToString(sum[:]), "the reference read the same file")
			ids, _ := golden.Tensor("input_ids")
			want, _ := golden.Tensor("logits")
			got := logits(t, dir, "", ids.I32s())
			top := 0.0
			for _, v := range want.F32s() {
				top = max(top, float64(v), -float64(v))
			}
			require.InDeltaSlice(t, want.F32s(), got.Data, 1e-5*top)
			same := logits(t, "../../testdata/goldens/"+name, "drop=0:1,3;drop=1:0,7", ids.I32s())
			require.InDeltaSlice(t, same.Data, got.Data, 1e-5*top, "dropped by the gate")
			plain := logits(t, "../../testdata/goldens/"+name, "", ids.I32s())
			require.NotEqual(t, plain.Data, got.Data)
		})
	}
}

// A packed checkpoint is pruned as one that is not: first pruned and then packed it says the same, bit for bit.
func TestPrunedPackedFolder(t *testing.T) {
	ids := []int32{3, 1, 4, 15, 9, 2, 6}
	for _, name := range []string{"mixtral", "qwen2-moe", "granitemoe"} {
		drops := prune.Drops{0: {1, 3}, 1: {0, 7}}
		want := pruned(t, "../../testdata/goldens/"+name, drops)
		for _, scheme := range model.Schemes() {
			a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
			o := model.QuantizeOptions{Scheme: scheme}
			require.NoError(t, model.Quantize(context.Background(), "../../testdata/goldens/"+name, a, o))
			require.NoError(t, model.Quantize(context.Background(), want, b, o))
			got := pruned(t, a, drops)
			assert.Equal(t, logits(t, b, "", ids).Data, logits(t, got, "", ids).Data, "%s %s", name, scheme)
			assert.NotEqual(t, logits(t, want, "", ids).Data, logits(t, got, "", ids).Data, "%s %s", name, scheme)
		}
	}
}

// Names, dtypes and everything else of the folder stay; the config differs in one number.
func TestPrunedFolder(t *testing.T) {
	dir := pruned(t, "../../testdata/goldens/qwen2-moe", prune.Drops{0: {0, 1, 2}, 1: {5, 6, 7}})
	a, err := loader.Open("../../testdata/goldens/qwen2-moe")
	require.NoError(t, err)
	defer a.Close()
	b, err := loader.Open(dir)
	require.NoError(t, err)
	defer b.Close()
	assert.Equal(t, a.Metadata(), b.Metadata())
	assert.Equal(t, `5`, string(b.Config().Raw("num_experts")))
	assert.Equal(t, a.Config().Keys(), b.Config().Keys())
	moved, _ := a.Tensor("model.layers.0.mlp.experts.3.up_proj.weight")
	now, _ := b.Tensor("model.layers.0.mlp.experts.0.up_proj.weight")
	assert.Equal(t, moved.Data, now.Data)
	router, _ := a.Tensor("model.layers.1.mlp.gate.weight")
	less, _ := b.Tensor("model.layers.1.mlp.gate.weight")
	assert.Equal(t, router.Rows(0, 5).Data, less.Data)
	shared, _ := a.Tensor("model.layers.1.mlp.shared_expert_gate.weight")
	kept, _ := b.Tensor("model.layers.1.mlp.shared_expert_gate.weight")
	assert.Equal(t, shared.Data, kept.Data)
	assert.FileExists(t, filepath.Join(dir, "generation_config.json"))
}

// Scores come from a trace; the experts that stay are those of the largest.
func TestMeasureAndChoose(t *testing.T) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	defer m.Close()
	path := filepath.Join(t.TempDir(), "t")
	ids := []int32{5, 900, 31, 7, 1200, 44, 3, 2, 61, 77, 801, 9}
	require.NoError(t, trace.Write(context.Background(), m, path, []trace.Text{{Label: "x", IDs: ids}}, trace.Options{Norms: true}))
	r, err := trace.Open(path)
	require.NoError(t, err)
	defer r.Close()
	f, err := loader.OpenFile(path)
	require.NoError(t, err)
	defer f.Close()
	topk, _ := f.Tensor("topk_ids")
	weight, _ := f.Tensor("topk_weights")
	norm, _ := f.Tensor("expert_out_norm")
	for by, want := range map[prune.By]func(n, gf, f float64) float64{
		prune.ByFrequency: func(n, _, _ float64) float64 { return n },
		prune.ByEAN:       func(_, _, f float64) float64 { return f },
		prune.ByREAP:      func(n, gf, _ float64) float64 { return gf / max(n, 1) },
	} {
		scores, err := prune.Measure(context.Background(), r, by)
		require.NoError(t, err)
		for l := range 6 {
			var n, gf, fs [16]float64
			for tok := range ids {
				for j := range 4 {
					i := (tok*6+l)*4 + j
					e := topk.U16s()[i]
					n[e]++
					fs[e] += float64(norm.F32s()[i])
					gf[e] += float64(weight.F32s()[i]) * float64(norm.F32s()[i])
				}
			}
			for e := range 16 {
				require.InDelta(t, want(n[e], gf[e], fs[e]), scores[l][e], 1e-9, "%s of layer %d expert %d", by, l, e)
			}
		}
		keep, err := prune.Choose(m.Gates(nil), prune.Drops{2: {15}}, 8, scores)
		require.NoError(t, err)
		for l, stay := range keep {
			require.Len(t, stay, 8)
			for e := range 16 {
				for _, s := range stay {
					if l != 2 && !contains(stay, e) {
						require.LessOrEqual(t, scores[l][e], scores[l][s])
					}
				}
			}
		}
		require.NotContains(t, keep[2], 15)
	}
}

func contains(list []int, x int) bool {
	for _, v := range list {
		if v == x {
			return true
		}
	}
	return false
}

func TestRefusedPrunings(t *testing.T) {
	m, err := model.OpenFS(builtin.FS(), model.Options{})
	require.NoError(t, err)
	defer m.Close()
	gates := m.Gates(nil)
	flat := prune.Scores{}
	for l := range gates {
		flat[l] = make([]float64, 16)
	}
	for want, c := range map[string]struct {
		drops  prune.Drops
		keep   int
		scores prune.Scores
	}{
		"a mixture layer below 6, found 6": {drops: prune.Drops{6: {0}}},
		"an expert from 0 to 15, found 16": {drops: prune.Drops{1: {16}}},
		"found 15 to 16":                   {drops: prune.Drops{1: {3}}},
		"experts to leave out, found none": {},
		"at least the 4 experts":           {keep: 3, scores: flat},
		"want 16 scores, found 0":          {keep: 8},
		"want 17 experts to keep":          {keep: 17},
	} {
		_, err := prune.Choose(gates, c.drops, c.keep, c.scores)
		require.ErrorIs(t, err, prune.ErrPrune, want)
		assert.ErrorContains(t, err, want)
	}
	table := []*moe.Variant{{Spec: moe.GateSpec{Experts: 4, TopK: 1, Null: 1}}}
	_, err = prune.Choose(table, prune.Drops{0: {1}}, 0, nil)
	assert.ErrorContains(t, err, "null experts")
	for _, bad := range []string{"", "3", "a:1", "0:", "0:x", "-1:2", "0:1;;"} {
		_, err := prune.ParseDrops([]string{bad})
		assert.ErrorIs(t, err, prune.ErrPrune, bad)
	}
	drops, err := prune.ParseDrops([]string{"0:1,2; 3:4", "0:5"})
	require.NoError(t, err)
	assert.Equal(t, prune.Drops{0: {1, 2, 5}, 3: {4}}, drops)
}

func TestWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	ckpt, err := loader.OpenFS(builtin.FS())
	require.NoError(t, err)
	defer ckpt.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	keep := prune.Keep{}
	for l := range 6 {
		keep[l] = []int{0, 1, 2, 3}
	}
	require.ErrorIs(t, prune.Write(ctx, builtin.FS(), ckpt, filepath.Join(dir, "out"), keep), context.Canceled)
	keep[3] = []int{0, 1, 2}
	require.ErrorIs(t, prune.Write(context.Background(), builtin.FS(), ckpt, filepath.Join(dir, "out"), keep), prune.ErrPrune)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	assert.ErrorContains(t, prune.Write(context.Background(), builtin.FS(), ckpt, dir, keep), "new or empty folder")
}
