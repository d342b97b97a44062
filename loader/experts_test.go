package loader_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

const at = "model.layers.3."

// dims of the layers under test: among them 2I = H and I = H, where one shape alone cannot tell a transposition.
var dims = []struct{ e, i, h int }{{3, 3, 5}, {2, 4, 8}, {2, 6, 6}, {1, 1, 2}, {1, 1, 1}, {12, 2, 3}, {2, 40, 70}}

// value codes where an element belongs: which matrix, expert, row and column.
func value(matrix, e, r, c int) float32 { return float32(((matrix*20+e)*100+r)*100 + c) }

// fill makes an F32 tensor from its element function.
func fill(name string, f func(x []int) float32, shape ...int) loader.Named {
	t := tensor.New(tensor.F32, shape...)
	at := make([]int, len(shape))
	for n := range t.F32s() {
		for d, rest := len(shape)-1, n; d >= 0; d-- {
			at[d], rest = rest%shape[d], rest/shape[d]
		}
		t.F32s()[n] = f(at)
	}
	return loader.Named{Name: name, Tensor: t}
}

func perExpert(form string, e, i, h int, gate, up, down string) []loader.Named {
	var list []loader.Named
	for x := range e {
		for m, p := range []string{gate, up, down} {
			if p == "" {
				continue
			}
			rows, cols := i, h
			if m == 2 {
				rows, cols = h, i
			}
			name := at + fmt.Sprintf(form, x, p)
			list = append(list, fill(name, func(k []int) float32 { return value(m, x, k[0], k[1]) }, rows, cols))
		}
	}
	return list
}

func fused(gateUp, down string, e, i, h int) []loader.Named {
	both := func(k []int) float32 { return value(k[1]/i, k[0], k[1]%i, k[2]) }
	return []loader.Named{fill(at+gateUp, both, e, 2*i, h),
		fill(at+down, func(k []int) float32 { return value(2, k[0], k[1], k[2]) }, e, h, i)}
}

func transposed(gateUp, down string, e, i, h int) []loader.Named {
	both := func(k []int) float32 { return value(k[2]/i, k[0], k[2]%i, k[1]) }
	return []loader.Named{fill(at+gateUp, both, e, h, 2*i),
		fill(at+down, func(k []int) float32 { return value(2, k[0], k[2], k[1]) }, e, i, h)}
}

// layouts are all layouts of the format survey that Experts knows, under each of their names.
var layouts = []struct {
	name  string
	build func(e, i, h int) []loader.Named
}{
	{"A", func(e, i, h int) []loader.Named {
		return perExpert("block_sparse_moe.experts.%d.%s.weight", e, i, h, "w1", "w3", "w2")
	}},
	{"A'", func(e, i, h int) []loader.Named {
		return perExpert("feed_forward.experts.%d.%s.weight", e, i, h, "w1", "w3", "w2")
	}},
	{"B", func(e, i, h int) []loader.Named {
		return perExpert("mlp.experts.%d.%s.weight", e, i, h, "gate_proj", "up_proj", "down_proj")
	}},
	{"C", func(e, i, h int) []loader.Named {
		return perExpert("feed_forward.experts.%d.%s.weight", e, i, h, "gate_proj", "up_proj", "down_proj")
	}},
	{"D", func(e, i, h int) []loader.Named {
		return fused("block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight", e, i, h)
	}},
	{"D", func(e, i, h int) []loader.Named {
		return fused("mlp.input_linear.weight", "mlp.output_linear.weight", e, i, h)
	}},
	{"D'", func(e, i, h int) []loader.Named {
		return fused("mlp.experts.gate_up_proj", "mlp.experts.down_proj", e, i, h)
	}},
	{"D'", func(e, i, h int) []loader.Named { return fused("experts.gate_up_proj", "experts.down_proj", e, i, h) }},
	{"E", func(e, i, h int) []loader.Named {
		return transposed("feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj", e, i, h)
	}},
	{"E", func(e, i, h int) []loader.Named {
		return transposed("mlp.experts.gate_up_proj", "mlp.experts.down_proj", e, i, h)
	}},
	{"D'", func(e, i, h int) []loader.Named {
		return fused("feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj", e, i, h)
	}},
}

func TestExpertLayouts(t *testing.T) {
	for _, l := range layouts {
		for _, d := range dims {
			what := fmt.Sprintf("%s %+v", l.name, d)
			b := loader.NewBinder(model(t, l.build(d.e, d.i, d.h)...))
			got := b.Experts(at, d.e, d.i, d.h)
			require.NoError(t, b.Done(), what)
			require.Equal(t, l.name, got.Layout, what)
			require.Contains(t, loader.Layouts(), got.Layout)
			for x := range d.e {
				holds(t, what, got.Gate[x], 0, x, d.i, d.h)
				holds(t, what, got.Up[x], 1, x, d.i, d.h)
				holds(t, what, got.Down[x], 2, x, d.h, d.i)
			}
			for _, c := range b.Claims() {
				require.Equal(t, got.Layout != "E", c.Mapped, "%s %s", what, c.Name)
			}
		}
	}
}

