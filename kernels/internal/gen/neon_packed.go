package main

import "fmt"

// armPanels: the panel kernels of neon and neondot, 1..3 rows of X by one panel as it is stored; see matmul_packed.go of
// package kernels for what they compute and packed.go for where things stand.
//
//	R0 args  R4..R6 rows of X  R8 the step of the panel  R9 head of a Q4P panel  R13 dst  R19 steps left
//	registers: acc[row][quad of columns], X of the block in pairs, sums, then
//	24, 25 weights  26 flips q+128 to q, or masks nibbles  27 magic  28..31 temporary
//
// With SDOT two quads at a time are multiplied, so that six chains of sums are open. Without it bytes are multiplied
// into 16-bit sums of two, 128·127·2 at most, or of the eight of a block of nibbles, 15·127·8, and those added in pairs.
func armPanels(f *arm, dot bool) {
	for _, w := range packedFormats {
		for r := 1; r <= armTileRows; r++ {
			armPanel(f, w, r, dot)
		}
	}
}

// Registers of a panel kernel.
const (
	armWeight = 24 + iota*2
	armMask
	armTemp
	armMagic = armMask + 1
)

// armPanelRegs says where the registers of a kernel with so many rows are.
type armPanelRegs struct {
	w    packedFormat
	rows int
	dot  bool
}

func (k armPanelRegs) acc(r, quad int) int { return 4*r + quad }
func (k armPanelRegs) x(r int) int         { return 4*k.rows + 2*r }
func (k armPanelRegs) sum(r, i int) int    { return 6*k.rows + 2*r + i }

func armPanel(f *arm, w packedFormat, rows int, dot bool) {
	k := armPanelRegs{w, rows, dot}
	f.begin(fmt.Sprintf("panel%s%d", w.name, rows), "(a *packedArgs)", fmt.Sprintf("multiplies %d rows of X with a panel of %sP.", rows, w.name), 8)
	f.p("MOVD a+0(FP), R0")
	f.p("MOVD %d(R0), R1", pkX)
	f.p("MOVD %d(R0), R2", pkXStride)
	armRows(f, 4, 1, "R2", rows)
	f.p("MOVD %d(R0), R9", pkW)
	f.p("ADD $%d, R9, R8", w.head)
	f.p("MOVD %d(R0), R13", pkDst)
	f.p("MOVD %d(R0), R14", pkDstStride)
	f.p("MOVD %d(R0), R19", pkSteps)
	f.p("MOVD $%#x, R20", magicOf)
	f.dupr(armMagic, 20)
	if w.q4() {
		f.movib(armMask, 15)
	} else {
		f.movib(armMask, 128)
	}
	for a := range 4 * rows {
		f.zero(a)
	}
	f.p("CBZ R19, done")
	f.p("PCALIGN $32")
	f.p("step:")
	for b := range 2 {
		k.block(f, b)
	}
	f.p("ADD $%d, R8", w.step)
	for r := range rows {
		f.p("ADD $%d, R%d", xStep, 4+r)
	}
	f.p("SUBS $1, R19")
	f.p("BNE step")
	f.p("done:")
	for r := range rows {
		f.stp(k.acc(r, 0), 13, 0)
		f.stp(k.acc(r, 2), 13, 32)
		f.p("ADD R14, R13")
	}
	f.p("RET")
}

func (k armPanelRegs) block(f *arm, b int) {
	for r := range k.rows {
		f.ldp(k.x(r), 4+r, xBlock*b)
	}
	if k.dot {
		for quad := 0; quad < 4; quad += 2 {
			k.dots(f, b, quad)
			for i := range 2 {
				k.scales(f, b, quad+i, i)
			}
		}
		return
	}
	for quad := range 4 {
		k.products(f, b, quad)
		k.scales(f, b, quad, 0)
	}
}

// weights loads the weights of group j of 4 k of a quad of columns, signed.
func (k armPanelRegs) weights(f *arm, t, b, j, quad int) {
	if !k.w.q4() {
		f.ldr(t, 8, 64+512*b+64*j+16*quad)
		f.v3(eor, t, t, armMask)
		return
	}
	f.ldr(t, 8, 64+256*b+64*(j/2)+16*quad)
	if j%2 == 0 {
		f.v3(and, t, t, armMask)
	} else {
		f.ushrb(t, t, 4)
	}
}

// dots leaves magic + S of two quads in sum(r, 0) and sum(r, 1).
func (k armPanelRegs) dots(f *arm, b, quad int) {
	for r := range k.rows {
		f.mov(k.sum(r, 0), armMagic)
		f.mov(k.sum(r, 1), armMagic)
	}
	for j := range 8 {
		for i := range 2 {
			k.weights(f, armWeight+i, b, j, quad+i)
		}
		for r := range k.rows {
			for i := range 2 {
				f.element(sdot, k.sum(r, i), armWeight+i, k.x(r)+j/4, j%4)
			}
		}
	}
}

// products leaves magic + S of a quad in sum(r, 0).
func (k armPanelRegs) products(f *arm, b, quad int) {
	for j := 0; j < 8; j += 2 {
		for i := range 2 {
			k.weights(f, armWeight+i, b, j+i, quad)
		}
		for r := range k.rows {
			k.productsOfRow(f, r, j)
		}
	}
	for r := range k.rows {
		lo, hi := k.sum(r, 0), k.sum(r, 1)
		if k.w.q4() {
			f.v2(saddlp, lo, lo)
			f.v2(saddlp, hi, hi)
		}
		f.v3(addp, lo, lo, hi)
		f.v3(iadd, lo, lo, armMagic)
	}
}

