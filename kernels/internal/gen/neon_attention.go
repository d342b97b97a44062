package main

import "fmt"

// armScoresRoom: one query against keys, four keys at a time.
//
//	R1 q  R2.. keys  R5 elements left  R9 dst  R10 keys left  R11 len(q)  R12 k  R13 stride in bytes
//	registers: sums in pairs 0, 2, 4, 6; 16 q; 18 a key; 30 scale; 31 zero
func armScoresRoom(f *arm) {
	f.begin("attnScores", "(dst, q, k []float32, stride int, scale float32)", "is dst[j] = scale · Σ_d q[d]·k[j·stride+d].", 84)
	f.p("MOVD dst_base+0(FP), R9")
	f.p("MOVD dst_len+8(FP), R10")
	f.p("MOVD q_len+32(FP), R11")
	f.p("MOVD k_base+48(FP), R12")
	f.p("MOVD stride+72(FP), R13")
	f.p("LSL $2, R13")
	f.p("MOVWU scale+80(FP), R6")
	f.dupr(30, 6)
	f.zero(31)
	f.p("SUBS $4, R10")
	f.p("BLT last")
	f.p("four:")
	armScores(f, 4)
	f.str(0, 9, 0)
	f.p("ADD $16, R9")
	f.p("ADD R13<<2, R12")
	f.p("SUBS $4, R10")
	f.p("BGE four")
	f.p("last:")
	f.p("ADDS $4, R10")
	f.p("BEQ done")
	f.p("single:")
	armScores(f, 1)
	f.store(wsize4, 0, 9, 0)
	f.p("ADD $4, R9")
	f.p("ADD R13, R12")
	f.p("SUBS $1, R10")
	f.p("BNE single")
	f.p("done:")
	f.p("RET")
}

// armScores leaves the scaled sums of n keys in register 0; lanes as for one key, whatever n.
func armScores(f *arm, n int) {
	for a := range 8 {
		f.zero(a)
	}
	f.p("MOVD q_base+24(FP), R1")
	armRows(f, 14, 12, "R13", n)
	f.p("MOVD R11, R5")
	f.p("SUBS $8, R5")
	f.p("BLT rest%d", n)
	f.p("loop%d:", n)
	f.ldp(16, 1, 0)
	for a := range n {
		f.ldp(18+2*a, 14+a, 0)
		f.pair(fmla, 2*a, 18+2*a, 16)
	}
	f.p("ADD $32, R1")
	for a := range n {
		f.p("ADD $32, R%d", 14+a)
	}
	f.p("SUBS $8, R5")
	f.p("BGE loop%d", n)
	f.p("rest%d:", n)
	f.p("ADDS $8, R5")
	f.p("BEQ tree%d", n)
	armTail(f, 16, 1, 31, fmt.Sprintf("q%d", n))
	for a := range n {
		armTail(f, 18, 14+a, 31, fmt.Sprintf("k%d%d", n, a))
		f.pair(fmla, 2*a, 18, 16)
	}
	f.p("tree%d:", n)
	armTree4(f, 0)
	f.v3(fmul, 0, 0, 30)
}

// armMixRoom: values weighted by probabilities.
//
//	R1 acc  R5 elements left  R8 p  R9 len(p)  R10 v  R11 stride in bytes  R12, R13 walkers of p and v  R14 values left
func armMixRoom(f *arm) {
	f.begin("attnMix", "(acc, p, v []float32, stride int)", "is acc[d] += Σ_j p[j]·v[j·stride+d], j ascending.", 80)
	f.p("MOVD acc_base+0(FP), R1")
	f.p("MOVD acc_len+8(FP), R5")
	f.p("MOVD p_base+24(FP), R8")
	f.p("MOVD p_len+32(FP), R9")
	f.p("MOVD v_base+48(FP), R10")
	f.p("MOVD stride+72(FP), R11")
	f.p("LSL $2, R11")
	f.p("CBZ R9, done")
	for _, b := range []struct {
		n int
		w width
	}{{16, wsize16}, {4, wsize16}, {1, wsize16}, {1, wsize4}} {
		elems := b.n * b.w.size / 4
		f.p("SUBS $%d, R5", elems)
		f.p("BLT less%d", elems)
		f.p("block%d:", elems)
		armMix(f, b.n, b.w)
		f.p("ADD $%d, R1", b.n*b.w.size)
		f.p("ADD $%d, R10", b.n*b.w.size)
		f.p("SUBS $%d, R5", elems)
		f.p("BGE block%d", elems)
		f.p("less%d:", elems)
		f.p("ADD $%d, R5", elems)
	}
	f.p("done:")
	f.p("RET")
}

