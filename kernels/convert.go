package kernels

import (
	"math"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// WidenBF16 computes dst[i] = float32(src[i]) for bfloat16 words; exact. len(dst) must be len(src).
func (o *Ops) WidenBF16(dst []float32, src []uint16) {
	if len(dst) != len(src) {
		panic("kernels.WidenBF16: len(dst) != len(src)")
	}
	o.p.widenBF16(dst, src)
}

// WidenF16 computes dst[i] = float32(src[i]) for IEEE half words; exact. len(dst) must be len(src).
func (o *Ops) WidenF16(dst []float32, src []uint16) {
	if len(dst) != len(src) {
		panic("kernels.WidenF16: len(dst) != len(src)")
	}
	o.p.widenF16(dst, src)
}

// NarrowBF16 rounds src to bfloat16, ties to even; a NaN stays a quiet NaN. len(dst) must be len(src).
func (o *Ops) NarrowBF16(dst []uint16, src []float32) {
	if len(dst) != len(src) {
		panic("kernels.NarrowBF16: len(dst) != len(src)")
	}
	o.p.narrowBF16(dst, src)
}

// NarrowF16 rounds src to IEEE half, ties to even; too large becomes infinity. len(dst) must be len(src).
func (o *Ops) NarrowF16(dst []uint16, src []float32) {
	if len(dst) != len(src) {
		panic("kernels.NarrowF16: len(dst) != len(src)")
	}
	o.p.narrowF16(dst, src)
}

// ClampF16 is NarrowF16 that stays finite: what lies beyond ±65504, infinities too, becomes ±65504. NaN stays NaN.
func (o *Ops) ClampF16(dst []uint16, src []float32) {
	if len(dst) != len(src) {
		panic("kernels.ClampF16: len(dst) != len(src)")
	}
	o.p.clampF16(dst, src)
}

// widenGeneric widens a row of any weight format.
func widenGeneric(dst []float32, src []byte, f format) {
	switch f {
	case f32:
		copy(dst, as[float32](src))
	case bf16:
		widenBF16Generic(dst, as[uint16](src))
	case f16:
		widenF16Generic(dst, as[uint16](src))
	}
}

func widenBF16Generic(dst []float32, src []uint16) {
	for i, b := range src {
		dst[i] = math.Float32frombits(uint32(b) << 16)
	}
}

func widenF16Generic(dst []float32, src []uint16) {
	for i, h := range src {
		dst[i] = halfToF32(h)
	}
}

// halfToF32 moves the fields of a half into place and corrects the exponent by one exact multiplication, which also
// normalises subnormals; faster than taking the cases apart and the same bits.
func halfToF32(h uint16) float32 {
	sign, u := uint32(h&0x8000)<<16, uint32(h&0x7fff)<<13
	if h&0x7c00 == 0x7c00 { // infinity or NaN, which becomes quiet
		u |= 0x7f800000
		if h&0x3ff != 0 {
			u |= 0x400000
		}
		return math.Float32frombits(sign | u)
	}
	return math.Float32frombits(sign | math.Float32bits(math.Float32frombits(u)*0x1p112))
}

func narrowBF16Generic(dst []uint16, src []float32) {
	for i, v := range src {
		dst[i] = tensor.F32ToBF16(v)
	}
}

func narrowF16Generic(dst []uint16, src []float32) {
	for i, v := range src {
		dst[i] = tensor.F32ToF16(v)
	}
}

const maxF16 = 65504

func clampF16Generic(dst []uint16, src []float32) {
	for i, v := range src {
		dst[i] = tensor.F32ToF16(min(max(v, -maxF16), maxF16))
	}
}

// copyF32 is the widening of weights that are f32 already.
func copyF32(dst []float32, src []byte) { copy(dst, as[float32](src)) }
