package main

import "fmt"

// packedRoom: the tile kernels on packed weights; see matmul_packed.go of package kernels for what they compute and
// packed.go for where things stand.
//
// panel kernels take 1..12 rows of X and one panel as it is stored; memory sets their pace, so they prefetch the
// weights further on. pair kernels take 1..6 rows and two panels, whose scales (and nibbles) have been widened once for
// all rows: then 10 of 11 instructions multiply.
var packedRoom = room{name: "packed", isas: withVNNI, emit: func(f *file, d *decls) {
	if !f.wide() {
		for _, w := range packedFormats {
			for _, s := range [][2]int{{1, 1}, {2, 1}, {3, 1}, {1, 2}, {2, 2}, {1, 4}} {
				panelKernel(f, d, w, s[0], s[1])
			}
		}
		return
	}
	for _, w := range packedFormats {
		for r := 1; r <= panelTile; r++ {
			panelKernel(f, d, w, r, 1)
		}
		for _, p := range []int{2, 4} {
			for r := 1; r <= panelTile/p; r++ {
				panelKernel(f, d, w, r, p)
			}
		}
		for r := 1; r <= pairTile; r++ {
			pairKernel(f, d, w, r)
		}
		widenScales(f, d, w)
	}
	fetchLines(f, d)
	claimRows(f, d)
}}

const (
	panelTile, pairTile = 12, 6

	xStep, xBlock              = 96, 48 // of quantised activations
	xScale, xStart, xShare     = 32, 36, 40
	scaleBlock                 = 192 // of widened scales: ws, magic·ws, wm
	magicReg, maskReg, magicOf = 30, 31, 0x4b400000
)

type packedFormat struct {
	name       string
	head, step int // bytes
	pairStep   int // of widened weights
	pairData   int // where the first block's begin
	ahead      int // steps of prefetches
}

func (w packedFormat) q4() bool { return w.name == "Q4" }

var packedFormats = []packedFormat{{"Q8", 0, 1088, 1088, 64, 2}, {"Q4", 128, 576, 1024, 0, 3}}

// Offsets of packedArgs.
const (
	pkX = 8 * iota
	pkXStride
	pkW
	pkW1
	pkScale
	pkScale1
	pkDst
	pkDst1
	pkDstStride
	pkPrefetch
	pkPrefetch1
	pkLines
	pkSteps
	pkMore
	pkPanel
	pkSum
	pkSum1
	pkSumStride
)

// xRow is the operand at disp of row r of X: SI is row 0, R10 row 6.
func xRow(disp, r int) string {
	if r < 6 {
		return base(disp, "SI", r, "DX", "R8", "R9")
	}
	return base(disp, "R10", r-6, "DX", "R8", "R9")
}

func packedBegin(f *file, d *decls, name, doc string) {
	d.add(f, name, "(a *packedArgs)", doc)
	f.begin(name, fmt.Sprintf("func %s%s(a *packedArgs)", name, f.suffix), 0, 8)
	f.p("MOVQ a+0(FP), AX")
	f.p("MOVQ %d(AX), CX", pkSteps)
}

func xPointers(f *file, rows int) {
	f.p("MOVQ %d(AX), SI", pkX)
	f.p("MOVQ %d(AX), DX", pkXStride)
	f.p("LEAQ (DX)(DX*2), R8")
	f.p("LEAQ (DX)(DX*4), R9")
	if rows > 6 {
		f.p("LEAQ (SI)(R8*2), R10")
	}
}