// productsOfRow adds groups j and j+1 to the 16-bit sums of nibbles, or to the 32-bit sums of bytes.
func (k armPanelRegs) productsOfRow(f *arm, r, j int) {
	for i := range 2 {
		f.dup(armTemp+i, k.x(r)+(j+i)/4, (j+i)%4)
	}
	for h, ops := range [][2]form{{smull, smlal}, {smull2, smlal2}} {
		to := armTemp + 2 + h
		if k.w.q4() {
			to = k.sum(r, h)
		}
		first := ops[0]
		if k.w.q4() && j > 0 {
			first = ops[1]
		}
		f.v3(first, to, armWeight, armTemp)
		f.v3(ops[1], to, armWeight+1, armTemp+1)
		switch {
		case k.w.q4():
		case j == 0:
			f.v2(saddlp, k.sum(r, h), to)
		default:
			f.v2(sadalp, k.sum(r, h), to)
		}
	}
}

// scales adds a quad of a block, whose magic + S is in sum(r, i). Registers: ws, -magic·ws, wm, and one of X and S·ws.
func (k armPanelRegs) scales(f *arm, b, quad, i int) {
	ws, shift, wm, t, g := armWeight, armWeight+1, armTemp, armTemp+1, armTemp+2
	if k.w.q4() {
		f.load(wsize4, ws, 8, 16*b+4*quad)
		f.v2(uxtl, ws, ws)
		f.v2(uxtlh, ws, ws)
		f.load(wsize4, wm, 8, 32+16*b+4*quad)
		f.v2(sxtl, wm, wm)
		f.v2(sxtlh, wm, wm)
		f.v2(scvtf, ws, ws)
		f.v2(scvtf, wm, wm)
		f.ldr(t, 9, 16*quad)
		f.v3(fmul, ws, ws, t)
		f.ldr(t, 9, 64+16*quad)
		f.v3(fmul, wm, wm, t)
	} else {
		f.load(wsize8, ws, 8, 32*b+8*quad)
		f.v2(fcvtl, ws, ws)
	}
	f.v3(fmul, shift, ws, armMagic)
	f.v2(fneg, shift, shift)
	for r := range k.rows {
		f.load(wsize4, t, 4+r, xBlock*b+xScale)
		f.mov(g, shift)
		f.v3(fmla, g, k.sum(r, i), ws)
		f.element(fmla, k.acc(r, quad), g, t, 0)
		if k.w.q4() {
			f.load(wsize4, t, 4+r, xBlock*b+xShare)
			f.element(fmla, k.acc(r, quad), wm, t, 0)
		}
	}
}

// armQuant: activations to int8 in blocks of 32; see quantrows.go of package kernels.
//
//	R1 dst  R2 x  R3 blocks left  R4 bits of the largest, then Σq
//	registers: 0..7 x, then as integers; 16..23 |x|; 24 the largest, then scale; 25 its inverse; 26 127
func armQuant(f *arm) {
	f.begin("quant", "(dst *byte, x *float32, n int)", "quantises n > 0 blocks of 32 activations.", 24)
	f.p("MOVD dst+0(FP), R1")
	f.p("MOVD x+8(FP), R2")
	f.p("MOVD n+16(FP), R3")
	f.constants()
	f.ldc(127, 26)
	f.p("MOVD $0x7f800000, R5")
	f.p("MOVD $0x0d800000, R6 // 2^-100")
	f.p("MOVD $0x4b400000, R7 // magic")
	f.p("block:")
	for i := 0; i < 8; i += 2 {
		f.ldp(i, 2, 16*i)
	}
	for i := range 8 {
		f.v2(fabs, 16+i, i)
	}
	for n := 4; n > 0; n /= 2 {
		for i := range n {
			f.v3(umax, 16+i, 16+i, 16+n+i)
		}
	}
	f.umaxv(24, 16)
	f.fmovw(4, 24)
	f.p("CMPW R5, R4")
	f.p("BHS broken")
	f.p("CMPW R6, R4")
	f.p("BLO zero")
	f.s3(fdivs, 25, 26, 24)
	f.s3(fdivs, 24, 24, 26)
	for i := range 8 {
		f.element(fmul, i, i, 25, 0)
		f.v2(fcvtns, i, i)
	}
	for i := range 4 {
		f.v3(iadd, 16+i, 2*i, 2*i+1)
		f.v2(xtn, 2*i, 2*i)
		f.v2(xtn2, 2*i, 2*i+1)
		f.v2(xtnb, 2*i, 2*i)
		f.store(wsize8, 2*i, 1, 8*i)
	}
	f.pair(iadd, 16, 16, 18)
	f.v3(iadd, 16, 16, 17)
	f.addv(16, 16)
	f.fmovw(4, 16)
	f.p("store:")
	f.scvtfw(17, 4)
	f.s3(fmuls, 17, 17, 24)
	f.p("SUBW R4<<7, R7, R4")
	f.store(wsize4, 24, 1, xScale)
	f.p("MOVW R4, %d(R1)", xStart)
	f.store(wsize4, 17, 1, xShare)
	f.p("ADD $128, R2")
	f.p("ADD $%d, R1", xBlock)
	f.p("SUBS $1, R3")
	f.p("BNE block")
	f.p("RET")
	f.p("broken:")
	f.ldbits(0x7fc00000, 24)
	f.p("B none")
	f.p("zero:")
	f.zero(24)
	f.p("none:")
	f.p("STP (ZR, ZR), (R1)")
	f.p("STP (ZR, ZR), 16(R1)")
	f.p("MOVD ZR, R4")
	f.p("B store")
}
