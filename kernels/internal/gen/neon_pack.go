package main

// armPack: weights to Q8P, see packQ8Generic of package kernels.
//
//	R1 step of dst  R2 w of the step  R3 its stride  R4 steps left  R5 row of w  R6 its q  R7 its scale  R8 rows left
//	registers: 0..7 weights  16..23 |w|, 16 then the scale  27..31 constants
func armPack(f *arm) {
	f.begin("packQ8", "(dst *byte, w *float32, stride, n int)", "packs n > 0 steps of 16 rows of weights as Q8P; stride in bytes.", 32)
	for i, arg := range []string{"dst", "w", "stride", "n"} {
		f.p("MOVD %s+%d(FP), R%d", arg, 8*i, 1+i)
	}
	f.constants()
	f.zero(27)
	f.ldc(1, 28)
	f.ldc(127, 29)
	f.ldc(-127, 30)
	f.movib(31, 128)
	f.p("step:")
	for b, label := range []string{"first", "second"} {
		f.p("ADD $%d, R2, R5", 128*b)
		f.p("ADD $%d, R1, R6", 64+512*b)
		f.p("ADD $%d, R1, R7", 32*b)
		f.p("MOVD $16, R8")
		f.p("%s:", label)
		armPackRow(f)
		f.p("ADD R3, R5")
		f.p("ADD $4, R6")
		f.p("ADD $2, R7")
		f.p("SUBS $1, R8")
		f.p("BNE %s", label)
	}
	f.p("ADD $1088, R1")
	f.p("ADD $256, R2")
	f.p("SUBS $1, R4")
	f.p("BNE step")
	f.p("RET")
}

// armPackRow packs 32 weights of one row.
func armPackRow(f *arm) {
	for i := 0; i < 8; i += 2 {
		f.ldp(i, 5, 16*i)
	}
	for i := range 8 {
		f.v2(fabs, 16+i, i)
	}
	for n := 4; n > 0; n /= 2 {
		for i := range n {
			f.v3(fmax, 16+i, 16+i, 16+n+i)
		}
	}
	f.fmaxnmv(16, 16)
	f.s3(fdivs, 16, 16, 29)
	f.v2(fcvtn, 16, 16)
	f.store(wsize2, 16, 7, 0)
	f.v2(fcvtl, 16, 16)
	f.v3(fcmeq, 17, 16, 27)
	f.v3(bit, 16, 28, 17) // a scale of 0 divides as 1
	f.dup(16, 16, 0)
	for i := range 8 {
		f.v3(fdiv, i, i, 16)
		f.v3(fmin, i, i, 29)
		f.v3(fmax, i, i, 30)
		f.v2(fcvtns, i, i)
	}
	for i := range 4 { // 8 k at a time: groups 2i and 2i+1 of four
		f.v2(xtn, 2*i, 2*i)
		f.v2(xtn2, 2*i, 2*i+1)
		f.v2(xtnb, 2*i, 2*i)
		f.v3(eor, 2*i, 2*i, 31) // q+128
		f.p("FMOVD F%d, R9", 2*i)
		f.p("MOVW R9, %d(R6)", 128*i)
		f.p("LSR $32, R9")
		f.p("MOVW R9, %d(R6)", 128*i+64)
	}
}
