package model_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// quantized writes a packed folder of a checkpoint.
func quantized(t testing.TB, src, scheme string) string {
	dst := filepath.Join(t.TempDir(), "packed")
	require.NoError(t, model.Quantize(context.Background(), src, dst, model.QuantizeOptions{Scheme: scheme}))
	return dst
}

// Under every scheme and at every level the bits are the same whatever the number of threads, the chunks and the company
// in the batch, and the same from a packed folder, whoever wrote it, as quantised while opening. The logits stay near
// the reference's.
func TestQuantisedGoldens(t *testing.T) {
	near := map[string]float64{"int8": 1e-3, "int4": 0.1, "mixed": 0.05} // of NMSE, on random weights
	eachGolden(t, func(t *testing.T, open opener, golden *loader.File) {
		src := filepath.Dir(golden.Name())
		if filepath.Base(t.Name()) == builtin.Name {
			src = "builtin"
		}
		for _, scheme := range model.Schemes() {
			packed := quantized(t, src, scheme)
			fromPacked := func(o model.Options) (*model.Model, error) { o.Quant = ""; return model.Open(packed, o) }
			for _, level := range levels() {
				o := model.Options{Level: level, Threads: 1, Quant: scheme}
				first := runGolden(t, open, golden, o, alone)
				want, _ := golden.Tensor("logits")
				require.LessOrEqual(t, medianNMSE(first.logits, want.F32s()), near[scheme], "%s %s", scheme, level)
				for _, v := range quantVariants(testing.Short()) {
					o := model.Options{Level: level, Threads: v.threads, Chunk: v.chunk, Quant: scheme}
					from := open
					if v.threads == 2 {
						from = fromPacked
					}
					got := runGolden(t, from, golden, o, v.company)
					require.Equal(t, first.logits.Data, got.logits.Data, "%s %s, logits, %+v", scheme, level, v)
					require.Equal(t, first.generated, got.generated, "%s %s, greedy ids, %+v", scheme, level, v)
				}
			}
		}
	})
}

