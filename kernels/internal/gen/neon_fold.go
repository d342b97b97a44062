package main

import (
	"fmt"
)

// armTail loads R5 & 7 = 1..7 elements at R{ptr} into the pair t, lanes that are left out as in register fill; R6 and R7
// are used, and label tells the labels of several apart.
func armTail(f *arm, t, ptr, fill int, label string) {
	f.mov(t+1, fill)
	f.p("AND $4, R5, R6")
	f.p("ADD R6<<2, R%d, R7", ptr)
	f.p("TBZ $1, R5, odd%s", label)
	f.ld1d(t+1, 0, 7)
	f.p("TBZ $0, R5, read%s", label)
	f.p("ADD $8, R7")
	f.ld1s(t+1, 2, 7)
	f.p("B read%s", label)
	f.p("odd%s:", label)
	f.p("TBZ $0, R5, read%s", label)
	f.ld1s(t+1, 0, 7)
	f.p("read%s:", label)
	f.p("CBNZ R6, four%s", label)
	f.mov(t, t+1)
	f.mov(t+1, fill)
	f.p("B tail%s", label)
	f.p("four%s:", label)
	f.ldr(t, ptr, 0)
	f.p("tail%s:", label)
}

// armSumLanes adds the lanes of the pair a by the tree of the package comment into all lanes of a.
func armSumLanes(f *arm, a int) {
	f.v3(faddp, a, a, a+1)
	f.v3(faddp, a, a, a)
	f.v3(faddp, a, a, a)
}

// armMaxInto makes acc the larger of itself and x, skipping NaN in x; t is used.
func armMaxInto(f *arm, acc, x, t int) {
	f.v3(fcmgt, t, x, acc)
	f.v3(bit, acc, x, t)
}

// armFold describes a reduction of slices to one float: four pairs of sums, joined like those of fold.
type armFold struct {
	name, doc, sig string
	slices         []string
	mean           bool // register 7 is the float argument, and what pads the tail
	step           func(f *arm, acc int, x []int)
	join           func(f *arm, a, b int) // a joins b, pairs
	lanes          func(f *arm)           // the lanes of pair 0 into lane 0 of register 0
	start          uint32                 // bits that sums and pads start from
}

func (r armFold) emit(f *arm) {
	size := 24 * len(r.slices)
	if r.mean {
		size += 8
	}
	f.begin(r.name, r.sig+" float32", r.doc, size+4)
	for i, s := range r.slices {
		f.p("MOVD %s_base+%d(FP), R%d", s, 24*i, 1+i)
	}
	f.p("MOVD %s_len+8(FP), R5", r.slices[0])
	f.constants()
	fill := 6
	f.ldbits(r.start, 6)
	for a := range 8 {
		f.mov(8+a, fill)
	}
	if r.mean {
		f.p("MOVWU mean+%d(FP), R6", 24*len(r.slices))
		f.dupr(7, 6)
		fill = 7
	}
	f.p("SUBS $32, R5")
	f.p("BLT some")
	f.p("loop:")
	r.steps(f, 4)
	f.p("SUBS $32, R5")
	f.p("BGE loop")
	f.p("some:")
	f.p("ADD $32, R5")
	f.p("SUBS $8, R5")
	f.p("BLT last")
	f.p("one:")
	r.steps(f, 1)
	f.p("SUBS $8, R5")
	f.p("BGE one")
	f.p("last:")
	f.p("ADDS $8, R5")
	f.p("BEQ done")
	var x []int
	for i := range r.slices {
		x = append(x, 20+2*i)
		armTail(f, 20+2*i, 1+i, fill, fmt.Sprint(i))
	}
	r.step(f, 8, x)
	f.p("done:")
	r.join(f, 8, 10)
	r.join(f, 12, 14)
	r.join(f, 8, 12)
	r.lanes(f)
	f.p("FMOVS F8, ret+%d(FP)", size)
	f.p("RET")
}

func (r armFold) steps(f *arm, n int) {
	for a := range n {
		var x []int
		for i := range r.slices {
			x = append(x, 20+2*i)
			f.ldp(20+2*i, 1+i, 32*a)
		}
		r.step(f, 8+2*a, x)
	}
	for i := range r.slices {
		f.p("ADD $%d, R%d", 32*n, 1+i)
	}
}

// armFoldRoom: the reductions.
func armFoldRoom(f *arm) {
	joinSum := func(f *arm, a, b int) { f.pair(fadd, a, a, b) }
	lanesSum := func(f *arm) { armSumLanes(f, 8) }
	armFold{name: "sum", doc: "is Σ x.", sig: "(x []float32)", slices: []string{"x"}, join: joinSum, lanes: lanesSum,
		step: func(f *arm, acc int, x []int) { f.pair(fadd, acc, acc, x[0]) }}.emit(f)
	armFold{name: "dot", doc: "is Σ a·b.", sig: "(a, b []float32)", slices: []string{"a", "b"}, join: joinSum, lanes: lanesSum,
		step: func(f *arm, acc int, x []int) { f.pair(fmla, acc, x[0], x[1]) }}.emit(f)
	armFold{name: "sumSq", doc: "is Σ (x-mean)².", sig: "(x []float32, mean float32)", slices: []string{"x"}, mean: true,
		join: joinSum, lanes: lanesSum, step: func(f *arm, acc int, x []int) {
			for i := range 2 {
				f.v3(fsub, x[0]+i, x[0]+i, 7)
			}
			f.pair(fmla, acc, x[0], x[0])
		}}.emit(f)
	armFold{name: "max", doc: "is the largest element that is not NaN, -Inf of nothing.", sig: "(x []float32)",
		slices: []string{"x"}, start: negInf, step: func(f *arm, acc int, x []int) {
			for i := range 2 {
				armMaxInto(f, acc+i, x[0]+i, 24+i)
			}
		},
		join: func(f *arm, a, b int) { f.pair(fmax, a, a, b) },
		lanes: func(f *arm) {
			f.v3(fmax, 8, 8, 9)
			f.fmaxnmv(8, 8)
		}}.emit(f)
	armExpSum(f)
}