// panelKernel: rows of X by neighbouring panels. Z0.. sums [panel][row], Z12.. integer sums, Z24 Z25 weights, Z26 ws,
// Z27 magic·ws, Z28 wm. BX is the bytes of a panel, R12 three times that. Each panel is a stream from memory; prefetches
// run ahead by some steps, at the end into what follows.
func panelKernel(f *file, d *decls, w packedFormat, rows, panels int) {
	name := fmt.Sprintf("panel%s%d", w.name, rows)
	if panels > 1 {
		name = fmt.Sprintf("panels%s%dx%d", w.name, rows, panels)
	}
	if rows*panels >= 6 { // steps take longer than memory answers, and leave it idle unless they ask early
		w.ahead = 5
	}
	packedBegin(f, d, name, fmt.Sprintf("multiplies %d rows of X with %d neighbouring panels of %sP.", rows, panels, w.name))
	xPointers(f, rows)
	f.p("MOVQ %d(AX), DI", pkW)
	f.p("MOVQ %d(AX), BX", pkPanel)
	f.p("LEAQ (BX)(BX*2), R12")
	if f.wide() {
		f.p("VPBROADCASTD %s, Z%d", f.bits(magicOf), magicReg)
		f.p("VPBROADCASTD %s, Z%d", f.bits(0x0f0f0f0f), maskReg)
	}
	if w.q4() {
		f.p("MOVQ DI, R13 // D and M")
		f.p("ADDQ $%d, DI", w.head)
	}
	f.p("LEAQ %d(DI), R11", w.ahead*w.step)
	f.p("MOVQ CX, R15")
	f.p("SUBQ $%d, R15 // steps until prefetches reach the end", w.ahead)
	each := 16 / f.lanes // registers of a panel's sums
	for r := range rows * panels * each {
		f.zero(r)
	}
	f.p("PCALIGN $32")
	f.p("step:")
	for b := range 2 {
		lines := []int{}
		half := (w.step/64 + 1) / 2
		for l := b * half; 64*l < w.step && l < (b+1)*half; l++ {
			lines = append(lines, 64*l)
		}
		if f.wide() {
			panelBlock(f, w, rows, panels, b, lines)
		} else {
			halfBlock(f, w, rows, panels, b, lines)
		}
	}
	f.p("ADDQ $%d, DI", w.step)
	f.p("ADDQ $%d, R11", w.step)
	f.p("DECQ R15")
	f.p("JNZ on")
	f.p("MOVQ %d(AX), R11 // from here on what follows", pkPrefetch)
	f.p("on:")
	f.p("ADDQ $%d, SI", xStep)
	if rows > 6 {
		f.p("ADDQ $%d, R10", xStep)
	}
	f.p("DECQ CX")
	f.p("JNZ step")
	f.p("MOVQ %d(AX), DI", pkDst)
	f.p("MOVQ %d(AX), DX", pkDstStride)
	for r := range rows {
		for p := range panels {
			for h := range each {
				f.p("VMOVUPS %s, %d(DI)", f.v((p*rows+r)*each+h), 64*p+f.bytes()*h)
			}
		}
		if r < rows-1 {
			f.p("ADDQ DX, DI")
		}
	}
	f.end()
}

// panelBlock is block b of a step, with prefetches of lines from R11 in between.
func panelBlock(f *file, w packedFormat, rows, panels, b int, lines []int) {
	sum := func(p, r int) string { return fmt.Sprint("Z", panelTile+p*rows+r) }
	panel := func(disp, p int) string { return base(disp, "DI", p, "BX", "R12", "") }
	for p := range panels {
		for r := range rows {
			if w.q4() {
				f.p("VMOVDQA64 Z%d, %s", magicReg, sum(p, r))
			} else {
				f.p("VPBROADCASTD %s, %s", xRow(xBlock*b+xStart, r), sum(p, r))
			}
		}
	}
	dot := func(p, j, t int) {
		for r := range rows {
			f.p("VPDPBUSD.BCST %s, Z%d, %s", xRow(xBlock*b+4*j, r), t, sum(p, r))
		}
	}
	fetch := func(p int) {
		for _, l := range lines {
			f.p("PREFETCHT0 %s", base(l, "R11", p, "BX", "R12", ""))
		}
	}
	for j := 0; j < 8; j += 2 {
		for p := range panels {
			if w.q4() {
				f.p("VMOVDQU64 %s, Z24", panel(64+256*b+32*j, p))
				f.p("VPSRLD $4, Z24, Z25")
				f.p("VPANDD Z%d, Z24, Z24", maskReg)
				f.p("VPANDD Z%d, Z25, Z25", maskReg)
			} else {
				f.p("VMOVDQU64 %s, Z24", panel(64+512*b+64*j, p))
				f.p("VMOVDQU64 %s, Z25", panel(64+512*b+64*j+64, p))
			}
			if p == j/2 { // neighbours in one go, panel by panel
				fetch(p)
			}
			dot(p, j, 24)
			dot(p, j+1, 25)
		}
	}
	for p := range panels {
		panelScales(f, w, b, p)
		for r := range rows {
			f.p("VFMSUB213PS Z27, Z26, %s", sum(p, r))
		}
		for r := range rows {
			f.p("VFMADD231PS.BCST %s, %s, Z%d", xRow(xBlock*b+xScale, r), sum(p, r), p*rows+r)
			if w.q4() {
				f.p("VFMADD231PS.BCST %s, Z28, Z%d", xRow(xBlock*b+xShare, r), p*rows+r)
			}
		}
	}
}

