package main

import "fmt"

// packRoom: weights to packed formats; see pack.go and pack_q4.go of package kernels. Registers hold one k of 16 rows.
//
//	SI, R9, R10, R11 rows 0, 4, 8, 12  DX bytes of a row  R8 3·stride  R12 scratch [32][16] f32  DI dst  CX what is left
var packRoom = room{name: "pack", emit: func(f *file, d *decls) {
	if !f.wide() {
		return
	}
	packQ8(f, d)
	fitQ4(f, d)
	roundQ4(f, d)
}}

func packStart(f *file, d *decls, name, doc, sig string, args int, set func()) {
	d.add(f, name, sig, doc)
	f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 0, args)
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ w+8(FP), SI")
	f.p("MOVQ stride+16(FP), DX")
	f.p("MOVQ n+24(FP), CX")
	f.p("LEAQ (DX)(DX*2), R8")
	f.p("LEAQ (SI)(DX*4), R9")
	f.p("LEAQ (SI)(DX*8), R10")
	f.p("LEAQ (R9)(DX*8), R11")
	set()
}

// transpose loads 4 k at disp of 16 rows into registers a..a+3, using 4 more from t.
func transpose(f *file, disp, a, t int) {
	transposeVia(f, disp, 4, a, t)
	for i := range 4 {
		f.p("VMOVAPS Z%d, Z%d", t+i, a+i)
	}
}

func nextRows(f *file, bytes int) {
	for _, r := range []string{"SI", "R9", "R10", "R11"} {
		f.p("ADDQ $%d, %s", bytes, r)
	}
}

// rowsOfBytes turns registers a..a+3 of small integers, one k each, into [16 rows][4 k] bytes in a: words, bytes, and a
// shuffle that transposes 4x4 within each 128 bits.
func rowsOfBytes(f *file, op string, a int) {
	f.p("%sDW Z%d, Z%d, Z%d", op, a+1, a, a)
	f.p("%sDW Z%d, Z%d, Z%d", op, a+3, a+2, a+2)
	f.p("%sWB Z%d, Z%d, Z%d", op, a+2, a, a)
	f.p("VPSHUFB Z31, Z%d, Z%d", a, a)
}

// byteRows loads the shuffle of rowsOfBytes: byte 4·row+k from 4·k+row.
func byteRows(f *file) {
	for i, v := range []uint32{0x0c080400, 0x0d090501, 0x0e0a0602, 0x0f0b0703} {
		f.p("VPBROADCASTD %s, X%d", f.bits(v), i)
	}
	f.p("VPUNPCKLDQ X1, X0, X0")
	f.p("VPUNPCKLDQ X3, X2, X2")
	f.p("VPUNPCKLQDQ X2, X0, X0")
	f.p("VSHUFI32X4 $0, Z0, Z0, Z31")
}

func packQ8(f *file, d *decls) {
	packStart(f, d, "packQ8", "packs n > 0 steps of 16 rows of weights as Q8P; scratch is [32][16].",
		"(dst *byte, w *float32, stride, n int, scratch *float32)", 40, func() { f.p("MOVQ scratch+32(FP), R12") })
	byteRows(f)
	f.p("VPBROADCASTD %s, Z30", f.bits(0x7fffffff))
	f.p("VPBROADCASTD %s, Z29", f.bits(0x81818181))
	f.p("VPBROADCASTD %s, Z28", f.bits(0x80808080))
	f.p("VBROADCASTSS %s, Z27", f.c(127))
	f.p("VBROADCASTSS %s, Z26", f.c(1))
	f.p("step:")
	for b := range 2 {
		for a := range 4 {
			f.zero(8 + a)
		}
		for j := range 8 {
			transpose(f, 128*b+16*j, 0, 4)
			for i := range 4 {
				f.p("VMOVUPS Z%d, %d(R12)", i, 64*(4*j+i))
				f.p("VPANDD Z30, Z%d, Z%d", i, i)
				f.p("VMAXPS Z%d, Z%d, Z%d", i, 8+i, 8+i)
			}
		}
		for _, m := range [][2]int{{8, 9}, {10, 11}, {8, 10}} {
			f.p("VMAXPS Z%d, Z%d, Z%d", m[1], m[0], m[0])
		}
		f.p("VDIVPS Z27, Z8, Z8")
		f.p("VCVTPS2PH $0, Z8, Y8")
		f.p("VMOVUPS Y8, %d(DI)", 32*b)
		f.p("VCVTPH2PS Y8, Z8")
		f.p("VPTESTNMD Z8, Z8, K1 // a scale of 0 divides by 1")
		f.p("VMOVAPS Z26, K1, Z8")
		for j := range 8 {
			for i := range 4 {
				f.p("VMOVUPS %d(R12), Z%d", 64*(4*j+i), i)
				f.p("VDIVPS Z8, Z%d, Z%d", i, i)
				f.p("VCVTPS2DQ Z%d, Z%d", i, i)
			}
			rowsOfBytes(f, "VPACKSS", 0)
			f.p("VPMAXSB Z29, Z0, Z0")
			f.p("VPXORD Z28, Z0, Z0")
			f.p("VMOVDQU64 Z0, %d(DI)", 64+512*b+64*j)
		}
	}
	nextRows(f, 256)
	f.p("ADDQ $1088, DI")
	f.p("DECQ CX")
	f.p("JNZ step")
	f.end()
}

