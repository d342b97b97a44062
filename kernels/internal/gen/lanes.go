package main

import "fmt"

// lanesRoom: products of many rows, one lane of the sums at a time; see lanes.go of package kernels. Registers hold 16
// columns, so what tiles keep in lanes stands here one after the other: in the order in which the tree adds them.
var lanesRoom = room{name: "lanes", emit: func(f *file, d *decls) {
	if !f.wide() {
		return
	}
	for r := laneLeast; r <= laneRows; r++ {
		lanes(f, d, r)
	}
	packLanes(f, d, "packLanesX", "12 rows of F32, 12 floats apart", 3)
	packLanes(f, d, "packLanesW", "16 rows of F32, 32 floats apart", 4)
	packLanesBF16(f, d)
}}

const (
	laneRows   = 12 // rows of X of the largest tile, and of a packed one
	laneLeast  = 10 // of the smallest
	laneCols   = 32 // columns of a panel
	laneUnroll = 4  // steps that go with a prefetch
)

// Offsets of laneArgs.
const (
	laneX = 8 * iota
	laneW
	laneStack
	laneStackStep
	laneDst
	laneBias
	laneDstStride
	lanePrefetch
	lanePrefetchStep
	laneSteps
	laneTiles
	laneMerges
	laneLast
)

// lanes multiplies tiles of r rows of X with a panel: one lane of all sums, to which those before are added.
//
//	AX args  SI x  DI w  CX steps left  BX stack  DX step of the prefetch, then sums to add  R8 dst  R9 dst stride
//	R10 steps  R11 prefetch  R12 stack of the tile  R13 tiles left  R15 step of the stack
//	registers: acc[row][half] = 2·row + half, two of W, six for X
func lanes(f *file, d *decls, r int) {
	name := fmt.Sprintf("lanes%dx%d", r, laneCols)
	d.add(f, name, "(a *laneArgs)", fmt.Sprintf("adds up one lane of %d rows of X times a panel; see laneArgs.", r))
	f.begin(name, fmt.Sprintf("func %s%s(a *laneArgs)", name, f.suffix), 0, 8)
	f.p("MOVQ a+0(FP), AX")
	f.p("MOVQ %d(AX), SI", laneX)
	f.p("MOVQ %d(AX), R8", laneDst)
	f.p("MOVQ %d(AX), R9", laneDstStride)
	f.p("MOVQ %d(AX), R10", laneSteps)
	f.p("MOVQ %d(AX), R11", lanePrefetch)
	f.p("MOVQ %d(AX), R12", laneStack)
	f.p("MOVQ %d(AX), R13", laneTiles)
	f.p("MOVQ %d(AX), R15", laneStackStep)
	f.p("tile:")
	for a := range 2 * r {
		f.zero(a)
	}
	f.p("MOVQ %d(AX), DI", laneW)
	f.p("MOVQ %d(AX), DX", lanePrefetchStep)
	f.p("MOVQ R10, CX")
	f.p("SUBQ $%d, CX", laneUnroll)
	f.p("JLT few")
	f.p("PCALIGN $64")
	f.p("steps:")
	f.p("PREFETCHT1 (R11)")
	f.p("ADDQ DX, R11")
	lanesSteps(f, r, laneUnroll)
	f.p("JGE steps")
	f.p("few:")
	f.p("ADDQ $%d, CX", laneUnroll)
	f.p("JZ merge")
	f.p("one:")
	lanesSteps(f, r, 1)
	f.p("JNZ one")
	lanesMerge(f, r)
	f.p("ADDQ $%d, R12", 2*laneRows*f.bytes())
	f.p("DECQ R13")
	f.p("JNZ tile")
	f.end()
}

