package main

import "fmt"

// rowCols is how many rows of W a row kernel takes at once.
const rowCols = 8

// rowKernel multiplies one row of X with groups of 8 rows of W, which lie far apart: 8 streams keep the memory busy, each
// of its own pages as the prefetchers of CPUs want them.
//
//	AX args  SI x  DI w  BX w stride  R8 3·stride  R9 5·stride  R10 7·stride  R11 prefetch  R15 its end
//	R12 acc  R13 bias  R14 dst  DX groups left  CX steps left
//	registers: 8 sums, x, four for W
func rowKernel(f *file, d *decls, w weightFormat) {
	name := "row" + w.name
	d.add(f, name, "(a *tileArgs)", "adds a row of X times 8 rows of "+w.name+" weights into lane accumulators; see tileArgs.")
	f.begin(name, fmt.Sprintf("func %s%s(a *tileArgs)", name, f.suffix), 0, 8)
	rowStart(f)
	f.p("group:")
	f.p("CMPQ %d(AX), $0", argMore)
	f.p("JNE more")
	for a := range rowCols {
		f.zero(a)
	}
	f.p("JMP sum")
	f.p("more:")
	for a := range rowCols {
		f.p("VMOVUPS %d(R12), %s", a*f.bytes(), f.v(a))
	}
	f.p("sum:")
	rowLoop(f, w)
	f.p("CMPQ %d(AX), $0", argLast)
	f.p("JNE last")
	for a := range rowCols {
		f.p("VMOVUPS %s, %d(R12)", f.v(a), a*f.bytes())
	}
	f.p("JMP kept")
	f.p("last:")
	rowFinish(f)
	f.p("kept:")
	f.p("ADDQ $%d, R12", rowCols*f.bytes())
	f.p("ADDQ $%d, R13", 4*rowCols)
	f.p("ADDQ $%d, R14", 4*rowCols)
	rewind(f, "SI", f.bytes())
	rewind(f, "DI", f.lanes*w.size)
	f.p("MOVQ %d(AX), CX", argWNext)
	f.p("ADDQ CX, DI")
	f.p("ADDQ %d(AX), R11", argPrefetchNext)
	f.p("DECQ DX")
	f.p("JNZ group")
	f.end()

	f.p("jump:")
	f.p("ADDQ %d(AX), R11", argPrefetchJump)
	f.p("MOVQ $-1, R15")
	f.p("JMP jumped")
}

func rowStart(f *file) {
	f.p("MOVQ a+0(FP), AX")
	if f.wide() {
		foldMasks(f)
	}
	f.p("MOVQ %d(AX), SI", argX)
	f.p("MOVQ %d(AX), DI", argW)
	f.p("MOVQ %d(AX), BX", argWStride)
	f.p("LEAQ (BX)(BX*2), R8")
	f.p("LEAQ (BX)(BX*4), R9")
	f.p("LEAQ (R8)(BX*4), R10")
	f.p("MOVQ %d(AX), R11", argPrefetch)
	f.p("MOVQ %d(AX), R15", argPrefetchEnd)
	f.p("MOVQ %d(AX), R12", argAcc)
	f.p("MOVQ %d(AX), R13", argBias)
	f.p("MOVQ %d(AX), R14", argDst)
	f.p("MOVQ %d(AX), DX", argGroups)
}

// rowLoop does all steps of a group, a line of each row of W a turn.
func rowLoop(f *file, w weightFormat) {
	turn := 64 / (f.lanes * w.size)
	f.p("MOVQ %d(AX), CX", argSteps)
	f.p("SUBQ $%d, CX", turn)
	f.p("JLT few")
	f.p("PCALIGN $32")
	f.p("turn:")
	for c := range rowCols {
		f.p("PREFETCHT0 %s", rowBase(0, "R11", c))
	}
	f.p("ADDQ $64, R11")
	f.p("CMPQ R11, R15")
	f.p("JCC jump")
	f.p("jumped:")
	rowSteps(f, w, turn)
	f.p("JGE turn")
	f.p("few:")
	f.p("ADDQ $%d, CX", turn)
	f.p("JZ summed")
	f.p("one:")
	rowSteps(f, w, 1)
	f.p("JNZ one")
	f.p("summed:")
}

// rowSteps takes n steps and leaves the flags of CX -= n.
func rowSteps(f *file, w weightFormat, n int) {
	x := rowCols
	for u := range n {
		f.p("VMOVUPS %s, %s", base(u*f.bytes(), "SI", 0, "", "", ""), f.v(x))
		for c := range rowCols {
			mem, t := rowBase(u*f.lanes*w.size, "DI", c), x+1+c%4
			if w.name == "F32" {
				f.p("VFMADD231PS %s, %s, %s", mem, f.v(x), f.v(c))
				continue
			}
			widen(f, w, mem, t)
			f.p("VFMADD231PS %s, %s, %s", f.v(t), f.v(x), f.v(c))
		}
	}
	f.p("ADDQ $%d, SI", n*f.bytes())
	f.p("ADDQ $%d, DI", n*f.lanes*w.size)
	f.p("SUBQ $%d, CX", n)
}

// rowBase is base with BX as the stride and R8, R9 and R10 holding it times 3, 5 and 7.
func rowBase(disp int, ptr string, row int) string {
	if row == 7 {
		return base(disp, ptr, 1, "R10", "", "")
	}
	return base(disp, ptr, row, "BX", "R8", "R9")
}

// rowFinish adds the lanes of the 8 sums by the tree of the package comment, and the bias, and stores 8 columns.
func rowFinish(f *file) {
	if f.wide() {
		f.p("VMOVUPS %s, Z%d", f.words(neighbours()), foldNeighbours)
		f.p("VMOVUPS %s, Z%d", f.words(quarters()), foldQuarters)
		fold4Rows(f, 0, 2)
		f.p("VADDPS (R13), Y0, Y0")
		f.p("VMOVUPS Y0, (R14)")
		return
	}
	for c := 0; c < rowCols; c += 4 {
		f.tree4(c, rowCols)
		f.p("VADDPS %d(R13), X%d, X%d", 4*c, c, c)
		f.p("VMOVUPS X%d, %d(R14)", c, 4*c)
	}
}