// panelScales widens the scales of block b of panel p.
func panelScales(f *file, w packedFormat, b, p int) {
	panel := func(disp int, ptr string) string { return base(disp, ptr, p, "BX", "R12", "") }
	if w.q4() {
		f.p("VPMOVZXBD %s, Z26", panel(16*b, "DI"))
		f.p("VPMOVSXBD %s, Z28", panel(32+16*b, "DI"))
		f.p("VCVTDQ2PS Z26, Z26")
		f.p("VCVTDQ2PS Z28, Z28")
		f.p("VMULPS %s, Z26, Z26", panel(0, "R13"))
		f.p("VMULPS %s, Z28, Z28", panel(64, "R13"))
	} else {
		f.p("VCVTPH2PS %s, Z26", panel(32*b, "DI"))
	}
	f.p("VMULPS Z%d, Z26, Z27", magicReg)
}

// pairKernel: Z0.. sums of the first panel, Z6.. of the second, Z12.. integer sums the same, Z24 Z25 weights, Z26 x,
// Z27 magic, Z28 Z29 ws, Z30 Z31 magic·ws, then wm.
func pairKernel(f *file, d *decls, w packedFormat, rows int) {
	name := fmt.Sprintf("pair%s%d", w.name, rows)
	packedBegin(f, d, name, fmt.Sprintf("multiplies %d rows of X with two panels of %sP, scales widened.", rows, w.name))
	for p, reg := range []string{"DI", "BX"} {
		f.p("MOVQ %d(AX), %s", pkSum+8*p, reg)
	}
	f.p("MOVQ %d(AX), DX", pkSumStride)
	f.p("CMPQ %d(AX), $0", pkMore)
	f.p("JNE more")
	for p := range 2 {
		for r := range rows {
			f.zero(pairTile*p + r)
		}
	}
	f.p("JMP begin")
	f.p("more:")
	pairDst(f, rows, func(sum int, mem string) { f.p("VMOVUPS %s, Z%d", mem, sum) })
	f.p("begin:")
	xPointers(f, rows)
	for _, p := range []struct {
		at  int
		reg string
	}{{pkW, "DI"}, {pkW1, "BX"}, {pkScale, "R10"}, {pkScale1, "R13"}, {pkPrefetch, "R11"}, {pkPrefetch1, "R12"}} {
		f.p("MOVQ %d(AX), %s", p.at, p.reg)
	}
	if w.q4() {
		f.p("VPBROADCASTD %s, Z27", f.bits(magicOf))
	}
	f.p("PCALIGN $32")
	f.p("step:")
	pairBlock(f, w, rows, 0)
	f.p("MOVQ %d(AX), R15", pkLines)
	f.p("TESTQ R15, R15")
	f.p("JZ fetched")
	f.p("fetch:")
	f.p("PREFETCHT2 (R11)")
	f.p("PREFETCHT2 (R12)")
	f.p("ADDQ $64, R11")
	f.p("ADDQ $64, R12")
	f.p("DECQ R15")
	f.p("JNZ fetch")
	f.p("fetched:")
	pairBlock(f, w, rows, 1)
	f.p("ADDQ $%d, DI", w.pairStep)
	f.p("ADDQ $%d, BX", w.pairStep)
	f.p("ADDQ $%d, R10", 2*scaleBlock)
	f.p("ADDQ $%d, R13", 2*scaleBlock)
	f.p("ADDQ $%d, SI", xStep)
	f.p("DECQ CX")
	f.p("JNZ step")
	for p, reg := range []string{"DI", "BX"} {
		f.p("MOVQ %d(AX), %s", pkDst+8*p, reg)
	}
	f.p("MOVQ %d(AX), DX", pkDstStride)
	pairDst(f, rows, func(sum int, mem string) { f.p("VMOVUPS Z%d, %s", sum, mem) })
	f.end()
}

