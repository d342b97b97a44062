package main

import "fmt"

// convertRoom: 16-bit formats to and from f32, whole registers only: n is a multiple of the lanes and not 0.
var convertRoom = room{name: "convert", emit: func(f *file, d *decls) {
	half := "X"
	if f.wide() {
		half = "Y"
	}
	each := func(name, doc, sig string, in, out int, body func()) {
		d.add(f, name, sig, doc+"; n is a positive multiple of the lanes.")
		f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 0, 24)
		f.p("MOVQ dst+0(FP), DI")
		f.p("MOVQ src+8(FP), SI")
		f.p("MOVQ n+16(FP), CX")
		f.p("loop:")
		body()
		f.p("ADDQ $%d, SI", in*f.lanes)
		f.p("ADDQ $%d, DI", out*f.lanes)
		f.p("SUBQ $%d, CX", f.lanes)
		f.p("JNZ loop")
		f.end()
	}
	for _, w := range weightFormats[1:] {
		each("widen"+w.name, "widens "+w.name+" words", "(dst *float32, src *uint16, n int)", 2, 4, func() {
			widen(f, w, "(SI)", 0)
			f.p("VMOVUPS %s, (DI)", f.v(0))
		})
	}
	each("narrowF16", "rounds to IEEE half, ties to even", "(dst *uint16, src *float32, n int)", 4, 2, func() {
		f.p("VMOVUPS (SI), %s", f.v(0))
		f.p("VCVTPS2PH $0, %s, %s0", f.v(0), half)
		f.p("VMOVUPS %s0, (DI)", half)
	})
	each("clampF16", "rounds to IEEE half, ties to even, the largest where it would be infinite", "(dst *uint16, src *float32, n int)", 4, 2, func() {
		f.p("VMOVUPS %s, %s", f.c(65504), f.v(1))
		f.p("VMINPS (SI), %s, %s // a NaN is the second source and stays", f.v(1), f.v(0))
		f.p("VMOVUPS %s, %s", f.c(-65504), f.v(1))
		f.p("VMAXPS %s, %s, %s", f.v(0), f.v(1), f.v(0))
		f.p("VCVTPS2PH $0, %s, %s0", f.v(0), half)
		f.p("VMOVUPS %s0, (DI)", half)
	})
	each("narrowBF16", "rounds to bfloat16, ties to even, NaN becomes quiet", "(dst *uint16, src *float32, n int)", 4, 2, func() {
		f.p("VMOVUPS (SI), %s", f.v(0))
		f.p("VPSRLD $16, %s, %s", f.v(0), f.v(1))
		orBits(f, f.bits(0x40), 1, 3)
		andBits(f, f.bits(1), 1, 2)
		f.p("VPADDD %s, %s, %s", f.bits(0x7fff), f.v(2), f.v(2))
		f.p("VPADDD %s, %s, %s", f.v(0), f.v(2), f.v(2))
		f.p("VPSRLD $16, %[1]s, %[1]s", f.v(2))
		if f.wide() {
			f.p("VCMPPS $3, Z0, Z0, K1")
			f.p("VMOVAPS Z3, K1, Z2")
			f.p("VPMOVDW Z2, (DI)")
			return
		}
		f.p("VCMPPS $3, Y0, Y0, Y1")
		f.p("VBLENDVPS Y1, Y3, Y2, Y2")
		f.p("VEXTRACTI128 $1, Y2, X1")
		f.p("VPACKUSDW X1, X2, X2")
		f.p("VMOVUPS X2, (DI)")
	})
}}

func orBits(f *file, c string, a, dst int) {
	f.p("%s %s, %s, %s", logic(f, "VPOR"), c, f.v(a), f.v(dst))
}
func andBits(f *file, c string, a, dst int) {
	f.p("%s %s, %s, %s", logic(f, "VPAND"), c, f.v(a), f.v(dst))
}

// logic is the name of a bitwise instruction: EVEX forms carry the width of the elements.
func logic(f *file, op string) string {
	if f.wide() {
		return op + "D"
	}
	return op
}
