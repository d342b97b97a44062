package main

import "fmt"

// quantRoom: activations to int8 in blocks of 32; see quantrows.go of package kernels.
var quantRoom = room{name: "quant", emit: func(f *file, d *decls) {
	sig := "(dst *byte, x *float32, n int)"
	d.add(f, "quant", sig, "quantises n > 0 blocks of 32 activations.")
	f.begin("quant", fmt.Sprintf("func quant%s%s", f.suffix, sig), 0, 24)
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ x+8(FP), SI")
	f.p("MOVQ n+16(FP), CX")
	regs := blockRegs(f)
	f.p("VMOVSS %s, X15", f.c(127))
	if !f.wide() {
		f.p("MOVQ $0x0703060205010400, AX // the order in which packing leaves eights of fours")
		f.p("VMOVQ AX, X14")
		f.p("VPMOVZXBD X14, Y14")
	}
	f.p("block:")
	for i := range regs {
		f.p("VMOVUPS %d(SI), %s", i*f.bytes(), f.v(8+i))
		andBits(f, f.bits(0x7fffffff), 8+i, 4+i)
	}
	foldLanes(f, "VPMAXUD", 4, regs)
	f.p("VMOVD X4, AX")
	f.p("CMPL AX, $0x7f800000")
	f.p("JCC broken")
	f.p("CMPL AX, $0x0d800000 // 2^-100")
	f.p("JCS zero")
	f.p("VMOVAPS X4, X2")
	f.p("VDIVSS X15, X2, X4 // scale")
	f.p("VDIVSS X2, X15, X5")
	f.p("VBROADCASTSS X5, %s", f.v(5))
	for i := range regs {
		f.p("VMULPS %s, %s, %s", f.v(5), f.v(8+i), f.v(8+i))
		f.p("VCVTPS2DQ %s, %s", f.v(8+i), f.v(8+i))
		f.p("VMOVAPS %s, %s", f.v(8+i), f.v(i))
	}
	if f.wide() {
		f.p("VPMOVSDB Z8, (DI)")
		f.p("VPMOVSDB Z9, 16(DI)")
	} else {
		f.p("VPACKSSDW Y9, Y8, Y8")
		f.p("VPACKSSDW Y11, Y10, Y10")
		f.p("VPACKSSWB Y10, Y8, Y8")
		f.p("VPERMD Y8, Y14, Y8")
		f.p("VMOVDQU Y8, (DI)")
	}
	foldLanes(f, "VPADDD", 0, regs)
	f.p("VMOVD X0, AX")
	f.p("store:")
	f.p("VXORPS X6, X6, X6")
	f.p("VCVTSI2SSL AX, X6, X6")
	f.p("VMULSS X4, X6, X6")
	f.p("SHLL $7, AX")
	f.p("NEGL AX")
	f.p("ADDL $0x4b400000, AX")
	f.p("VMOVSS X4, %d(DI)", xScale)
	f.p("MOVL AX, %d(DI)", xStart)
	f.p("VMOVSS X6, %d(DI)", xShare)
	f.p("ADDQ $128, SI")
	f.p("ADDQ $%d, DI", xBlock)
	f.p("DECQ CX")
	f.p("JNZ block")
	f.end()
	f.p("broken:")
	f.p("MOVL $0x7fc00000, AX")
	f.p("VMOVD AX, X4")
	f.p("JMP none")
	f.p("zero:")
	f.p("VXORPS X4, X4, X4")
	f.p("none:")
	f.p("VPXOR X0, X0, X0")
	f.p("VMOVDQU X0, (DI)")
	f.p("VMOVDQU X0, 16(DI)")
	f.p("XORL AX, AX")
	f.p("JMP store")
}}

// blockRegs is how many registers hold a block of 32 f32.
func blockRegs(f *file) int { return 32 / f.lanes }

// foldLanes folds the lanes of n registers from a into the first of a; the one behind a is used.
func foldLanes(f *file, op string, a, n int) {
	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			f.p("%s %s, %s, %s", op, f.v(a+n/2+i), f.v(a+i), f.v(a+i))
		}
	}
	t := a + 1
	if f.wide() {
		f.p("VEXTRACTI64X4 $1, Z%d, Y%d", a, t)
		f.p("%s Y%d, Y%d, Y%d", op, t, a, a)
	}
	f.p("VEXTRACTI128 $1, Y%d, X%d", a, t)
	f.p("%s X%d, X%d, X%d", op, t, a, a)
	f.p("VPSHUFD $0x4e, X%d, X%d", a, t)
	f.p("%s X%d, X%d, X%d", op, t, a, a)
	f.p("VPSHUFD $0xb1, X%d, X%d", a, t)
	f.p("%s X%d, X%d, X%d", op, t, a, a)
}