// pairDst walks the rows of both destinations, DI and BX, which it moves.
func pairDst(f *file, rows int, each func(sum int, mem string)) {
	for r := range rows {
		each(r, "(DI)")
		each(pairTile+r, "(BX)")
		if r < rows-1 {
			f.p("ADDQ DX, DI")
			f.p("ADDQ DX, BX")
		}
	}
}

func pairBlock(f *file, w packedFormat, rows, b int) {
	sum := func(p, r int) string { return fmt.Sprint("Z", 12+pairTile*p+r) }
	// Loads are the narrowest pass: each number of X is loaded once and copied or used twice.
	for r := range rows {
		if w.q4() {
			f.p("VMOVDQA64 Z27, %s", sum(0, r))
		} else {
			f.p("VPBROADCASTD %s, %s", xRow(xBlock*b+xStart, r), sum(0, r))
		}
		f.p("VMOVDQA64 %s, %s", sum(0, r), sum(1, r))
	}
	for j := range 8 {
		at := w.pairData + 512*b + 64*j
		f.p("VMOVDQU64 %d(DI), Z24", at)
		f.p("VMOVDQU64 %d(BX), Z25", at)
		for r := range rows {
			f.p("VPBROADCASTD %s, Z26", xRow(xBlock*b+4*j, r))
			f.p("VPDPBUSD Z26, Z24, %s", sum(0, r))
			f.p("VPDPBUSD Z26, Z25, %s", sum(1, r))
		}
	}
	for p, reg := range []string{"R10", "R13"} {
		f.p("VMOVUPS %d(%s), Z%d", scaleBlock*b, reg, 28+p)
		f.p("VMOVUPS %d(%s), Z%d", scaleBlock*b+64, reg, 30+p)
	}
	for r := range rows {
		for p := range 2 {
			f.p("VFMSUB213PS Z%d, Z%d, %s", 30+p, 28+p, sum(p, r))
		}
	}
	if w.q4() {
		for p, reg := range []string{"R10", "R13"} {
			f.p("VMOVUPS %d(%s), Z%d", scaleBlock*b+128, reg, 30+p)
		}
	}
	for r := range rows {
		f.p("VBROADCASTSS %s, Z26", xRow(xBlock*b+xScale, r))
		for p := range 2 {
			f.p("VFMADD231PS Z26, %s, Z%d", sum(p, r), pairTile*p+r)
		}
		if w.q4() {
			f.p("VBROADCASTSS %s, Z26", xRow(xBlock*b+xShare, r))
			for p := range 2 {
				f.p("VFMADD231PS Z26, Z%d, Z%d", 30+p, pairTile*p+r)
			}
		}
	}
}

// fetchLines asks for memory that will be wanted in some microseconds.
func fetchLines(f *file, d *decls) {
	d.add(f, "fetch", "(p uintptr, lines int)", "prefetches lines > 0 of 64 bytes into the second cache.")
	f.begin("fetch", fmt.Sprintf("func fetch%s(p uintptr, lines int)", f.suffix), 0, 16)
	f.p("MOVQ p+0(FP), SI")
	f.p("MOVQ lines+8(FP), CX")
	f.p("loop:")
	f.p("PREFETCHT2 (SI)")
	f.p("ADDQ $64, SI")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("RET")
}

