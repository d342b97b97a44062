package kernels

import (
	"math"
	"unsafe"
)

// quantGeneric quantises n blocks of 32 activations; the specification of [QuantRows].
func quantGeneric(dst *byte, x *float32, n int) {
	blocks := unsafe.Slice((*quantBlock)(unsafe.Pointer(dst)), n)
	all := unsafe.Slice(x, n*blockDepth)
	for i := range blocks {
		b, x := &blocks[i], (*[blockDepth]float32)(all[i*blockDepth:])
		var inv float32
		b.scale, inv = quantScale(x)
		sum := int32(0)
		for k, v := range x {
			b.q[k] = int8(nearest(float32(v * inv)))
			sum += int32(b.q[k])
		}
		b.start = magicBits - 128*sum
		b.share = float32(b.scale * float32(sum))
	}
}

// quantScale is max|x|/127 and 127/max|x|; bits of |x| order as the numbers do, NaNs above all.
func quantScale(x *[blockDepth]float32) (scale, inv float32) {
	var top uint32
	for _, v := range x {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	m := math.Float32frombits(top)
	if m < quantTiny {
		return 0, 0
	}
	if !(m <= math.MaxFloat32) {
		return float32(math.NaN()), 0
	}
	return m / 127, 127 / m
}

// nearest rounds |v| < 2²² to an integer, ties to even; a NaN gives 0.
func nearest(v float32) int32 {
	if v != v {
		return 0
	}
	return int32(math.Float32bits(v+magic)) - magicBits
}
