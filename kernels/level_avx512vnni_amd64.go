//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

func levelAVX512VNNI() level {
	p := primsGeneric()
	p.sum, p.sumSq, p.dot, p.max, p.expSum = sumAVX512, sumSqAVX512, dotAVX512, maxAVX512, expSumAVX512
	p.scale, p.add, p.mulScale, p.rope = scaleAVX512, addAVX512, mulScaleAVX512, ropeAVX512
	p.axpy = func(dst []float32, a float32, x []float32) { axpyAVX512(dst, x, a) }
	p.affine = func(dst, x, w, b []float32, mean, s float32) {
		centerAVX512(dst, x, w, mean, s)
		if b != nil {
			addAVX512(dst, b)
		}
	}
	p.act[SiLU], p.act[GELUTanh], p.act[GELU], p.act[ReLU], p.act[ReLU2] = siluAVX512, geluTanhAVX512, geluAVX512, reluAVX512, relu2AVX512
	p.actMul[SiLU], p.actMul[GELUTanh], p.actMul[GELU] = siluMulAVX512, geluTanhMulAVX512, geluMulAVX512
	p.actMul[ReLU], p.actMul[ReLU2] = reluMulAVX512, relu2MulAVX512
	p.attnScores, p.attnMix, p.clampF16 = attnScoresAVX512, attnMixAVX512, clampF16SliceAVX512
	p.softmaxStep = softmaxStepAVX512
	p.cols[0] = [colsRows + 1]colsFunc{nil, colsF321AVX512, colsF322AVX512, colsF323AVX512, colsF324AVX512, colsF325AVX512, colsF326AVX512}
	p.cols[1] = [colsRows + 1]colsFunc{nil, colsF161AVX512, colsF162AVX512, colsF163AVX512, colsF164AVX512, colsF165AVX512, colsF166AVX512}
	p.widenBF16, p.widenF16 = widenBF16SliceAVX512, widenF16SliceAVX512
	p.narrowBF16, p.narrowF16 = narrowBF16SliceAVX512, narrowF16SliceAVX512
	return level{name: "avx512vnni", prims: p, packed: packedAVX512VNNI(), mat: matAVX512(), peak: peakKernels{f32: peakF32AVX512, flops: 2 * 24 * 16, bf16: peakBF16(), read: readAllAVX512, i8: peakI8AVX512, ops: 2 * 24 * 64}}
}

func matAVX512() matKernels {
	m := matKernels{lanes: 16, rows: 6}
	m.tile[f32] = kernelsByRows{nil, tileF321x4AVX512, tileF322x4AVX512, tileF323x4AVX512, tileF324x4AVX512, tileF325x4AVX512, tileF326x4AVX512}
	m.tile[bf16] = kernelsByRows{nil, tileBF161x4AVX512, tileBF162x4AVX512, tileBF163x4AVX512, tileBF164x4AVX512, tileBF165x4AVX512, tileBF166x4AVX512}
	m.tile[f16] = kernelsByRows{nil, tileF161x4AVX512, tileF162x4AVX512, tileF163x4AVX512, tileF164x4AVX512, tileF165x4AVX512, tileF166x4AVX512}
	m.row = [numFormats]kernelsByRows{{nil, rowF32AVX512}, {nil, rowBF16AVX512}, {nil, rowF16AVX512}}
	m.first[f32] = kernelsByRows{nil, nil, nil, firstF323x4AVX512, firstF324x4AVX512, firstF325x4AVX512, firstF326x4AVX512}
	m.first[bf16] = kernelsByRows{nil, nil, nil, firstBF163x4AVX512, firstBF164x4AVX512, firstBF165x4AVX512, firstBF166x4AVX512}
	m.first[f16] = kernelsByRows{nil, nil, nil, firstF163x4AVX512, firstF164x4AVX512, firstF165x4AVX512, firstF166x4AVX512}
	m.panel = kernelsByRows{nil, nil, nil, panel3x4AVX512, panel4x4AVX512, panel5x4AVX512, panel6x4AVX512}
	if cpu.X86.HasAVX512BF16 {
		m.dot = kernelsByRows{nil, dotBF161x4AVX512, dotBF162x4AVX512, dotBF163x4AVX512, dotBF164x4AVX512, dotBF165x4AVX512, dotBF166x4AVX512}
	}
	m.lane = laneKernels{packX: packLanesXAVX512, packW: [numFormats]lanePacker{packLanesWAVX512, packLanesBF16AVX512}, unit: [numFormats]int{16, 32}}
	copy(m.lane.tile[10:], []func(*laneArgs){lanes10x32AVX512, lanes11x32AVX512, lanes12x32AVX512})
	m.widen[f32] = copyF32
	m.widen[bf16] = func(dst []float32, src []byte) { widenBF16SliceAVX512(dst, as[uint16](src)) }
	m.widen[f16] = func(dst []float32, src []byte) { widenF16SliceAVX512(dst, as[uint16](src)) }
	return m
}

// The conversions do whole registers in assembly and the rest in Go: both are exact, so bits agree.

func widenBF16SliceAVX512(dst []float32, src []uint16) {
	n := len(src) &^ (16 - 1)
	if n > 0 {
		widenBF16AVX512(&dst[0], &src[0], n)
	}
	widenBF16Generic(dst[n:], src[n:])
}

func widenF16SliceAVX512(dst []float32, src []uint16) {
	n := len(src) &^ (16 - 1)
	if n > 0 {
		widenF16AVX512(&dst[0], &src[0], n)
	}
	widenF16Generic(dst[n:], src[n:])
}

func narrowBF16SliceAVX512(dst []uint16, src []float32) {
	n := len(src) &^ (16 - 1)
	if n > 0 {
		narrowBF16AVX512(&dst[0], &src[0], n)
	}
	narrowBF16Generic(dst[n:], src[n:])
}

func narrowF16SliceAVX512(dst []uint16, src []float32) {
	n := len(src) &^ (16 - 1)
	if n > 0 {
		narrowF16AVX512(&dst[0], &src[0], n)
	}
	narrowF16Generic(dst[n:], src[n:])
}

func clampF16SliceAVX512(dst []uint16, src []float32) {
	n := len(src) &^ (16 - 1)
	if n > 0 {
		clampF16AVX512(&dst[0], &src[0], n)
	}
	clampF16Generic(dst[n:], src[n:])
}

// peakBF16 is nil where the CPU has no bf16 dot product.
func peakBF16() func(n int) {
	if !cpu.X86.HasAVX512BF16 {
		return nil
	}
	return peakBF16AVX512
}
