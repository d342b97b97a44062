package loader

import (
	"slices"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// fused claims the two tensors of a layer and cuts them into experts.
func (b *Binder) fused(prefix string, l fused, e, i, h int) ExpertTensors {
	gateUp, down := prefix+l.gateUp, prefix+l.down
	if b.isTransposed(l, gateUp, down, e, i, h) {
		return b.fusedTransposed(gateUp, down, e, i, h)
	}
	var gu, d *tensor.Tensor
	b.Need(&gu, gateUp, e, 2*i, h)
	b.Need(&d, down, e, h, i)
	name := l.name
	if name == "E" {
		name = "D'"
	}
	if gu == nil || d == nil {
		return ExpertTensors{}
	}
	out := newExperts(name, e)
	for x := range e {
		both := gu.Index(x)
		out.Gate[x], out.Up[x], out.Down[x] = both.Rows(0, i), both.Rows(i, 2*i), d.Index(x)
		out.GateName[x], out.UpName[x], out.DownName[x] = gateUp, gateUp, down
	}
	return out
}

// isTransposed looks at both shapes: 2I = H and I = H cannot both hold, so together they are never ambiguous. Where the
// two agree on neither way, the name decides which way the faults are told.
func (b *Binder) isTransposed(l fused, gateUp, down string, e, i, h int) bool {
	fits := func(name string, shape ...int) bool {
		f := b.c.where[name]
		return f != nil && f.entries[name].shape.Equal(shape)
	}
	straight := fits(gateUp, e, 2*i, h) && fits(down, e, h, i)
	turned := fits(gateUp, e, h, 2*i) && fits(down, e, i, h)
	return l.transposed && !straight && (turned || l.name == "E")
}

// fusedTransposed repacks [E,in,out] into [out,in] for each expert, or leaves that to the caller.
func (b *Binder) fusedTransposed(gateUp, down string, e, i, h int) ExpertTensors {
	var gu, d *tensor.Tensor
	b.Need(&gu, gateUp, e, h, 2*i)
	b.Need(&d, down, e, i, h)
	if !b.leave {
		b.repacked(gateUp, down)
	}
	if gu == nil || d == nil {
		return ExpertTensors{}
	}
	out := newExperts("E", e)
	for x := range e {
		out.GateName[x], out.UpName[x], out.DownName[x] = gateUp, gateUp, down
		if b.leave {
			both := gu.Index(x)
			out.Turned = append(out.Turned, [3]Turned{{both, 0, i}, {both, i, i}, {d.Index(x), 0, h}})
			continue
		}
		both := transpose(gu.Index(x))
		out.Gate[x], out.Up[x], out.Down[x] = both.Rows(0, i), both.Rows(i, 2*i), transpose(d.Index(x))
	}
	if b.leave {
		out.Gate, out.Up, out.Down = nil, nil, nil
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