// q4Shrink are the parts of the range that are tried; see pack_q4.go.
var q4Shrink = []float32{1, 0.95, 0.9, 0.85, 0.8, 0.74}

// fitQ4: Z20 mid, Z21 half, Z22 best gain, Z23 Z24 its a and b, Z25 Σv; Z8 Σq, Z9 Σq², Z10 Σqv.
func fitQ4(f *file, d *decls) {
	packStart(f, d, "fitQ4", "fits scale and min [2][16] of n > 0 blocks of 16 rows of weights; scratch is [32][16].",
		"(dst *float32, w *float32, stride, n int, scratch *float32)", 40, func() { f.p("MOVQ scratch+32(FP), R12") })
	f.p("VBROADCASTSS %s, Z31", f.c(0x1.8p23))
	f.p("VBROADCASTSS %s, Z30", f.c(15))
	f.zero(29)
	f.p("VBROADCASTSS %s, Z28", f.c(32))
	f.p("VBROADCASTSS %s, Z27", f.c(0.5))
	f.p("block:")
	for j := range 8 {
		transpose(f, 16*j, 0, 4)
		for i := range 4 {
			f.p("VMOVUPS Z%d, %d(R12)", i, 64*(4*j+i))
			if j+i == 0 {
				f.p("VMOVAPS Z0, Z20")
				f.p("VMOVAPS Z0, Z21")
				continue
			}
			f.p("VMINPS Z%d, Z20, Z20", i)
			f.p("VMAXPS Z%d, Z21, Z21", i)
		}
	}
	f.p("VMULPS Z27, Z20, Z0")
	f.p("VMULPS Z27, Z21, Z1")
	f.p("VADDPS Z1, Z0, Z20 // mid")
	f.p("VSUBPS Z0, Z1, Z21 // half")
	f.p("VBROADCASTSS %s, Z2", f.c(1))
	f.p("VDIVPS Z21, Z2, Z2")
	f.zero(25)
	for k := range 32 {
		f.p("VMOVUPS %d(R12), Z0", 64*k)
		f.p("VSUBPS Z20, Z0, Z0")
		f.p("VMULPS Z2, Z0, Z0")
		f.p("VMOVUPS Z0, %d(R12)", 64*k)
		f.p("VADDPS Z0, Z25, Z25")
	}
	f.p("VBROADCASTSS %s, Z22", f.c(-1))
	f.zero(23)
	f.zero(24)
	for _, s := range q4Shrink {
		f.p("VBROADCASTSS %s, Z6", f.c(float64(s)))
		f.p("VBROADCASTSS %s, Z7", f.c(float64(7.5/s)))
		for a := range 3 {
			f.zero(8 + a)
		}
		for k := range 32 {
			f.p("VMOVUPS %d(R12), Z0", 64*k)
			f.p("VADDPS Z6, Z0, Z1")
			f.p("VMULPS Z7, Z1, Z1")
			f.p("VMAXPS Z29, Z1, Z1")
			f.p("VMINPS Z30, Z1, Z1")
			f.p("VADDPS Z31, Z1, Z1")
			f.p("VSUBPS Z31, Z1, Z1")
			f.p("VADDPS Z1, Z8, Z8")
			f.p("VFMADD231PS Z1, Z1, Z9 // small integers: exact")
			f.p("VMULPS Z0, Z1, Z1")
			f.p("VADDPS Z1, Z10, Z10")
		}
		f.p("VMULPS Z28, Z9, Z0")
		f.p("VMULPS Z8, Z8, Z1")
		f.p("VSUBPS Z1, Z0, Z0 // det")
		f.p("VMULPS Z28, Z10, Z1")
		f.p("VMULPS Z25, Z8, Z2")
		f.p("VSUBPS Z2, Z1, Z1")
		f.p("VDIVPS Z0, Z1, Z1 // a")
		f.p("VMULPS Z8, Z1, Z2")
		f.p("VSUBPS Z2, Z25, Z2")
		f.p("VDIVPS Z28, Z2, Z2 // b")
		f.p("VMULPS Z10, Z1, Z3")
		f.p("VMULPS Z25, Z2, Z4")
		f.p("VADDPS Z4, Z3, Z3 // gain")
		f.p("VCMPPS $0x0e, Z22, Z3, K1")
		f.p("VMOVAPS Z3, K1, Z22")
		f.p("VMOVAPS Z1, K1, Z23")
		f.p("VMOVAPS Z2, K1, Z24")
	}
	f.p("VMULPS Z21, Z23, Z23")
	f.p("VMULPS Z21, Z24, Z24")
	f.p("VADDPS Z20, Z24, Z24")
	f.p("VBROADCASTSS %s, Z0", f.c(0x1p-100))
	f.p("VCMPPS $0x0e, Z0, Z21, K1 // half > 2^-100, else a constant")
	f.p("VMOVAPS Z24, K1, Z20")
	f.p("VMOVAPS.Z Z23, K1, Z23")
	f.p("VMOVUPS Z23, (DI)")
	f.p("VMOVUPS Z20, 64(DI)")
	nextRows(f, 128)
	f.p("ADDQ $128, DI")
	f.p("DECQ CX")
	f.p("JNZ block")
	f.end()
}

