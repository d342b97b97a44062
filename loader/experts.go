package loader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// ExpertTensors are the weights of a layer's experts, one entry an expert, whatever the layout on disk. They are views
// of the file wherever that has the rows in order; otherwise repacked copies.
type ExpertTensors struct {
	Layout string           // as [Layouts] names it
	Gate   []*tensor.Tensor // [I,H] each
	Up     []*tensor.Tensor // [I,H] each
	Down   []*tensor.Tensor // [H,I] each
}

// perExpert is a layout with a tensor for each expert and matrix; %d is the expert.
type perExpert struct{ name, gate, up, down string }

// fused is a layout with one tensor for all experts: gate and up together [E,2I,H], down [E,H,I]. transposed says that
// the last two dimensions may stand the other way round.
type fused struct {
	name, gateUp, down string
	transposed         bool
}

func perExpertLayouts() []perExpert {
	return []perExpert{
		{"A", "block_sparse_moe.experts.%d.w1.weight", "block_sparse_moe.experts.%d.w3.weight", "block_sparse_moe.experts.%d.w2.weight"},
		{"A'", "feed_forward.experts.%d.w1.weight", "feed_forward.experts.%d.w3.weight", "feed_forward.experts.%d.w2.weight"},
		{"B", "mlp.experts.%d.gate_proj.weight", "mlp.experts.%d.up_proj.weight", "mlp.experts.%d.down_proj.weight"},
		{"C", "feed_forward.experts.%d.gate_proj.weight", "feed_forward.experts.%d.up_proj.weight", "feed_forward.experts.%d.down_proj.weight"},
	}
}

func fusedLayouts() []fused {
	return []fused{
		{"D", "block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight", false},
		{"D", "mlp.input_linear.weight", "mlp.output_linear.weight", false},
		{"D'", "mlp.experts.gate_up_proj", "mlp.experts.down_proj", true},
		{"D'", "block_sparse_moe.experts.gate_up_proj", "block_sparse_moe.experts.down_proj", true},
		{"D'", "experts.gate_up_proj", "experts.down_proj", true},
		{"E", "feed_forward.experts.gate_up_proj", "feed_forward.experts.down_proj", true},
	}
}

// Layouts says what the names of layouts mean.
func Layouts() map[string]string {
	return map[string]string{
		"A": "per expert w1, w3, w2", "A'": "per expert w1, w3, w2 under feed_forward",
		"B": "per expert gate_proj, up_proj, down_proj", "C": "per expert gate_proj … under feed_forward",
		"D":  "all experts in input_linear [E,2I,H], output_linear [E,H,I]",
		"D'": "all experts in gate_up_proj [E,2I,H], down_proj [E,H,I]",
		"E":  "all experts transposed: gate_up_proj [E,H,2I], down_proj [E,I,H]",
	}
}

// Experts claims the weights of e experts of width i over hidden width h, of the layer whose tensors begin with prefix
// ("model.layers.3."). The layout is found by the names alone, never by the model's type; whether fused tensors are
// transposed is read off the shapes of both, which cannot both fit both ways. No known layout, or several, is a fault.
func (b *Binder) Experts(prefix string, e, i, h int) ExpertTensors {
	var found []string
	var take func() ExpertTensors
	for _, l := range perExpertLayouts() {
		if b.anyOf(prefix, l) {
			found = append(found, l.name)
			take = func() ExpertTensors { return b.perExpert(prefix, l, e, i, h) }
		}
	}
	for _, l := range fusedLayouts() {
		if b.Has(prefix+l.gateUp) || b.Has(prefix+l.down) {
			found = append(found, l.name)
			take = func() ExpertTensors { return b.fused(prefix, l, e, i, h) }
		}
	}
	if len(found) != 1 {
		what := "none of them"
		if len(found) > 1 {
			what = "several: " + strings.Join(found, ", ")
		}
		b.fault(ErrLayout, prefix+"experts", "the tensors of one known layout (per expert, or fused)", what)
		return ExpertTensors{}
	}
	return take()
}