func holds(t *testing.T, what string, x *tensor.Tensor, matrix, e, rows, cols int) {
	require.Equal(t, tensor.Shape{rows, cols}, x.Shape, what)
	for n, v := range x.F32s() {
		require.Equal(t, value(matrix, e, n/cols, n%cols), v, what)
	}
}

// Transposition of elements of 1, 2, 4 and 8 bytes.
func TestTransposedDTypes(t *testing.T) {
	for _, d := range []tensor.DType{tensor.F8E4M3, tensor.F8E5M2, tensor.F16, tensor.BF16, tensor.F32, tensor.F64} {
		gu, down := named(at+"mlp.experts.gate_up_proj", d, 2, 5, 6), named(at+"mlp.experts.down_proj", d, 2, 3, 5)
		b := loader.NewBinder(model(t, gu, down))
		got := b.Experts(at, 2, 3, 5)
		require.NoError(t, b.Done())
		require.Equal(t, "E", got.Layout)
		size := d.Size()
		// Row 2, column 4 of expert 1.
		want := gu.Tensor.Data[((1*5+4)*6+3+2)*size:][:size]
		assert.Equal(t, want, got.Up[1].Data[(2*5+4)*size:][:size], d.String())
		want = down.Tensor.Data[((1*3+2)*5+4)*size:][:size]
		assert.Equal(t, want, got.Down[1].Data[(4*3+2)*size:][:size], d.String())
	}
}

func TestUngatedExperts(t *testing.T) {
	list := perExpert("mixer.experts.%d.%s.weight", 3, 4, 5, "", "up_proj", "down_proj")
	b := loader.NewBinder(model(t, list...))
	got := b.UngatedExperts(at, 3, 4, 5)
	require.NoError(t, b.Done())
	assert.Equal(t, "C", got.Layout)
	for x := range 3 {
		assert.Nil(t, got.Gate[x])
		holds(t, "up", got.Up[x], 1, x, 4, 5)
		holds(t, "down", got.Down[x], 2, x, 5, 4)
	}
	b = loader.NewBinder(model(t, list...))
	b.Experts(at, 3, 4, 5)
	assert.ErrorIs(t, b.Done(), loader.ErrLayout, "a gated family must not get experts without a gate")
}

func TestExpertFaults(t *testing.T) {
	b4 := func(e, i, h int) []loader.Named { return layouts[2].build(e, i, h) }
	for name, k := range map[string]struct {
		list    []loader.Named
		e, i, h int
		kind    error
		words   string
	}{
		"none":            {nil, 2, 3, 5, loader.ErrLayout, at + "experts: want the tensors of one known layout"},
		"mixed":           {append(b4(2, 3, 5), layouts[6].build(2, 3, 5)...), 2, 3, 5, loader.ErrLayout, "several: B, D'"},
		"mixed in one":    {append(b4(2, 3, 5)[:3], layouts[0].build(2, 3, 5)[3:]...), 2, 3, 5, loader.ErrLayout, "several: A, B"},
		"first missing":   {b4(3, 3, 5)[3:], 3, 3, 5, loader.ErrMissing, "experts.0.down_proj.weight: want a tensor [5 3], found none"},
		"last missing":    {b4(3, 3, 5)[:8], 3, 3, 5, loader.ErrMissing, "experts.2.down_proj.weight"},
		"too many":        {b4(3, 3, 5), 2, 3, 5, loader.ErrUnclaimed, "experts.2.down_proj.weight"},
		"far too few":     {b4(3, 3, 5), 1 << 30, 3, 5, loader.ErrMissing, "mlp.experts: want 1073741824 experts, found 3"},
		"wrong width":     {b4(2, 3, 5), 2, 4, 5, loader.ErrShape, "want shape [5 4], found [5 3]"},
		"transposed each": {b4(2, 5, 3), 2, 3, 5, loader.ErrShape, "want shape [5 3], found [3 5]"},
		"down missing":    {layouts[6].build(2, 3, 5)[:1], 2, 3, 5, loader.ErrMissing, "mlp.experts.down_proj: want a tensor [2 5 3]"},
		"half transposed": {append(layouts[6].build(2, 3, 5)[:1], layouts[9].build(2, 3, 5)[1]), 2, 3, 5, loader.ErrShape, "mlp.experts.down_proj: want shape [2 5 3], found [2 3 5]"},
		"fused wrong":     {layouts[8].build(2, 3, 5), 2, 4, 5, loader.ErrShape, "feed_forward.experts.gate_up_proj: want shape [2 5 8], found [2 5 6]"},
		"fused experts":   {layouts[4].build(2, 3, 5), 1 << 40, 3, 5, loader.ErrShape, "found [2 6 5]"},
		"biases": {append(layouts[9].build(2, 3, 5), named(at+"mlp.experts.gate_up_proj_bias", tensor.F32, 2, 6)), 2, 3, 5,
			loader.ErrUnclaimed, "gate_up_proj_bias"},
	} {
		b := loader.NewBinder(model(t, k.list...))
		b.Experts(at, k.e, k.i, k.h)
		err := b.Done()
		require.ErrorIs(t, err, k.kind, name)
		oneLine(t, err)
		lines := ""
		for _, l := range faultsOf(err).Lines() {
			lines += l + "\n"
		}
		assert.Contains(t, lines, k.words, name)
	}
}
