package tensor

import (
	"fmt"
	"math"

	"github.com/x448/float16"
)

// BF16ToF32 widens a bfloat16 (the upper half of a float32); exact.
func BF16ToF32(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even; a NaN stays a (quiet) NaN.
func F32ToBF16(f float32) uint16 {
	u := math.Float32bits(f)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7fff + (u>>16)&1) >> 16)
}

// F16ToF32 widens an IEEE half; exact.
func F16ToF32(h uint16) float32 { return float16.Frombits(h).Float32() }

// F32ToF16 rounds to the nearest IEEE half, ties to even; too large becomes infinity.
func F32ToF16(f float32) uint16 { return float16.Fromfloat32(f).Bits() }

// F8E4M3ToF32 widens an 8-bit float of the E4M3FN kind: bias 7, no infinity, 0x7f and 0xff are NaN, largest 448.
func F8E4M3ToF32(b uint8) float32 {
	exp, man := int(b>>3&15), float64(b&7)
	v := math.Ldexp(1+man/8, exp-7)
	switch {
	case b&0x7f == 0x7f:
		v = math.NaN()
	case exp == 0:
		v = math.Ldexp(man, -9)
	}
	return signed(b, v)
}

// F8E5M2ToF32 widens an 8-bit float of the E5M2 kind: the upper byte of an IEEE half.
func F8E5M2ToF32(b uint8) float32 { return F16ToF32(uint16(b) << 8) }

func signed(b uint8, v float64) float32 {
	if b&0x80 != 0 {
		v = -v
	}
	return float32(v)
}

// ToF32 widens every element of a floating-point or integer tensor into dst, which must have room for all of them.
// It is the plain definition; kernels have the fast ones.
func ToF32(dst []float32, t *Tensor) error {
	get, err := getter(t)
	if err != nil {
		return err
	}
	if len(dst) < t.Elems() {
		return fmt.Errorf("tensor.ToF32: room for %d values, want %d", len(dst), t.Elems())
	}
	for i := range t.Elems() {
		dst[i] = get(i)
	}
	return nil
}

// getter returns a function that reads element i as f32, whatever the alignment.
func getter(t *Tensor) (func(i int) float32, error) {
	d := t.Data
	u16 := func(i int) uint16 { return uint16(d[2*i]) | uint16(d[2*i+1])<<8 }
	u32 := func(i int) uint32 { return uint32(u16(2*i)) | uint32(u16(2*i+1))<<16 }
	u64 := func(i int) uint64 { return uint64(u32(2*i)) | uint64(u32(2*i+1))<<32 }
	switch t.DType {
	case F64:
		return func(i int) float32 { return float32(math.Float64frombits(u64(i))) }, nil
	case F32:
		return func(i int) float32 { return math.Float32frombits(u32(i)) }, nil
	case F16:
		return func(i int) float32 { return F16ToF32(u16(i)) }, nil
	case BF16:
		return func(i int) float32 { return BF16ToF32(u16(i)) }, nil
	case F8E4M3:
		return func(i int) float32 { return F8E4M3ToF32(d[i]) }, nil
	case F8E5M2:
		return func(i int) float32 { return F8E5M2ToF32(d[i]) }, nil
	case I64:
		return func(i int) float32 { return float32(int64(u64(i))) }, nil
	case I32:
		return func(i int) float32 { return float32(int32(u32(i))) }, nil
	case I16:
		return func(i int) float32 { return float32(int16(u16(i))) }, nil
	case I8:
		return func(i int) float32 { return float32(int8(d[i])) }, nil
	case U8, Bool:
		return func(i int) float32 { return float32(d[i]) }, nil
	}
	return nil, fmt.Errorf("tensor: %v has no conversion to f32", t.DType)
}
