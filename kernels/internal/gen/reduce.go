package main

import "fmt"

// reduceRoom: lane accumulators of a tile call to outputs, with bias; see reduceArgs.
//
//	AX args  SI acc  DI dst of the tile  BX of the group  R8 of the row  DX dst stride  R9 bias  R10 rows left
//	R11 groups left  R12 tiles left
var reduceRoom = room{"reduce", func(f *file, d *decls) {
	d.add(f, "reduce", "(a *reduceArgs)", "adds the lanes of tile accumulators by the fixed tree and stores them with the bias.")
	f.begin("reduce", fmt.Sprintf("func reduce%s(a *reduceArgs)", f.suffix), 0, 8)
	f.p("MOVQ a+0(FP), AX")
	f.p("MOVQ 0(AX), SI")
	f.p("MOVQ 8(AX), DI")
	f.p("MOVQ 24(AX), DX")
	f.p("MOVQ 48(AX), R12")
	f.p("tile:")
	f.p("MOVQ DI, BX")
	f.p("MOVQ 16(AX), R9")
	f.p("MOVQ 40(AX), R11")
	f.p("group:")
	f.p("VMOVUPS (R9), X6")
	f.p("MOVQ BX, R8")
	f.p("MOVQ 32(AX), R10")
	f.p("row:")
	for c := range 4 {
		f.p("VMOVUPS %d(SI), %s", c*f.bytes(), f.v(c))
	}
	f.tree4(0, 4)
	f.p("VADDPS X6, X0, X0")
	f.p("VMOVUPS X0, (R8)")
	f.p("ADDQ $%d, SI", 4*f.bytes())
	f.p("ADDQ DX, R8")
	f.p("DECQ R10")
	f.p("JNZ row")
	f.p("ADDQ $16, R9")
	f.p("ADDQ $16, BX")
	f.p("DECQ R11")
	f.p("JNZ group")
	f.p("MOVQ R8, DI // one row below the last of the tile, at the last group")
	f.p("MOVQ 40(AX), BX")
	f.p("SHLQ $4, BX")
	f.p("SUBQ BX, DI")
	f.p("ADDQ $16, DI // back to the first group")
	f.p("DECQ R12")
	f.p("JNZ tile")
	f.end()
}}