// anyOf says whether any tensor of the layer is of this layout, whichever expert or matrix it belongs to.
func (b *Binder) anyOf(prefix string, l perExpert) bool {
	if b.Has(prefix+fmt.Sprintf(l.gate, 0)) || b.Has(prefix+fmt.Sprintf(l.up, 0)) || b.Has(prefix+fmt.Sprintf(l.down, 0)) {
		return true
	}
	return false
}

func (b *Binder) perExpert(prefix string, l perExpert, e, i, h int) ExpertTensors {
	out := newExperts(l.name, e)
	for x := range e {
		b.Need(&out.Gate[x], prefix+fmt.Sprintf(l.gate, x), i, h)
		b.Need(&out.Up[x], prefix+fmt.Sprintf(l.up, x), i, h)
		b.Need(&out.Down[x], prefix+fmt.Sprintf(l.down, x), h, i)
	}
	return out
}

func newExperts(layout string, e int) ExpertTensors {
	list := make([]*tensor.Tensor, 3*e)
	return ExpertTensors{Layout: layout, Gate: list[:e:e], Up: list[e : 2*e : 2*e], Down: list[2*e:]}
}

// fused claims the two tensors of a layer and cuts them into experts.
func (b *Binder) fused(prefix string, l fused, e, i, h int) ExpertTensors {
	gateUp, down := prefix+l.gateUp, prefix+l.down
	if l.transposed && b.isTransposed(gateUp, down, e, i, h) {
		return b.fusedTransposed(gateUp, down, e, i, h)
	}
	var gu, d *tensor.Tensor
	b.Need(&gu, gateUp, e, 2*i, h)
	b.Need(&d, down, e, h, i)
	name := l.name
	if name == "E" {
		name = "D'"
	}
	out := newExperts(name, e)
	if gu == nil || d == nil {
		return out
	}
	for x := range e {
		both := gu.Index(x)
		out.Gate[x], out.Up[x], out.Down[x] = both.Rows(0, i), both.Rows(i, 2*i), d.Index(x)
	}
	return out
}

// isTransposed looks at both shapes: at least one of 2I ≠ H and I ≠ H holds, so together they are never ambiguous.
func (b *Binder) isTransposed(gateUp, down string, e, i, h int) bool {
	shape := func(name string) tensor.Shape {
		if t, ok := b.c.Tensor(name); ok {
			return t.Shape
		}
		return nil
	}
	return shape(gateUp).Equal(tensor.Shape{e, h, 2 * i}) && shape(down).Equal(tensor.Shape{e, i, h})
}

// fusedTransposed repacks [E,in,out] into [out,in] for each expert.
func (b *Binder) fusedTransposed(gateUp, down string, e, i, h int) ExpertTensors {
	var gu, d *tensor.Tensor
	b.Need(&gu, gateUp, e, h, 2*i)
	b.Need(&d, down, e, i, h)
	b.repacked(gateUp, down)
	out := newExperts("E", e)
	if gu == nil || d == nil {
		return out
	}
	for x := range e {
		both := transpose(gu.Index(x))
		out.Gate[x], out.Up[x], out.Down[x] = both.Rows(0, i), both.Rows(i, 2*i), transpose(d.Index(x))
	}
	return out
}

func (b *Binder) repacked(names ...string) {
	for n := range b.claims {
		if slices.Contains(names, b.claims[n].Name) {
			b.claims[n].Mapped = false
		}
	}
}

// transposeTile keeps both sides of a transposition in the nearest cache.
const transposeTile = 32

// transpose copies a matrix [r,c] to [c,r].
func transpose(t *tensor.Tensor) *tensor.Tensor {
	r, c, size := t.Shape[0], t.Shape[1], t.DType.Size()
	out := tensor.New(t.DType, c, r)
	for r0 := 0; r0 < r; r0 += transposeTile {
		for c0 := 0; c0 < c; c0 += transposeTile {
			for y := r0; y < min(r0+transposeTile, r); y++ {
				for x := c0; x < min(c0+transposeTile, c); x++ {
					copy(out.Data[(x*r+y)*size:][:size], t.Data[(y*c+x)*size:][:size])
				}
			}
		}
	}
	return out
}
