package loader

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Binder hands tensors out by name and shape and remembers what was taken, so that Done can report every tensor that is
// missing, misshaped, of a wrong dtype, or left over: a tensor skipped in silence is how models come to speak fluent
// nonsense. Not safe for concurrent use.
type Binder struct {
	c       *Checkpoint
	stems   map[string]int // see countStems
	claimed map[string]bool
	claims  []Claim
	skip    []string
	faults  Faults
	leave   bool // see LeaveTurned
}

// Claim is one tensor in use.
type Claim struct {
	Name   string       `json:"name"`
	DType  string       `json:"dtype"`
	Shape  tensor.Shape `json:"shape"`
	Bytes  int          `json:"bytes"`
	File   string       `json:"file"`
	Mapped bool         `json:"mapped"` // the file's own bytes; otherwise a copy in another order or alignment
}

// NewBinder starts with nothing claimed.
func NewBinder(c *Checkpoint) *Binder {
	return &Binder{c: c, stems: countStems(c.Names()), claimed: map[string]bool{}, skip: []string{"*rotary_emb.inv_freq"}}
}

// Has says whether the checkpoint holds a tensor, without claiming it.
func (b *Binder) Has(name string) bool { return b.c.where[name] != nil }

// Need claims a floating-point tensor of exactly this shape. What is wrong is a fault for Done; dst stays as it was then.
func (b *Binder) Need(dst **tensor.Tensor, name string, shape ...int) {
	if !b.Maybe(dst, name, shape...) && !b.Has(name) {
		b.fault(ErrMissing, name, "a tensor "+tensor.Shape(shape).String(), "none")
	}
}

// Maybe claims a tensor if the checkpoint holds it. It says whether dst was set.
func (b *Binder) Maybe(dst **tensor.Tensor, name string, shape ...int) bool {
	t, ok := b.c.Tensor(name)
	if !ok {
		return false
	}
	b.claim(name, t, b.c.where[name].mapped(name))
	switch {
	case !t.Shape.Equal(shape):
		b.fault(ErrShape, name, "shape "+tensor.Shape(shape).String(), t.Shape.String())
	case !t.DType.IsFloat():
		b.fault(ErrDType, name, "a floating-point dtype", t.DType.String())
	default:
		*dst = t
		return true
	}
	return false
}

// First claims the first of several names that the checkpoint holds; none of them there is a fault about the first.
func (b *Binder) First(dst **tensor.Tensor, names []string, shape ...int) {
	for _, name := range names {
		if b.Has(name) {
			b.Need(dst, name, shape...)
			return
		}
	}
	found := "none"
	if len(names) > 1 {
		found += " (nor " + strings.Join(names[1:], ", ") + ")"
	}
	b.fault(ErrMissing, names[0], "a tensor "+tensor.Shape(shape).String(), found)
}

// Skip declares extra tensors that a checkpoint may hold and that are not used, by patterns as path.Match reads them.
// The tables of rotary embeddings that old checkpoints hold are always skipped: they follow from the config.
func (b *Binder) Skip(patterns ...string) { b.skip = append(b.skip, patterns...) }

func (b *Binder) claim(name string, t *tensor.Tensor, mapped bool) {
	if b.claimed[name] {
		return
	}
	b.claimed[name] = true
	b.claims = append(b.claims, Claim{
		Name: name, DType: t.DType.String(), Shape: t.Shape, Bytes: len(t.Data), File: filepath.Base(b.c.where[name].name), Mapped: mapped,
	})
}

func (b *Binder) fault(kind error, name, want, found string) {
	b.faults = append(b.faults, b.newFault(kind, name, want, found))
}

// newFault names the file that holds the tensor, or the folder where none does.
func (b *Binder) newFault(kind error, name, want, found string) *Fault {
	file := b.c.Dir()
	if f := b.c.where[name]; f != nil {
		file = f.name
	}
	return &Fault{Kind: kind, File: file, Field: name, Want: want, Found: found}
}

// Claims lists what is in use, by name.
func (b *Binder) Claims() []Claim {
	list := slices.Clone(b.claims)
	slices.SortFunc(list, func(x, y Claim) int { return cmp.Compare(x.Name, y.Name) })
	return list
}

// Done gives every fault, those about tensors that nobody claimed included, or nil. Errors: [ErrMissing], [ErrShape],
// [ErrDType], [ErrLayout], [ErrUnclaimed], several of them at once, as [Faults] sorted by tensor name.
func (b *Binder) Done() error {
	faults := slices.Clone(b.faults)
	for _, name := range b.c.Names() {
		if !b.claimed[name] && !b.skips(name) {
			e := b.c.where[name].entries[name]
			found := fmt.Sprintf("one that it does not: %v %v", e.dtype, e.shape)
			faults = append(faults, b.newFault(ErrUnclaimed, name, "only tensors that the model uses", found))
		}
	}
	slices.SortStableFunc(faults, func(x, y *Fault) int { return cmp.Compare(x.Field, y.Field) })
	return faults.err()
}

func (b *Binder) skips(name string) bool {
	return slices.ContainsFunc(b.skip, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}