func roundQ4(f *file, d *decls) {
	packStart(f, d, "roundQ4", "rounds n > 0 steps of 16 rows of weights with the scales and mins that stand in dst.",
		"(dst *byte, w *float32, stride, n int, head *byte)", 40, func() { f.p("MOVQ head+32(FP), BX") })
	byteRows(f)
	f.p("VBROADCASTSS %s, Z30", f.c(15))
	f.zero(29)
	f.p("VBROADCASTSS %s, Z28", f.c(1))
	f.p("VBROADCASTSS %s, Z27", f.c(0x1p-100))
	f.p("VMOVUPS (BX), Z26 // D")
	f.p("VMOVUPS 64(BX), Z25 // M")
	f.p("step:")
	for b := range 2 {
		f.p("VPMOVZXBD %d(DI), Z20", 16*b)
		f.p("VPMOVSXBD %d(DI), Z21", 32+16*b)
		f.p("VCVTDQ2PS Z20, Z20")
		f.p("VCVTDQ2PS Z21, Z21")
		f.p("VMULPS Z26, Z20, Z20")
		f.p("VMULPS Z25, Z21, Z21 // min")
		f.p("VCMPPS $0x0e, Z27, Z20, K1")
		f.p("VDIVPS Z20, Z28, Z20")
		f.p("VMOVAPS.Z Z20, K1, Z20 // 1/scale, or 0")
		for j := range 4 {
			transpose(f, 128*b+32*j, 0, 12)
			transpose(f, 128*b+32*j+16, 4, 12)
			for i := range 8 {
				f.p("VSUBPS Z21, Z%d, Z%d", i, i)
				f.p("VMULPS Z20, Z%d, Z%d", i, i)
				f.p("VMAXPS Z29, Z%d, Z%d", i, i)
				f.p("VMINPS Z30, Z%d, Z%d", i, i)
				f.p("VCVTPS2DQ Z%d, Z%d", i, i)
			}
			for i := range 4 {
				f.p("VPSLLD $4, Z%d, Z%d", i+4, i+4)
				f.p("VPORD Z%d, Z%d, Z%d", i+4, i, i)
			}
			rowsOfBytes(f, "VPACKUS", 0)
			f.p("VMOVDQU64 Z0, %d(DI)", 64+256*b+64*j)
		}
	}
	nextRows(f, 256)
	f.p("ADDQ $576, DI")
	f.p("DECQ CX")
	f.p("JNZ step")
	f.end()
}
