package loader

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Binder hands tensors out by name and shape and remembers what was taken, so that Done can report every tensor that is
// missing, misshaped, of a wrong dtype, or left over: a tensor skipped in silence is how models come to speak fluent
// nonsense. Not safe for concurrent use.
type Binder struct {
	c       *Checkpoint
	claimed map[string]bool
	claims  []Claim
	skip    []string
	faults  Faults
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
func NewBinder(c *Checkpoint) *Binder { return &Binder{c: c, claimed: map[string]bool{}} }

// Has says whether the checkpoint holds a tensor, without claiming it.
func (b *Binder) Has(name string) bool { return b.c.where[name] != nil }

// Need claims a floating-point tensor of exactly this shape. What is wrong is a fault for Done; dst stays nil then.
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
	if !t.Shape.Equal(shape) {
		b.fault(ErrShape, name, "shape "+tensor.Shape(shape).String(), t.Shape.String())
		return false
	}
	if !t.DType.IsFloat() {
		b.fault(ErrDType, name, "a floating-point dtype", t.DType.String())
		return false
	}
	*dst = t
	return true
}

// First claims the first of several names that the checkpoint holds; none is a fault about the first.
func (b *Binder) First(dst **tensor.Tensor, names []string, shape ...int) {
	for _, name := range names {
		if b.Has(name) {
			b.Need(dst, name, shape...)
			return
		}
	}
	b.fault(ErrMissing, names[0], "a tensor "+tensor.Shape(shape).String(), "none (nor "+strings.Join(names[1:], ", ")+")")
}

// Skip declares extra tensors that a checkpoint may hold and that are not used, by patterns as path.Match reads them.
func (b *Binder) Skip(patterns ...string) { b.skip = append(b.skip, patterns...) }

func (b *Binder) claim(name string, t *tensor.Tensor, mapped bool) {
	if b.claimed[name] {
		return
	}
	b.claimed[name] = true
	b.claims = append(b.claims, Claim{
		Name: name, DType: t.DType.String(), Shape: t.Shape, Bytes: len(t.Data), File: path.Base(b.c.where[name].name), Mapped: mapped,
	})
}

func (b *Binder) fault(kind error, name, want, found string) {
	b.faults = append(b.faults, &Fault{Kind: kind, File: b.c.Dir(), Field: name, Want: want, Found: found})
}

// Claims lists what is in use, by name.
func (b *Binder) Claims() []Claim {
	slices.SortFunc(b.claims, func(x, y Claim) int { return cmp.Compare(x.Name, y.Name) })
	return slices.Clone(b.claims)
}

// Done gives every fault, those about tensors that nobody claimed included, or nil. Errors: [ErrMissing], [ErrShape],
// [ErrDType], [ErrLayout], [ErrUnclaimed], several of them at once.
func (b *Binder) Done() error {
	for _, name := range b.c.Names() {
		if !b.claimed[name] && !b.skips(name) {
			b.fault(ErrUnclaimed, name, "only tensors that the model uses", "one that it does not")
		}
	}
	slices.SortStableFunc(b.faults, func(x, y *Fault) int { return cmp.Compare(x.Field, y.Field) })
	return b.faults.err()
}

func (b *Binder) skips(name string) bool {
	return slices.ContainsFunc(append([]string{"*rotary_emb.inv_freq"}, b.skip...), func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}
