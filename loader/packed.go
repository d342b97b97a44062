package loader

import (
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// PackedFormat is what the metadata key "format" says in every file of a packed folder.
const PackedFormat = "switchyard-packed"

// PackedAlign is what the address of packed data is a multiple of.
const PackedAlign = 64

// Packed is a weight whose panels a file holds as U8 [Panels, Bytes]: see docs/packed.md.
type Packed struct {
	Name          string
	DType         tensor.DType // of the packed blocks
	Rows, Cols    int          // of the weight
	Panels, Bytes int          // number of panels, bytes of each
	Note          string       // what the file's metadata says of the tensor, as in "q8 1024x2048"
}

// Packed claims a packed weight and gives its bytes at an address that is a multiple of [PackedAlign]: the file's own, or
// a copy where the file holds them askew. What is wrong is a fault for Done; then it gives nil.
func (b *Binder) Packed(p Packed) []byte {
	t, ok := b.c.Tensor(p.Name)
	want := tensor.Shape{p.Panels, p.Bytes}
	if !ok {
		b.fault(ErrMissing, p.Name, "a packed tensor U8 "+want.String(), "none")
		return nil
	}
	b.claim(p.Name, &tensor.Tensor{DType: p.DType, Shape: tensor.Shape{p.Rows, p.Cols}, Data: t.Data}, true)
	f := b.c.where[p.Name]
	switch {
	case f.meta["format"] != PackedFormat:
		b.fault(ErrHeader, p.Name, "a file whose metadata says format "+PackedFormat, "format "+short([]byte(f.meta["format"])))
	case t.DType != tensor.U8:
		b.fault(ErrDType, p.Name, "packed panels in U8", t.DType.String())
	case !t.Shape.Equal(want):
		b.fault(ErrShape, p.Name, "panels "+want.String()+" of "+p.Note, t.Shape.String())
	case f.meta[p.Name] != p.Note:
		b.fault(ErrHeader, p.Name, "metadata "+p.Note, short([]byte(f.meta[p.Name])))
	case askew(t.Data, PackedAlign):
		b.repacked(p.Name)
		return alignedCopy(t.Data)
	default:
		return t.Data
	}
	return nil
}

// Aligned makes n zeroed bytes at an address that is a multiple of [PackedAlign].
func Aligned(n int) []byte {
	b := make([]byte, n+PackedAlign-1)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (PackedAlign - 1))
	return b[skip : skip+n : skip+n]
}

func alignedCopy(b []byte) []byte {
	c := Aligned(len(b))
	copy(c, b)
	return c
}
