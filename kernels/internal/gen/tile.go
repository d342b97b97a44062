package main

import "fmt"

// tileRoom: the tile kernels, R rows of X by 4 rows of W, for each weight format and R = 1..rows.
//
//	AX args  SI x  DX x stride  R8 3·stride  R9 5·stride  DI w  BX w stride  R10 3·stride
//	R11 prefetch  R13 its stride  R14 3·stride  R15 its step  R12 acc  CX steps left
//	registers: acc[r][c] = r*4+c, then the rows of X, then one or two for W
var tileRoom = room{"tile", func(f *file, d *decls) {
	for _, w := range weightFormats {
		for r := 1; r <= f.rows; r++ {
			tile(f, d, w, r)
		}
	}
}}

type weightFormat struct {
	name string
	size int
}

var weightFormats = []weightFormat{{"F32", 4}, {"BF16", 2}, {"F16", 2}}

// Offsets of tileArgs.
const (
	argX = 8 * iota
	argW
	argAcc
	argPrefetch
	argXStride
	argWStride
	argPrefetchStride
	argPrefetchStep
	argPrefetchTile
	argPrefetchEnd
	argSteps
	argGroups
	argTiles
	argMore
)

func tile(f *file, d *decls, w weightFormat, rows int) {
	name := fmt.Sprintf("tile%s%dx4", w.name, rows)
	doc := fmt.Sprintf("adds %d rows of X times 4 rows of %s weights into lane accumulators; see tileArgs.", rows, w.name)
	d.add(f, name, "(a *tileArgs)", doc)
	f.begin(name, fmt.Sprintf("func %s%s(a *tileArgs)", name, f.suffix), 40, 8)
	f.p("MOVQ a+0(FP), AX")
	f.p("MOVQ %d(AX), SI", argX)
	f.p("MOVQ %d(AX), R12", argAcc)
	f.p("MOVQ %d(AX), DX", argXStride)
	f.p("MOVQ %d(AX), BX", argWStride)
	f.p("MOVQ %d(AX), R13", argPrefetchStride)
	f.p("LEAQ (DX)(DX*2), R8")
	f.p("LEAQ (DX)(DX*4), R9")
	f.p("LEAQ (BX)(BX*2), R10")
	f.p("LEAQ (R13)(R13*2), R14")
	f.p("MOVQ %d(AX), CX", argTiles)
	f.p("MOVQ CX, tiles-8(SP)")
	f.p("MOVQ %d(AX), R15", argPrefetchStep)
	f.p("MOVQ %d(AX), R11", argPrefetch)

	f.p("tile:")
	f.p("MOVQ %d(AX), DI", argW)
	f.p("MOVQ %d(AX), CX", argGroups)
	f.p("MOVQ CX, groups-16(SP)")
	f.p("MOVQ R11, ahead-24(SP)")
	f.p("MOVQ R11, first-32(SP)")
	f.p("MOVQ %d(AX), CX", argPrefetchEnd)
	f.p("MOVQ CX, end-40(SP)")

	f.p("group:")
	f.p("CMPQ %d(AX), $0", argMore)
	f.p("JNE more")
	for a := range 4 * rows {
		f.zero(a)
	}
	f.p("JMP sum")
	f.p("more:")
	for a := range 4 * rows {
		f.p("VMOVUPS %d(R12), %s", a*f.bytes(), f.v(a))
	}

	f.p("sum:")
	f.p("MOVQ %d(AX), CX", argSteps)
	f.p("TESTQ R15, R15")
	f.p("JZ plain")
	unroll := max(2, 64/(f.lanes*w.size))
	f.p("SUBQ $%d, CX", unroll)
	f.p("JLT few")
	f.p("ahead:")
	for c := range 4 {
		f.p("PREFETCHT0 %s", base(0, "R11", c, "R13", "R14", ""))
	}
	f.p("ADDQ R15, R11")
	f.p("CMPQ R11, end-40(SP)")
	f.p("JCC wrap")
	f.p("wrapped:")
	tileSteps(f, w, rows, unroll)
	f.p("JGE ahead")
	f.p("few:")
	f.p("ADDQ $%d, CX", unroll)
	f.p("JMP rest")

	f.p("plain:")
	f.p("SUBQ $%d, CX", plainUnroll)
	f.p("JLT fewer")
	f.p("PCALIGN $32")
	f.p("steps:")
	tileSteps(f, w, rows, plainUnroll)
	f.p("JGE steps")
	f.p("fewer:")
	f.p("ADDQ $%d, CX", plainUnroll)

	f.p("rest:")
	f.p("TESTQ CX, CX")
	f.p("JZ done")
	f.p("one:")
	tileStep(f, w, rows, 0)
	f.p("ADDQ $%d, SI", f.bytes())
	f.p("ADDQ $%d, DI", f.lanes*w.size)
	f.p("DECQ CX")
	f.p("JNZ one")

	f.p("done:")
	for a := range 4 * rows {
		f.p("VMOVUPS %s, %d(R12)", f.v(a), a*f.bytes())
	}
	f.p("ADDQ $%d, R12", 4*rows*f.bytes())
	rewind(f, "SI", f.bytes())
	rewind(f, "DI", f.lanes*w.size)
	f.p("LEAQ (DI)(BX*4), DI // the next 4 rows of W")
	f.p("DECQ groups-16(SP)")
	f.p("JZ next")
	f.p("MOVQ ahead-24(SP), R11")
	f.p("LEAQ (R11)(R13*4), R11")
	f.p("MOVQ R11, ahead-24(SP)")
	f.p("JMP group")
	f.p("next:")
	f.p("LEAQ %s, SI", base(0, "SI", rows, "DX", "R8", "R9"))
	f.p("MOVQ first-32(SP), R11")
	f.p("MOVQ %d(AX), CX", argPrefetchTile)
	f.p("ADDQ CX, R11")
	f.p("TESTQ CX, CX")
	f.p("CMOVQEQ CX, R15 // the first tile has prefetched everything")
	f.p("DECQ tiles-8(SP)")
	f.p("JNZ tile")
	f.end()

	f.p("wrap:")
	f.p("ADDQ R14, R11 // from the end of the rows to the start of the next 4")
	f.p("SHLQ $2, R13")
	f.p("ADDQ R13, end-40(SP)")
	f.p("SHRQ $2, R13")
	f.p("JMP wrapped")
}