const negInf = 0xff800000

// armExpSum keeps what it sums in the pair 0; a tail is stored element by element and then read back.
func armExpSum(f *arm) {
	f.begin("expSum", "(x []float32, top float32) float32", "is x = e^(x-top) in place, and Σ x.", 36)
	f.p("MOVD x_base+0(FP), R1")
	f.p("MOVD x_len+8(FP), R5")
	f.p("MOVWU top+24(FP), R6")
	f.constants()
	f.dupr(7, 6)
	armExpRow(f)
	armSumLanes(f, 0)
	f.p("FMOVS F0, ret+32(FP)")
	f.p("RET")
}

// armExpRow replaces R5 elements at R1 by e^(x - register 7) and leaves their sums in the lanes of the pair 0; it moves R1
// and R5 and uses R6, R7, R8 and registers 2, 3 and 8 on.
func armExpRow(f *arm) {
	f.zero(0)
	f.zero(1)
	f.p("SUBS $8, R5")
	f.p("BLT explast")
	f.p("exploop:")
	f.ldr(8, 1, 0)
	f.ldr(16, 1, 16)
	for i := range 2 {
		f.v3(fsub, 8+8*i, 8+8*i, 7)
		armExp(f, 8+8*i)
		f.str(8+8*i, 1, 16*i)
		f.v3(fadd, i, i, 8+8*i)
	}
	f.p("ADD $32, R1")
	f.p("SUBS $8, R5")
	f.p("BGE exploop")
	f.p("explast:")
	f.p("ADDS $8, R5")
	f.p("BEQ expdone")
	f.p("MOVD R1, R7")
	f.p("MOVD R5, R8")
	f.p("expone:")
	f.load(wsize4, 8, 7, 0)
	f.v3(fsub, 8, 8, 7)
	armExp(f, 8)
	f.store(wsize4, 8, 7, 0)
	f.p("ADD $4, R7")
	f.p("SUBS $1, R8")
	f.p("BNE expone")
	f.zero(4)
	armTail(f, 2, 1, 4, "exp")
	f.pair(fadd, 0, 0, 2)
	f.p("expdone:")
}

// armSoftmaxRoom: a step of online softmax for several rows; see Ops.SoftmaxStep.
//
//	R9 s  R10 stride  R11 n  R12 rows left  R13 top  R14 sum  R15 shrink
//	registers: 5 top before, 7 the new one
func armSoftmaxRoom(f *arm) {
	f.begin("softmaxStep", "(s *float32, stride, n, rows int, top, sum, shrink *float32)",
		"is a step of online softmax; stride in bytes, n and rows over 0.", 56)
	for i, arg := range []string{"s", "stride", "n", "rows", "top", "sum", "shrink"} {
		f.p("MOVD %s+%d(FP), R%d", arg, 8*i, 9+i)
	}
	f.constants()
	f.p("row:")
	armMaxRow(f)
	f.load(wsize4, 5, 13, 0)
	f.dup(5, 5, 0)
	armMaxInto(f, 7, 5, 8)
	f.p("MOVD R9, R1")
	f.p("MOVD R11, R5")
	armExpRow(f)
	armSumLanes(f, 0)
	f.ldc(1, 8)
	f.p("FCMPS F7, F5")
	f.p("BEQ same")
	f.v3(fsub, 8, 5, 7)
	armExp(f, 8)
	f.p("same:")
	f.store(wsize4, 8, 15, 0)
	f.load(wsize4, 6, 14, 0)
	f.s3(fmuls, 6, 6, 8)
	f.s3(fadds, 6, 6, 0)
	f.store(wsize4, 6, 14, 0)
	f.store(wsize4, 7, 13, 0)
	for _, r := range []int{13, 14, 15} {
		f.p("ADD $4, R%d", r)
	}
	f.p("ADD R10, R9")
	f.p("SUBS $1, R12")
	f.p("BNE row")
	f.p("RET")
}

// armMaxRow leaves the largest of the row, skipping NaN, in all lanes of register 7.
func armMaxRow(f *arm) {
	f.p("MOVD R9, R1")
	f.p("MOVD R11, R5")
	f.ldbits(negInf, 7)
	f.p("SUBS $4, R5")
	f.p("BLT maxlast")
	f.p("maxloop:")
	f.ldr(8, 1, 0)
	armMaxInto(f, 7, 8, 9)
	f.p("ADD $16, R1")
	f.p("SUBS $4, R5")
	f.p("BGE maxloop")
	f.p("maxlast:")
	f.p("ADDS $4, R5")
	f.p("BEQ maxdone")
	f.p("maxone:")
	f.ld1r(8, 1)
	armMaxInto(f, 7, 8, 9)
	f.p("ADD $4, R1")
	f.p("SUBS $1, R5")
	f.p("BNE maxone")
	f.p("maxdone:")
	f.fmaxnmv(7, 7)
	f.dup(7, 7, 0)
}