// medianNMSE is the median over the rows: where a random router's choice is close, quantising flips it, and those rows
// differ as much as they like.
func medianNMSE(got tensor.Mat, want []float32) float64 {
	var all []float64
	for i := range got.Rows {
		all = append(all, tensor.Compare(got.Row(i), want[i*got.Cols:(i+1)*got.Cols]).NMSE)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// quantVariants are those that f32 does not cover already; two threads stand for the packed folder.
func quantVariants(short bool) []variant {
	if short {
		return []variant{{2, 7, crowd}}
	}
	return []variant{{2, 1, alone}, {3, 7, crowd}}
}

// meanKL is the mean divergence per token from f32 over documents of ids.
func meanKL(t *testing.T, exact, quantised *model.Model, docs [][]int32) float64 {
	sum, n := 0.0, 0
	for _, ids := range docs {
		want, err := exact.Logits(context.Background(), ids)
		require.NoError(t, err)
		got, err := quantised.Logits(context.Background(), ids)
		require.NoError(t, err)
		for i := range ids {
			sum += tensor.KL(got.Row(i), want.Row(i))
		}
		n += len(ids)
	}
	return sum / float64(n)
}

// documents reads a text in parts as ids of the model's, each part behind start.
func documents(t *testing.T, m *model.Model, path string, start ...int32) (docs [][]int32) {
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	tokens := 0
	for _, part := range strings.Split(string(data), "----\n") {
		ids, err := m.EncodePrompt(part)
		require.NoError(t, err)
		docs = append(docs, append(append([]int32{}, start...), ids...))
		tokens += len(ids)
	}
	require.Greater(t, tokens, 1000)
	return docs
}

// checkKL holds the divergence of every scheme under its limit.
func checkKL(t *testing.T, open opener, docs [][]int32, limits map[string]float64) {
	exact, err := open(model.Options{})
	require.NoError(t, err)
	defer exact.Close()
	for _, scheme := range model.Schemes() {
		m, err := open(model.Options{Quant: scheme})
		require.NoError(t, err)
		assert.Equal(t, scheme, m.Quant())
		kl := meanKL(t, exact, m, docs)
		t.Logf("%s: mean KL %.5f", scheme, kl)
		assert.Greater(t, kl, 0.0, "%s changes nothing?", scheme)
		assert.LessOrEqual(t, kl, limits[scheme], scheme)
		require.NoError(t, m.Close())
	}
}

func TestDivergenceOfBuiltin(t *testing.T) {
	open := func(o model.Options) (*model.Model, error) { return model.OpenFS(builtin.FS(), o) }
	m, err := open(model.Options{})
	require.NoError(t, err)
	defer m.Close()
	docs := documents(t, m, "../testdata/kinds.txt", 0)
	// On so few tokens one near tie of experts, which any rounding decides, is worth 0.00005.
	checkKL(t, open, docs, map[string]float64{"int8": 0.0006, "int4": 0.03, "mixed": 0.01})
}

func TestDivergenceOfSmolLM2(t *testing.T) {
	m := smollm2(t, model.Options{})
	docs := documents(t, m, "../testdata/kinds.txt")
	open := func(o model.Options) (*model.Model, error) { return model.Open(os.Getenv("SWITCHYARD_SMOLLM2"), o) }
	checkKL(t, open, docs, map[string]float64{"int8": 0.012, "int4": 0.07, "mixed": 0.015})
}

// A damaged weight is named while it is quantised, by the name that the checkpoint has for it.
func TestQuantisingDamagedWeights(t *testing.T) {
	for _, c := range []struct {
		tensor string
		value  float32
	}{
		{"model.layers.1.self_attn.o_proj.weight", float32(math.NaN())},
		{"model.layers.0.block_sparse_moe.experts.5.w2.weight", float32(math.Inf(-1))},
		{"lm_head.weight", float32(math.Inf(1))},
	} {
		dir := changed(t, "mixtral", func(w map[string]*tensor.Tensor) {
			u := w[c.tensor].U16s()
			u[len(u)-1] = tensor.F32ToBF16(c.value)
		}, nil)
		for _, scheme := range model.Schemes() {
			_, err := model.Open(dir, model.Options{Quant: scheme})
			require.Error(t, err, "%s %s", c.tensor, scheme)
			assert.ErrorContains(t, err, c.tensor)
			assert.NotContains(t, err.Error(), "\n")
			dst := filepath.Join(t.TempDir(), "dst")
			err = model.Quantize(context.Background(), dir, dst, model.QuantizeOptions{Scheme: scheme})
			assert.ErrorContains(t, err, c.tensor)
			assertNothing(t, filepath.Dir(dst))
		}
	}
}

func assertNothing(t *testing.T, dir string) {
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// fuseExperts turns the per-expert tensors of the mixtral golden into the two of a fused layout.
func fuseExperts(gateUp, down string, transposed bool) func(map[string]*tensor.Tensor) {
	return func(w map[string]*tensor.Tensor) {
		for _, layer := range []string{"model.layers.0.", "model.layers.1."} {
			const experts = 8
			stack := func(names ...string) (out []*tensor.Tensor) { // [rows of all names, cols] of each expert
				for e := range experts {
					one := &tensor.Tensor{}
					for _, n := range names {
						name := layer + "block_sparse_moe.experts." + string(rune('0'+e)) + "." + n + ".weight"
						x := w[name]
						one.DType, one.Data = x.DType, append(one.Data, x.Data...)
						one.Shape = tensor.Shape{x.Shape[0] * len(names), x.Shape[1]}
						delete(w, name)
					}
					out = append(out, one)
				}
				return out
			}
			join := func(list []*tensor.Tensor) *tensor.Tensor {
				r, c := list[0].Shape[0], list[0].Shape[1]
				all := tensor.New(list[0].DType, experts, r, c)
				if transposed {
					all.Shape = tensor.Shape{experts, c, r}
				}
				u := all.U16s()
				for e, x := range list {
					v := (&tensor.Tensor{DType: x.DType, Shape: x.Shape, Data: append(tensor.New(x.DType, r, c).Data[:0], x.Data...)}).U16s()
					for i := range v {
						to := i
						if transposed {
							to = i%c*r + i/c
						}
						u[e*r*c+to] = v[i]
					}
				}
				return all
			}
			w[layer+gateUp], w[layer+down] = join(stack("w1", "w3")), join(stack("w2"))
		}
	}
}

// Whatever the layout of the experts on disk, the same weights give the same bits, quantised while opening and from a
// packed folder.
func TestQuantisedLayouts(t *testing.T) {
	ids := []int32{5, 6, 7, 8, 9, 10, 11}
	logits := func(dir, quant string) []float32 {
		m, err := model.Open(dir, model.Options{Quant: quant})
		require.NoError(t, err)
		defer m.Close()
		out, err := m.Logits(context.Background(), ids)
		require.NoError(t, err)
		return out.Data
	}
	for _, scheme := range model.Schemes() {
		want := logits(goldens+"/mixtral", scheme)
		for _, l := range []struct {
			gateUp, down string
			transposed   bool
		}{
			{"block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight", false},
			{"mlp.experts.gate_up_proj", "mlp.experts.down_proj", false},
			{"mlp.experts.gate_up_proj", "mlp.experts.down_proj", true},
		} {
			dir := changed(t, "mixtral", fuseExperts(l.gateUp, l.down, l.transposed), nil)
			require.Equal(t, logits(goldens+"/mixtral", ""), logits(dir, ""), "the fixture")
			assert.Equal(t, want, logits(dir, scheme), "%s %+v", scheme, l)
			assert.Equal(t, want, logits(quantized(t, dir, scheme), ""), "%s %+v, packed", scheme, l)
		}
	}
}

// What is in use is listed as it is: quantised matrices in their form, the rest as the files have it.
func TestClaimsOfQuantised(t *testing.T) {
	for _, quant := range model.Schemes() {
		loaded, err := model.Open(goldens+"/granitemoeshared", model.Options{Quant: quant})
		require.NoError(t, err)
		packed, err := model.Open(quantized(t, goldens+"/granitemoeshared", quant), model.Options{})
		require.NoError(t, err)
		a, b := loaded.Claims(), packed.Claims()
		require.Len(t, b, len(a))
		forms := map[string]int{}
		for i := range a {
			assert.Equal(t, a[i].Name, b[i].Name)
			assert.Equal(t, a[i].DType, b[i].DType)
			assert.Equal(t, a[i].Shape, b[i].Shape)
			assert.Equal(t, a[i].Bytes, b[i].Bytes)
			assert.True(t, b[i].Mapped, a[i].Name)
			forms[a[i].DType]++
		}
		assert.Positive(t, forms[tensor.Q8P.String()])
		assert.Equal(t, quant != "int8", forms[tensor.Q4P.String()] > 0)
		assert.Equal(t, quant, packed.Quant())
		assert.Empty(t, packed.Schemes())
		exact, err := model.Open(goldens+"/granitemoeshared", model.Options{})
		require.NoError(t, err)
		for _, s := range exact.Schemes() {
			if s.Scheme == quant {
				total := 0
				for _, c := range a {
					total += c.Bytes
				}
				assert.EqualValues(t, total, s.Total)
				assert.Equal(t, forms[tensor.Q8P.String()]+forms[tensor.Q4P.String()], s.Tensors)
			}
		}
		for _, m := range []*model.Model{loaded, packed, exact} {
			require.NoError(t, m.Close())
		}
	}
}
