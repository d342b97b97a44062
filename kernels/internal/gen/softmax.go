package main

import (
	"fmt"
	"math"
)

// softmaxRoom: a step of online softmax for several rows; see Ops.SoftmaxStep.
//
//	DI s  SI its stride  R8 n  R9 rows left  R10 top  R11 sum  R12 shrink  DX walker of s  BX elements left
//	registers: 0 largest, 1 sum, 2 temporary, 5 top before, 8.. exp
var softmaxRoom = room{name: "softmax", emit: func(f *file, d *decls) {
	sig := "(s *float32, stride, n, rows int, top, sum, shrink *float32)"
	d.add(f, "softmaxStep", sig, "is a step of online softmax; stride in bytes, n and rows over 0.")
	f.begin("softmaxStep", fmt.Sprintf("func softmaxStep%s%s", f.suffix, sig), 0, 56)
	for i, arg := range []string{"s", "stride", "n", "rows", "top", "sum", "shrink"} {
		f.p("MOVQ %s+%d(FP), %s", arg, 8*i, []string{"DI", "SI", "R8", "R9", "R10", "R11", "R12"}[i])
	}
	f.p("MOVQ R8, CX")
	f.p("ANDQ $%d, CX", f.lanes-1)
	f.p("JZ row")
	f.mask()
	f.p("row:")
	f.p("VMOVUPS %s, %s", f.bits(math.Float32bits(float32(math.Inf(-1)))), f.v(0))
	softmaxEach(f, "max", func(masked bool) { maxStep(f, 0, 8, masked) })
	joinLanes(f, "VMAXPS", 0, 2)
	f.p("VMOVSS (R10), X5")
	f.p("VMAXSS X0, X5, X0")
	f.p("VBROADCASTSS X0, %s", f.v(0))
	f.zero(1)
	softmaxEach(f, "exp", func(masked bool) {
		f.load("(DX)", 8, masked)
		f.p("VSUBPS %s, %s, %s", f.v(0), f.v(8), f.v(8))
		exp(f, 8)
		clearOff(f, 8, masked)
		f.store(8, "(DX)", masked)
		f.p("VADDPS %s, %s, %s", f.v(8), f.v(1), f.v(1))
	})
	joinLanes(f, "VADDPS", 1, 2)
	f.p("VMOVSS %s, X8", f.c(1))
	f.p("VUCOMISS X0, X5")
	f.p("JEQ same")
	f.p("VSUBPS %s, %s, %s", f.v(0), f.v(5), f.v(8))
	exp(f, 8)
	f.p("same:")
	f.p("VMOVSS X8, (R12)")
	f.p("VMULSS (R11), X8, X8")
	f.p("VADDSS X1, X8, X1")
	f.p("VMOVSS X1, (R11)")
	f.p("VMOVSS X0, (R10)")
	f.p("ADDQ $4, R10")
	f.p("ADDQ $4, R11")
	f.p("ADDQ $4, R12")
	f.p("ADDQ SI, DI")
	f.p("DECQ R9")
	f.p("JNZ row")
	f.end()
}}

// softmaxEach runs step over the registers of a row.
func softmaxEach(f *file, label string, step func(masked bool)) {
	f.p("MOVQ DI, DX")
	f.p("MOVQ R8, BX")
	f.p("SUBQ $%d, BX", f.lanes)
	f.p("JLT %stail", label)
	f.p("%sloop:", label)
	step(false)
	f.p("ADDQ $%d, DX", f.bytes())
	f.p("SUBQ $%d, BX", f.lanes)
	f.p("JGE %sloop", label)
	f.p("%stail:", label)
	f.p("CMPQ BX, $-%d", f.lanes)
	f.p("JEQ %sdone", label)
	step(true)
	f.p("%sdone:", label)
}

// maxStep makes acc the larger of itself and the elements at (DX), skipping NaN.
func maxStep(f *file, acc, t int, masked bool) {
	f.load("(DX)", t, masked)
	switch {
	case masked && f.wide():
		f.p("VMAXPS %s, %s, K1, %s // a NaN in s gives the second source", f.v(acc), f.v(t), f.v(acc))
	case masked:
		f.p("VBLENDVPS Y15, %s, %s, %s", f.v(t), f.v(acc), f.v(t))
		fallthrough
	default:
		f.p("VMAXPS %s, %s, %s // a NaN in s gives the second source", f.v(acc), f.v(t), f.v(acc))
	}
}

// joinLanes joins the lanes of a register by the fixed tree; the result is in all lanes of X{reg} that matter: lane 0.
func joinLanes(f *file, op string, reg, t int) {
	if f.wide() {
		f.p("VEXTRACTF64X4 $1, Z%d, Y%d", reg, t)
		f.p("%[1]s Y%[3]d, Y%[2]d, Y%[2]d", op, reg, t)
	}
	f.p("VPERMILPS $0xb1, Y%d, Y%d // neighbours", reg, t)
	f.p("%[1]s Y%[3]d, Y%[2]d, Y%[2]d", op, reg, t)
	f.p("VPERMILPS $0x4e, Y%d, Y%d // pairs", reg, t)
	f.p("%[1]s Y%[3]d, Y%[2]d, Y%[2]d", op, reg, t)
	f.p("VEXTRACTF128 $1, Y%d, X%d", reg, t)
	f.p("%[1]s X%[3]d, X%[2]d, X%[2]d", op, reg, t)
}
