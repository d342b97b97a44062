//go:build !purego

package kernels

func levelNEON() level {
	p := primsGeneric()
	p.sum, p.sumSq, p.dot, p.max, p.expSum = sumNEON, sumSqNEON, dotNEON, maxNEON, expSumNEON
	p.scale, p.add, p.mulScale, p.rope = scaleNEON, addNEON, mulScaleNEON, ropeNEON
	p.axpy = func(dst []float32, a float32, x []float32) { axpyNEON(dst, x, a) }
	p.affine = func(dst, x, w, b []float32, mean, s float32) {
		centerNEON(dst, x, w, mean, s)
		if b != nil {
			addNEON(dst, b)
		}
	}
	p.act[SiLU], p.act[GELUTanh], p.act[GELU], p.act[ReLU], p.act[ReLU2] = siluNEON, geluTanhNEON, geluNEON, reluNEON, relu2NEON
	p.actMul[SiLU], p.actMul[GELUTanh], p.actMul[GELU] = siluMulNEON, geluTanhMulNEON, geluMulNEON
	p.actMul[ReLU], p.actMul[ReLU2] = reluMulNEON, relu2MulNEON
	p.attnScores, p.attnMix, p.clampF16 = attnScoresNEON, attnMixNEON, clampF16SliceNEON
	p.softmaxStep = softmaxStepNEON
	p.cols[0] = [colsRows + 1]colsFunc{nil, colsF321NEON, colsF322NEON, colsF323NEON, colsF324NEON, colsF325NEON, colsF326NEON}
	p.cols[1] = [colsRows + 1]colsFunc{nil, colsF161NEON, colsF162NEON, colsF163NEON, colsF164NEON, colsF165NEON, colsF166NEON}
	p.widenBF16, p.widenF16 = widenBF16SliceNEON, widenF16SliceNEON
	p.narrowBF16, p.narrowF16 = narrowBF16SliceNEON, narrowF16SliceNEON
	return level{name: "neon", prims: p, packed: packedNEON(), mat: matNEON(),
		peak: peakKernels{f32: peakF32NEON, flops: 2 * 24 * 4, read: readAllNEON, i8: peakI8NEON, ops: 2 * 24 * 8}}
}

// levelNEONDot is neon with dot products of bytes.
func levelNEONDot() level {
	l := levelNEON()
	l.name, l.packed = "neondot", packedNEONDot()
	l.peak.i8, l.peak.ops = peakI8NEONDot, 2*24*16
	return l
}

func matNEON() matKernels {
	m := matKernels{lanes: 8, rows: 3}
	m.tile[f32] = kernelsByRows{nil, tileF321x4NEON, tileF322x4NEON, tileF323x4NEON}
	m.tile[bf16] = kernelsByRows{nil, tileBF161x4NEON, tileBF162x4NEON, tileBF163x4NEON}
	m.tile[f16] = kernelsByRows{nil, tileF161x4NEON, tileF162x4NEON, tileF163x4NEON}
	m.row = [numFormats]kernelsByRows{{nil, rowF32NEON}, {nil, rowBF16NEON}, {nil, rowF16NEON}}
	m.first[f32] = kernelsByRows{nil, nil, firstF322x4NEON, firstF323x4NEON}
	m.first[bf16] = kernelsByRows{nil, nil, firstBF162x4NEON, firstBF163x4NEON}
	m.first[f16] = kernelsByRows{nil, nil, firstF162x4NEON, firstF163x4NEON}
	m.panel = kernelsByRows{nil, nil, panel2x4NEON, panel3x4NEON}
	m.widen[f32] = copyF32
	m.widen[bf16] = func(dst []float32, src []byte) { widenBF16SliceNEON(dst, as[uint16](src)) }
	m.widen[f16] = func(dst []float32, src []byte) { widenF16SliceNEON(dst, as[uint16](src)) }
	return m
}

func packedNEON() packKernels {
	k := packedTiles{}
	k.panel[q8] = []func(*packedArgs){nil, panelQ81NEON, panelQ82NEON, panelQ83NEON}
	k.panel[q4] = []func(*packedArgs){nil, panelQ41NEON, panelQ42NEON, panelQ43NEON}
	p := packedGeneric()
	p.macs, p.quant, p.panel = 2<<20, quantNEON, k.runPanel
	p.pack[q8] = func(p *panelPacking) {
		if p.steps > 0 {
			packQ8NEON(&p.dst[0], &p.w[0], 4*p.stride(), p.steps)
		}
	}
	return p
}

func packedNEONDot() packKernels {
	k := packedTiles{}
	k.panel[q8] = []func(*packedArgs){nil, panelQ81NEONDot, panelQ82NEONDot, panelQ83NEONDot}
	k.panel[q4] = []func(*packedArgs){nil, panelQ41NEONDot, panelQ42NEONDot, panelQ43NEONDot}
	p := packedNEON()
	p.macs, p.panel = 4<<20, k.runPanel
	return p
}

// The conversions do whole registers in assembly and the rest in Go: both are exact, so bits agree.

func widenBF16SliceNEON(dst []float32, src []uint16) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		widenBF16NEON(&dst[0], &src[0], n)
	}
	widenBF16Generic(dst[n:], src[n:])
}

func widenF16SliceNEON(dst []float32, src []uint16) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		widenF16NEON(&dst[0], &src[0], n)
	}
	widenF16Generic(dst[n:], src[n:])
}

func narrowBF16SliceNEON(dst []uint16, src []float32) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		narrowBF16NEON(&dst[0], &src[0], n)
	}
	narrowBF16Generic(dst[n:], src[n:])
}

func narrowF16SliceNEON(dst []uint16, src []float32) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		narrowF16NEON(&dst[0], &src[0], n)
	}
	narrowF16Generic(dst[n:], src[n:])
}

func clampF16SliceNEON(dst []uint16, src []float32) {
	n := len(src) &^ (8 - 1)
	if n > 0 {
		clampF16NEON(&dst[0], &src[0], n)
	}
	clampF16Generic(dst[n:], src[n:])
}