// plainUnroll is how many steps the loop without prefetches takes at once: instructions that are not multiply-adds
// cost most where another hardware thread shares the core.
const plainUnroll = 4

// tileSteps takes n steps and leaves the flags of CX -= n.
func tileSteps(f *file, w weightFormat, rows, n int) {
	for u := range n {
		tileStep(f, w, rows, u)
	}
	f.p("ADDQ $%d, SI", n*f.bytes())
	f.p("ADDQ $%d, DI", n*f.lanes*w.size)
	f.p("SUBQ $%d, CX", n)
}

// rewind takes a pointer back to the start of the row after steps of size bytes.
func rewind(f *file, reg string, size int) {
	f.p("IMUL3Q $%d, %d(AX), CX", size, argSteps)
	f.p("SUBQ CX, %s", reg)
}

// base is the operand row·stride + disp from a pointer, row = 0..6, s, s3 and s5 holding the stride times 1, 3 and 5.
func base(disp int, ptr string, row int, s, s3, s5 string) string {
	b := fmt.Sprintf("(%s)", ptr)
	if disp != 0 {
		b = fmt.Sprintf("%d(%s)", disp, ptr)
	}
	switch row {
	case 0:
		return b
	case 1, 2, 4:
		return fmt.Sprintf("%s(%s*%d)", b, s, row)
	case 3:
		return fmt.Sprintf("%s(%s*1)", b, s3)
	case 5:
		return fmt.Sprintf("%s(%s*1)", b, s5)
	case 6:
		return fmt.Sprintf("%s(%s*2)", b, s3)
	}
	panic("gen: row out of range")
}

// tileStep multiplies one register of each row of X with one of each row of W.
func tileStep(f *file, w weightFormat, rows, u int) {
	x := 4 * rows
	for r := range rows {
		f.p("VMOVUPS %s, %s", base(u*f.bytes(), "SI", r, "DX", "R8", "R9"), f.v(x+r))
	}
	for c := range 4 {
		mem := base(u*f.lanes*w.size, "DI", c, "BX", "R10", "")
		if w.name == "F32" && rows == 1 {
			f.p("VFMADD231PS %s, %s, %s", mem, f.v(x), f.v(c))
			continue
		}
		t := x + rows
		if f.wide() {
			t += c % 2
		}
		widen(f, w, mem, t)
		for r := range rows {
			f.p("VFMADD231PS %s, %s, %s", f.v(t), f.v(x+r), f.v(4*r+c))
		}
	}
}

// widen loads lanes weights as f32.
func widen(f *file, w weightFormat, mem string, t int) {
	switch w.name {
	case "F32":
		f.p("VMOVUPS %s, %s", mem, f.v(t))
	case "BF16":
		f.p("VPMOVZXWD %s, %s", mem, f.v(t))
		f.p("VPSLLD $16, %[1]s, %[1]s", f.v(t))
	case "F16":
		f.p("VCVTPH2PS %s, %s", mem, f.v(t))
	}
}