// claimRows asks for memory that will be written.
func claimRows(f *file, d *decls) {
	d.add(f, "claim", "(p uintptr, stride, rows int)", "prefetches three lines of each of rows > 0 rows for writing.")
	f.begin("claim", fmt.Sprintf("func claim%s(p uintptr, stride, rows int)", f.suffix), 0, 24)
	f.p("MOVQ p+0(FP), SI")
	f.p("MOVQ stride+8(FP), DX")
	f.p("MOVQ rows+16(FP), CX")
	f.p("loop:")
	f.p("BYTE $0x0f; BYTE $0x0d; BYTE $0x0e // PREFETCHW (SI)")
	f.p("BYTE $0x0f; BYTE $0x0d; BYTE $0x4e; BYTE $0x40 // PREFETCHW 64(SI)")
	f.p("BYTE $0x0f; BYTE $0x0d; BYTE $0x8e; LONG $0x00000080 // PREFETCHW 128(SI)")
	f.p("ADDQ DX, SI")
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.p("RET")
}

// widenScales prepares steps of a panel for pair kernels.
func widenScales(f *file, d *decls, w packedFormat) {
	name := "widen" + w.name
	doc := "widens the scales of steps of a panel of " + w.name + "P."
	sig := "(scales, panel *byte, steps int)"
	size := 24
	if w.q4() {
		doc = "widens the scales, mins and nibbles of steps of a panel of Q4P, whose head is given apart."
		sig = "(scales, data, panel, head *byte, steps int)"
		size = 40
	}
	d.add(f, name, sig, doc)
	f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 0, size)
	f.p("MOVQ scales+0(FP), DI")
	f.p("VPBROADCASTD %s, Z%d", f.bits(magicOf), magicReg)
	if w.q4() {
		f.p("MOVQ data+8(FP), R8")
		f.p("MOVQ panel+16(FP), SI")
		f.p("MOVQ head+24(FP), BX")
		f.p("MOVQ steps+32(FP), CX")
		f.p("VPBROADCASTD %s, Z%d", f.bits(0x0f0f0f0f), maskReg)
		f.p("VMOVUPS (BX), Z2 // D")
		f.p("VMOVUPS 64(BX), Z3 // M")
	} else {
		f.p("MOVQ panel+8(FP), SI")
		f.p("MOVQ steps+16(FP), CX")
	}
	f.p("step:")
	for b := range 2 {
		widenBlockScales(f, w, b, scaleBlock*b)
		if w.q4() {
			for j := range 4 {
				f.p("VMOVDQU64 %d(SI), Z5", 64+256*b+64*j)
				f.p("VPSRLD $4, Z5, Z6")
				f.p("VPANDD Z%d, Z5, Z5", maskReg)
				f.p("VPANDD Z%d, Z6, Z6", maskReg)
				f.p("VMOVDQU64 Z5, %d(R8)", 512*b+128*j)
				f.p("VMOVDQU64 Z6, %d(R8)", 512*b+128*j+64)
			}
		}
	}
	f.p("ADDQ $%d, SI", w.step)
	f.p("ADDQ $%d, DI", 2*scaleBlock)
	if w.q4() {
		f.p("ADDQ $%d, R8", w.pairStep)
	}
	f.p("DECQ CX")
	f.p("JNZ step")
	f.end()
}

// widenBlockScales widens the scales, and mins, of block b of a step of a panel at SI to disp(DI); Z2 and Z3 are D and M.
func widenBlockScales(f *file, w packedFormat, b, disp int) {
	if w.q4() {
		f.p("VPMOVZXBD %d(SI), Z0", 16*b)
		f.p("VPMOVSXBD %d(SI), Z4", 32+16*b)
		f.p("VCVTDQ2PS Z0, Z0")
		f.p("VCVTDQ2PS Z4, Z4")
		f.p("VMULPS Z2, Z0, Z0")
		f.p("VMULPS Z3, Z4, Z4")
		f.p("VMOVUPS Z4, %d(DI)", disp+128)
	} else {
		f.p("VCVTPH2PS %d(SI), Z0", 32*b)
	}
	f.p("VMULPS Z%d, Z0, Z1", magicReg)
	f.p("VMOVUPS Z0, %d(DI)", disp)
	f.p("VMOVUPS Z1, %d(DI)", disp+64)
}