// lanesSteps takes n steps and leaves the flags of CX -= n.
func lanesSteps(f *file, r, n int) {
	w, x := 2*r, 2*r+2
	for u := range n {
		for v := range 2 {
			f.p("VMOVUPS %d(DI), %s", u*4*laneCols+v*f.bytes(), f.v(w+v))
		}
		for i := range r {
			t := x + i%(f.regs()-x)
			f.p("VBROADCASTSS %d(SI), %s", 4*(u*laneRows+i), f.v(t))
			for v := range 2 {
				f.p("VFMADD231PS %s, %s, %s", f.v(w+v), f.v(t), f.v(2*i+v))
			}
		}
	}
	f.p("ADDQ $%d, SI", 4*n*laneRows)
	f.p("ADDQ $%d, DI", 4*n*laneCols)
	f.p("SUBQ $%d, CX", n)
}

// lanesMerge adds the sums on top of the stack, and leaves the result there or adds the bias and stores it.
func lanesMerge(f *file, r int) {
	f.p("merge:")
	f.p("MOVQ R12, BX")
	f.p("MOVQ %d(AX), DX", laneMerges)
	f.p("TESTQ DX, DX")
	f.p("JZ merged")
	f.p("add:")
	f.p("SUBQ R15, BX")
	for a := range 2 * r {
		f.p("VADDPS %d(BX), %s, %s", a*f.bytes(), f.v(a), f.v(a))
	}
	f.p("DECQ DX")
	f.p("JNZ add")
	f.p("merged:")
	f.p("CMPQ %d(AX), $0", laneLast)
	f.p("JNE last")
	for a := range 2 * r {
		f.p("VMOVUPS %s, %d(BX)", f.v(a), a*f.bytes())
	}
	f.p("JMP kept")
	f.p("last:")
	f.p("MOVQ %d(AX), BX", laneBias)
	for v := range 2 {
		f.p("VMOVUPS %d(BX), %s", v*f.bytes(), f.v(2*r+v))
	}
	for i := range r {
		for v := range 2 {
			f.p("VADDPS %s, %s, %s", f.v(2*r+v), f.v(2*i+v), f.v(2*i+v))
			f.p("VMOVUPS %s, %d(R8)", f.v(2*i+v), v*f.bytes())
		}
		f.p("ADDQ R9, R8")
	}
	f.p("kept:")
}

// packLanesStart reads the arguments of a packing kernel.
//
//	SI, R9, R10, R11 rows 0, 4, 8, 12  DX bytes of a row  R8 3·stride  CX steps left
//	DI, AX slots 0 and 8  BX bytes of a slot  R12, R13, R15 3, 5 and 7 of them
func packLanesStart(f *file, d *decls, name, doc string) {
	const sig = "(dst *float32, src *byte, stride, n, slot int)"
	d.add(f, name, sig, doc)
	f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 0, 40)
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ src+8(FP), SI")
	f.p("MOVQ stride+16(FP), DX")
	f.p("MOVQ n+24(FP), CX")
	f.p("MOVQ slot+32(FP), BX")
	f.p("LEAQ (DX)(DX*2), R8")
	f.p("LEAQ (SI)(DX*4), R9")
	f.p("LEAQ (SI)(DX*8), R10")
	f.p("LEAQ (R9)(DX*8), R11")
	f.p("LEAQ (DI)(BX*8), AX")
	f.p("LEAQ (BX)(BX*2), R12")
	f.p("LEAQ (BX)(BX*4), R13")
	f.p("LEAQ (R12)(BX*4), R15")
}

// laneSlot is the operand disp bytes into the slot of a lane.
func laneSlot(disp, lane int) string {
	slot := 2*(lane%8) + lane/8
	ptr := "DI"
	if slot >= 8 {
		ptr = "AX"
	}
	if slot%8 == 7 {
		return base(disp, ptr, 1, "R15", "", "")
	}
	return base(disp, ptr, slot%8, "BX", "R12", "R13")
}

// transposeQuad loads 16 bytes at disp of 4·blocks rows into t..t+3: register i holds word i of every row. It uses four
// more from t+4.
func transposeQuad(f *file, disp, blocks, t int) { transposeVia(f, disp, blocks, t+4, t) }

