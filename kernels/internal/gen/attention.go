package main

import "fmt"

// scoresRoom: one query against keys, four keys at a time.
//
//	DI dst  R9 keys left  SI q  R11 len(q)  BX k  DX stride in bytes  R10 3·stride  R8, R12 walkers of q and k
var scoresRoom = room{name: "scores", emit: func(f *file, d *decls) {
	d.add(f, "attnScores", "(dst, q, k []float32, stride int, scale float32)", "is dst[j] = scale · Σ_d q[d]·k[j·stride+d].")
	f.begin("attnScores", fmt.Sprintf("func attnScores%s(dst, q, k []float32, stride int, scale float32)", f.suffix), 0, 84)
	f.p("MOVQ dst_base+0(FP), DI")
	f.p("MOVQ dst_len+8(FP), R9")
	f.p("MOVQ q_base+24(FP), SI")
	f.p("MOVQ q_len+32(FP), R11")
	f.p("MOVQ k_base+48(FP), BX")
	f.p("MOVQ stride+72(FP), DX")
	f.p("VBROADCASTSS scale+80(FP), X13")
	f.p("SHLQ $2, DX")
	f.p("LEAQ (DX)(DX*2), R10")
	f.p("MOVQ R11, CX")
	f.p("ANDQ $%d, CX", f.lanes-1)
	f.p("JZ four")
	f.mask()
	f.p("four:")
	f.p("SUBQ $4, R9")
	f.p("JLT last")
	scores(f, 4)
	f.p("VMOVUPS X0, (DI)")
	f.p("ADDQ $16, DI")
	f.p("LEAQ (BX)(DX*4), BX")
	f.p("JMP four")
	f.p("last:")
	f.p("ADDQ $4, R9")
	f.p("JZ done")
	f.p("single:")
	scores(f, 1)
	f.p("VMOVSS X0, (DI)")
	f.p("ADDQ $4, DI")
	f.p("ADDQ DX, BX")
	f.p("DECQ R9")
	f.p("JNZ single")
	f.p("done:")
	f.end()
}}

// scores leaves the scaled sums of n keys in X0; lanes as for one key, whatever n.
func scores(f *file, n int) {
	for a := range 4 {
		f.zero(a)
	}
	f.p("MOVQ SI, R8")
	f.p("MOVQ BX, R12")
	f.p("MOVQ R11, CX")
	f.p("SUBQ $%d, CX", f.lanes)
	f.p("JLT tail%d", n)
	f.p("loop%d:", n)
	f.p("VMOVUPS (R8), %s", f.v(8))
	for a := range n {
		f.p("VFMADD231PS %s, %s, %s", base(0, "R12", a, "DX", "R10", ""), f.v(8), f.v(a))
	}
	f.p("ADDQ $%d, R8", f.bytes())
	f.p("ADDQ $%d, R12", f.bytes())
	f.p("SUBQ $%d, CX", f.lanes)
	f.p("JGE loop%d", n)
	f.p("tail%d:", n)
	f.p("CMPQ CX, $-%d", f.lanes)
	f.p("JEQ tree%d", n)
	f.load("(R8)", 8, true)
	for a := range n {
		f.load(base(0, "R12", a, "DX", "R10", ""), 9, true)
		f.p("VFMADD231PS %s, %s, %s", f.v(9), f.v(8), f.v(a))
	}
	f.p("tree%d:", n)
	f.tree4(0, 4)
	f.p("VMULPS X13, X0, X0")
}

// mixRoom: values weighted by probabilities.
//
//	DI acc  R11 elements left  R8 p  R9 len(p)  BX v  DX stride in bytes  R10, R12 walkers of p and v  CX values left
var mixRoom = room{name: "mix", emit: func(f *file, d *decls) {
	d.add(f, "attnMix", "(acc, p, v []float32, stride int)", "is acc[d] += Σ_j p[j]·v[j·stride+d], j ascending.")
	f.begin("attnMix", fmt.Sprintf("func attnMix%s(acc, p, v []float32, stride int)", f.suffix), 0, 80)
	f.p("MOVQ acc_base+0(FP), DI")
	f.p("MOVQ acc_len+8(FP), R11")
	f.p("MOVQ p_base+24(FP), R8")
	f.p("MOVQ p_len+32(FP), R9")
	f.p("MOVQ v_base+48(FP), BX")
	f.p("MOVQ stride+72(FP), DX")
	f.p("SHLQ $2, DX")
	f.p("TESTQ R9, R9")
	f.p("JZ done")
	for _, n := range []int{8, 4, 1} {
		f.p("SUBQ $%d, R11", n*f.lanes)
		f.p("JLT less%d", n)
		f.p("block%d:", n)
		mix(f, n, false, fmt.Sprint(n))
		f.p("ADDQ $%d, DI", n*f.bytes())
		f.p("ADDQ $%d, BX", n*f.bytes())
		f.p("SUBQ $%d, R11", n*f.lanes)
		f.p("JGE block%d", n)
		f.p("less%d:", n)
		f.p("ADDQ $%d, R11", n*f.lanes)
	}
	f.p("JZ done")
	f.p("MOVQ R11, CX")
	f.mask()
	mix(f, 1, true, "tail")
	f.p("done:")
	f.end()
}}

func mix(f *file, n int, masked bool, label string) {
	for a := range n {
		f.load(fmt.Sprintf("%d(DI)", a*f.bytes()), a, masked)
	}
	f.p("MOVQ R8, R10")
	f.p("MOVQ BX, R12")
	f.p("MOVQ R9, CX")
	f.p("value%s:", label)
	f.p("VBROADCASTSS (R10), %s", f.v(8))
	for a := range n {
		mem := fmt.Sprintf("%d(R12)", a*f.bytes())
		if masked {
			f.load(mem, 9, true)
			mem = f.v(9)
		}
		f.p("VFMADD231PS %s, %s, %s", mem, f.v(8), f.v(a))
	}
	f.p("ADDQ $4, R10")
	f.p("ADDQ DX, R12")
	f.p("DECQ CX")
	f.p("JNZ value%s", label)
	for a := range n {
		f.store(a, fmt.Sprintf("%d(DI)", a*f.bytes()), masked)
	}
}
