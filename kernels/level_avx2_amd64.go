//go:build !purego

package kernels

func levelAVX2() level {
	p := primsGeneric()
	p.sum, p.sumSq, p.dot, p.max, p.expSum = sumAVX2, sumSqAVX2, dotAVX2, maxAVX2, expSumAVX2
	p.scale, p.add, p.mulScale, p.rope = scaleAVX2, addAVX2, mulScaleAVX2, ropeAVX2
	p.axpy = func(dst []float32, a float32, x []float32) { axpyAVX2(dst, x, a) }
	p.affine = func(dst, x, w, b []float32, mean, s float32) {
		centerAVX2(dst, x, w, mean, s)
		if b != nil {
			addAVX2(dst, b)
		}
	}
	p.act[SiLU], p.act[GELUTanh], p.act[GELU], p.act[ReLU], p.act[ReLU2] = siluAVX2, geluTanhAVX2, geluAVX2, reluAVX2, relu2AVX2
	p.actMul[SiLU], p.actMul[GELUTanh], p.actMul[GELU] = siluMulAVX2, geluTanhMulAVX2, geluMulAVX2
	p.actMul[ReLU], p.actMul[ReLU2] = reluMulAVX2, relu2MulAVX2
	p.attnScores, p.attnMix, p.clampF16 = attnScoresAVX2, attnMixAVX2, clampF16SliceAVX2
	p.softmaxStep = softmaxStepAVX2
	p.cols[0] = [colsRows + 1]colsFunc{nil, colsF321AVX2, colsF322AVX2, colsF323AVX2, colsF324AVX2, colsF325AVX2, colsF326AVX2}
	p.cols[1] = [colsRows + 1]colsFunc{nil, colsF161AVX2, colsF162AVX2, colsF163AVX2, colsF164AVX2, colsF165AVX2, colsF166AVX2}
	p.widenBF16, p.widenF16 = widenBF16SliceAVX2, widenF16SliceAVX2
	p.narrowBF16, p.narrowF16 = narrowBF16SliceAVX2, narrowF16SliceAVX2
	return level{name: "avx2", prims: p, packed: packedAVX2(), mat: matAVX2(), peak: peakKernels{f32: peakF32AVX2, flops: 2 * 12 * 8, read: readAllAVX2, i8: peakI8AVX2, ops: 2 * 12 * 16}}
}

// levelAVXVNNI is avx2 with dot products of bytes.
func levelAVXVNNI() level {
	l := levelAVX2()
	l.name, l.packed = "avxvnni", packedAVXVNNI()
	l.peak.i8, l.peak.ops = peakI8AVXVNNI, 2*12*32
	return l
}

func matAVX2() matKernels {
	m := matKernels{lanes: 8, rows: 3}
	m.tile[f32] = kernelsByRows{nil, tileF321x4AVX2, tileF322x4AVX2, tileF323x4AVX2}
	m.tile[bf16] = kernelsByRows{nil, tileBF161x4AVX2, tileBF162x4AVX2, tileBF163x4AVX2}
	m.tile[f16] = kernelsByRows{nil, tileF161x4AVX2, tileF162x4AVX2, tileF163x4AVX2}
	m.row = [numFormats]kernelsByRows{{nil, rowF32AVX2}, {nil, rowBF16AVX2}, {nil, rowF16AVX2}}
	m.first[f32] = kernelsByRows{nil, nil, firstF322x4AVX2, firstF323x4AVX2}
	m.first[bf16] = kernelsByRows{nil, nil, firstBF162x4AVX2, firstBF163x4AVX2}
	m.first[f16] = kernelsByRows{nil, nil, firstF162x4AVX2, firstF163x4AVX2}
	m.panel = kernelsByRows{nil, nil, panel2x4AVX2, panel3x4AVX2}
	m.widen[f32] = copyF32
	m.widen[bf16] = func(dst []float32, src []byte) { widenBF16SliceAVX2(dst, as[uint16](src)) }
	m.widen[f16] = func(dst []float32, src []byte) { widenF16SliceAVX2(dst, as[uint16](src)) }
	return m
}

// The conversions do whole registers in assembly and the rest in Go: both are exact, so bits agree.

func widenBF16SliceAVX2(dst []float32, src []uint16) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		widenBF16AVX2(&dst[0], &src[0], n)
	}
	widenBF16Generic(dst[n:], src[n:])
}

func widenF16SliceAVX2(dst []float32, src []uint16) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		widenF16AVX2(&dst[0], &src[0], n)
	}
	widenF16Generic(dst[n:], src[n:])
}

func narrowBF16SliceAVX2(dst []uint16, src []float32) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		narrowBF16AVX2(&dst[0], &src[0], n)
	}
	narrowBF16Generic(dst[n:], src[n:])
}

func narrowF16SliceAVX2(dst []uint16, src []float32) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		narrowF16AVX2(&dst[0], &src[0], n)
	}
	narrowF16Generic(dst[n:], src[n:])
}

func clampF16SliceAVX2(dst []uint16, src []float32) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		clampF16AVX2(&dst[0], &src[0], n)
	}
	clampF16Generic(dst[n:], src[n:])
}