// transposeVia is transposeQuad with a..a+3 as the four more.
func transposeVia(f *file, disp, blocks, a, t int) {
	for i := range 4 {
		f.p("VMOVUPS %s, X%d", base(disp, "SI", i, "DX", "R8", ""), t+i)
		for l, ptr := range []string{"R9", "R10", "R11"}[:blocks-1] {
			f.p("VINSERTF32X4 $%d, %s, Z%d, Z%d", l+1, base(disp, ptr, i, "DX", "R8", ""), t+i, t+i)
		}
	}
	f.p("VUNPCKLPS Z%d, Z%d, Z%d", t+1, t, a)
	f.p("VUNPCKHPS Z%d, Z%d, Z%d", t+1, t, a+1)
	f.p("VUNPCKLPS Z%d, Z%d, Z%d", t+3, t+2, a+2)
	f.p("VUNPCKHPS Z%d, Z%d, Z%d", t+3, t+2, a+3)
	f.p("VUNPCKLPD Z%d, Z%d, Z%d", a+2, a, t)
	f.p("VUNPCKHPD Z%d, Z%d, Z%d", a+2, a, t+1)
	f.p("VUNPCKLPD Z%d, Z%d, Z%d", a+3, a+1, t+2)
	f.p("VUNPCKHPD Z%d, Z%d, Z%d", a+3, a+1, t+3)
}

// lanesAhead prefetches a line of every row.
func lanesAhead(f *file, blocks int) {
	for _, ptr := range []string{"SI", "R9", "R10", "R11"}[:blocks] {
		for i := range 4 {
			f.p("PREFETCHT0 %s", base(lanesDistance, ptr, i, "DX", "R8", ""))
		}
	}
}

const lanesDistance = 256

func packLanes(f *file, d *decls, name, what string, blocks int) {
	packLanesStart(f, d, name, "transposes n > 0 steps of "+what+", into slots of lanes.")
	step := 4 * laneCols
	if blocks == 3 {
		step = 4 * laneRows
		f.p("MOVL $0xfff, R14")
		f.p("KMOVW R14, K1")
	}
	f.p("loop:")
	lanesAhead(f, blocks)
	for q := range 4 {
		t := 8 * (q % 4)
		transposeQuad(f, 16*q, blocks, t)
		for i := range 4 {
			if blocks == 3 {
				f.p("VMOVUPS Z%d, K1, %s", t+i, laneSlot(0, 4*q+i))
				continue
			}
			f.p("VMOVUPS Z%d, %s", t+i, laneSlot(0, 4*q+i))
		}
	}
	packLanesNext(f, step)
}

// packLanesNext goes on to the next line of rows.
func packLanesNext(f *file, step int) {
	nextRows(f, 64)
	f.p("ADDQ $%d, DI", step)
	f.p("ADDQ $%d, AX", step)
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.end()
}

// packLanesBF16 transposes pairs of weights and widens both: even ones by a shift, odd ones by a mask.
func packLanesBF16(f *file, d *decls) {
	packLanesStart(f, d, "packLanesBF16", "transposes n > 0 double steps of 16 rows of BF16, widened, 32 floats apart, into slots of lanes.")
	f.p("VPBROADCASTD %s, Z31", f.bits(0xffff0000))
	f.p("loop:")
	lanesAhead(f, 4)
	for q := range 4 {
		t := 8 * (q % 3)
		transposeQuad(f, 16*q, 4, t)
		for i := range 4 {
			pair := 4*q + i
			lane, disp := 2*pair%16, pair/8*4*laneCols
			f.p("VPSLLD $16, Z%d, Z%d", t+i, t+4+i)
			f.p("VPANDD Z31, Z%[1]d, Z%[1]d", t+i)
			f.p("VMOVUPS Z%d, %s", t+4+i, laneSlot(disp, lane))
			f.p("VMOVUPS Z%d, %s", t+i, laneSlot(disp, lane+1))
		}
	}
	packLanesNext(f, 2*4*laneCols)
}