func armMix(f *arm, n int, w width) {
	for a := range n {
		f.load(w, a, 1, a*w.size)
	}
	f.p("MOVD R8, R12")
	f.p("MOVD R10, R13")
	f.p("MOVD R9, R14")
	f.p("value%d:", n*w.size/4)
	f.ld1r(31, 12)
	for a := range n {
		t := 16 + a%8
		f.load(w, t, 13, a*w.size)
		f.v3(fmla, a, t, 31)
	}
	f.p("ADD $4, R12")
	f.p("ADD R11, R13")
	f.p("SUBS $1, R14")
	f.p("BNE value%d", n*w.size/4)
	for a := range n {
		f.store(w, a, 1, a*w.size)
	}
}

// armColsRoom: R rows of a times a matrix of columns in blocks of 16, R = 1..colsRows; see colsFunc in package kernels.
//
//	R1 dst  R2 dst stride  R3 stride of a  R4..R9 rows of a  R10 b  R11 bytes of a row of b  R12 of a block  R13 a
//	R14 blocks left  R15 columns of a left  R16 walker of b  R17 of dst
//	registers: row r in 4r..4r+3, then b in 24..27 and a in 28
func armColsRoom(f *arm) {
	for _, w := range []weightFormat{weightFormats[0], weightFormats[2]} {
		for r := 1; r <= colsRows; r++ {
			armCols(f, w, r)
		}
	}
}

func armCols(f *arm, w weightFormat, rows int) {
	f.begin(fmt.Sprintf("cols%s%d", w.name, rows), "(dst, a *float32, b *byte, dstStride, aStride, bRow, bBlock, k, blocks, more int, ahead uintptr)",
		fmt.Sprintf("multiplies %d rows with a matrix of %s; see colsFunc.", rows, w.name), 88)
	for _, arg := range []string{"dst+0 1", "dstStride+24 2", "aStride+32 3", "b+16 10", "bRow+40 11", "bBlock+48 12", "a+8 13", "blocks+64 14"} {
		var at, reg string
		fmt.Sscan(arg, &at, &reg)
		f.p("MOVD %s(FP), R%s", at, reg)
	}
	dst := func(move func(t, ptr, off int)) {
		f.p("MOVD R1, R17")
		for r := range rows {
			move(4*r, 17, 0)
			move(4*r+2, 17, 32)
			f.p("ADD R2, R17")
		}
	}
	f.p("block:")
	f.p("MOVD more+72(FP), R15")
	f.p("CBNZ R15, more")
	for v := range 4 * rows {
		f.zero(v)
	}
	f.p("B sum")
	f.p("more:")
	dst(f.ldp)
	f.p("sum:")
	armRows(f, 4, 13, "R3", rows)
	f.p("MOVD R10, R16")
	f.p("MOVD k+56(FP), R15")
	f.p("PCALIGN $32")
	f.p("step:")
	armWiden(f, w, 24, 16, 0)
	armWiden(f, w, 26, 16, 8*w.size)
	for r := range rows {
		t := 28 + r%4
		f.ld1r(t, 4+r)
		for v := range 4 {
			f.v3(fmla, 4*r+v, 24+v, t)
		}
		f.p("ADD $4, R%d", 4+r)
	}
	f.p("ADD R11, R16")
	f.p("SUBS $1, R15")
	f.p("BNE step")
	dst(f.stp)
	f.p("ADD $%d, R1", 4*colBlock)
	f.p("ADD R12, R10")
	f.p("SUBS $1, R14")
	f.p("BNE block")
	f.p("RET")
}

// armLimits measure what the CPU does at most; see peakKernels of package kernels.
func armLimits(f *arm) {
	armPeak(f, "peakF32", "does n times 24 independent multiply-adds of 4 lanes.", func(a int) { f.v3(fmla, a, 24+a%4, 28+a%4) })
	armPeak(f, "peakI8", "does n times 24 independent widening multiply-adds of 8 bytes.", func(a int) { f.v3(smlal, a, 24+a%4, 28+a%4) })
	f.begin("readAll", "(p *byte, n int)", "loads n bytes, a positive multiple of 1024, and forgets them.", 16)
	f.p("MOVD p+0(FP), R1")
	f.p("MOVD n+8(FP), R2")
	f.p("loop:")
	for i := 0; i < 256; i += 32 {
		f.ldp(i/16, 1, i)
	}
	f.p("ADD $256, R1")
	f.p("SUBS $256, R2")
	f.p("BNE loop")
	f.p("RET")
}

func armLimitsDot(f *arm) {
	armPeak(f, "peakI8", "does n times 24 independent dot products of 16 bytes.", func(a int) { f.v3(sdot, a, 24+a%4, 28+a%4) })
}

// armPeak multiplies numbers that vary, as f32 so small that sums stay finite.
func armPeak(f *arm, name, doc string, op func(a int)) {
	f.begin(name, "(n int)", doc, 8)
	f.p("MOVD n+0(FP), R1")
	for a := range 24 {
		f.zero(a)
	}
	for i := range 8 {
		f.p("MOVD $%#x, R2", 0x20312345+0x00170b09*i)
		f.dupr(24+i, 2)
	}
	f.p("loop:")
	for a := range 24 {
		op(a)
	}
	f.p("SUBS $1, R1")
	f.p("BNE loop")
	f.p("RET")
}
