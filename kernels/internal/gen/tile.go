package main

import "fmt"

// tileRoom: the tile kernels, R rows of X by 4 rows of W.
//
//	tile   from the map: each weight format, R = 1..rows
//	first  the same that keeps the widened weights in a panel, for the first tile of many
//	panel  from that panel, for the others
//	dot    bfloat16 by bfloat16 through the dot product of AVX512_BF16
//	row    one row of X by 8 rows of W, in row.go
//
//	AX args  SI x  DX x stride  R8 3·stride  R9 5·stride  DI w  BX w stride  R10 3·stride
//	R11 prefetch  R13 its stride  R14 3·stride  R15 its step  R12 panel  CX steps left
//	registers: acc[r][c] = r*4+c, then the rows of X, then one or two for W
var tileRoom = room{name: "tile", emit: func(f *file, d *decls) {
	for _, w := range weightFormats {
		rowKernel(f, d, w)
	}
	for _, w := range weightFormats {
		for r := 1; r <= f.rows; r++ {
			tile(f, d, variant{"tile", w, r}, "adds %d rows of X times 4 rows of "+w.name+" weights into lane accumulators")
		}
	}
	for _, w := range weightFormats {
		for r := f.rows/2 + f.rows%2; r <= f.rows; r++ {
			tile(f, d, variant{"first", w, r}, "is the tile kernel of %d rows and "+w.name+" weights that keeps them widened in the panel")
		}
	}
	for r := f.rows/2 + f.rows%2; r <= f.rows; r++ {
		tile(f, d, variant{"panel", weightFormat{"", 4}, r}, "is the tile kernel of %d rows and weights in a panel")
	}
	for r := 1; r <= f.rows && f.wide(); r++ {
		tile(f, d, variant{"dot", weightFormat{"BF16", 2}, r}, "is the tile kernel of %d rows of bfloat16 and BF16 weights by the dot product of pairs")
	}
}}

type weightFormat struct {
	name string
	size int
}

var weightFormats = []weightFormat{{"F32", 4}, {"BF16", 2}, {"F16", 2}}

// variant is a kind of tile kernel.
type variant struct {
	kind string
	w    weightFormat
	rows int
}

func (v variant) name() string { return fmt.Sprintf("%s%s%dx4", v.kind, v.w.name, v.rows) }

// Bytes that a step of one register moves on in a row of X and in W.
func (v variant) xStep(f *file) int { return f.bytes() }
func (v variant) wStep(f *file) int {
	switch v.kind {
	case "panel":
		return 4 * f.bytes()
	case "dot":
		return f.bytes()
	}
	return f.lanes * v.w.size
}

// turn is how many steps go with one prefetch of each row: 32 weights, or straight from the map two lines, as memory
// likes pairs of them.
func (v variant) turn(f *file) int {
	switch v.kind {
	case "dot":
		return 1
	case "tile":
		return 128 / v.wStep(f)
	}
	return 32 / f.lanes
}

// Offsets of tileArgs.
const (
	argX = 8 * iota
	argW
	argAcc
	argPanel
	argDst
	argBias
	argDstStride
	argPrefetch
	argXStride
	argWStride
	argWNext
	argPrefetchStride
	argPrefetchStep
	argPrefetchTile
	argPrefetchNext
	argPrefetchEnd
	argPrefetchJump
	argSteps
	argGroups
	argTiles
	argMore
	argLast
)

func tile(f *file, d *decls, v variant, doc string) {
	doc = fmt.Sprintf(doc, v.rows) + "; see tileArgs."
	d.add(f, v.name(), "(a *tileArgs)", doc)
	f.begin(v.name(), fmt.Sprintf("func %s%s(a *tileArgs)", v.name(), f.suffix), 56, 8)
	tileStart(f)
	f.p("tile:")
	f.p("MOVQ %d(AX), DI", argW)
	if v.kind == "first" {
		f.p("MOVQ %d(AX), R12", argPanel)
	}
	f.p("MOVQ %d(AX), CX", argGroups)
	f.p("MOVQ CX, groups-16(SP)")
	f.p("MOVQ R11, ahead-24(SP)")
	f.p("MOVQ R11, first-32(SP)")
	f.p("MOVQ %d(AX), CX", argBias)
	f.p("MOVQ CX, bias-56(SP)")
	tileGroup(f, v)
	tileNext(f, v)
}

// tileStart reads the arguments that stay the same for all tiles.
func tileStart(f *file) {
	f.p("MOVQ a+0(FP), AX")
	if f.wide() {
		foldMasks(f)
	}
	f.p("MOVQ %d(AX), SI", argX)
	f.p("MOVQ %d(AX), DX", argXStride)
	f.p("MOVQ %d(AX), BX", argWStride)
	f.p("MOVQ %d(AX), R13", argPrefetchStride)
	f.p("LEAQ (DX)(DX*2), R8")
	f.p("LEAQ (DX)(DX*4), R9")
	f.p("LEAQ (BX)(BX*2), R10")
	f.p("LEAQ (R13)(R13*2), R14")
	f.p("MOVQ %d(AX), CX", argTiles)
	f.p("MOVQ CX, tiles-8(SP)")
	f.p("MOVQ %d(AX), CX", argAcc)
	f.p("MOVQ CX, acc-40(SP)")
	f.p("MOVQ %d(AX), CX", argDst)
	f.p("MOVQ CX, dst-48(SP)")
	f.p("MOVQ %d(AX), R15", argPrefetchStep)
	f.p("MOVQ %d(AX), R11", argPrefetch)
}

// tileGroup does one tile with 4 rows of W: sums go on or start, steps, and sums are kept or finished.
func tileGroup(f *file, v variant) {
	f.p("group:")
	f.p("CMPQ %d(AX), $0", argMore)
	f.p("JNE more")
	for a := range 4 * v.rows {
		f.zero(a)
	}
	f.p("JMP sum")
	f.p("more:")
	f.p("MOVQ acc-40(SP), CX")
	for a := range 4 * v.rows {
		f.p("VMOVUPS %d(CX), %s", a*f.bytes(), f.v(a))
	}
	f.p("sum:")
	f.p("MOVQ %d(AX), CX", argSteps)
	f.p("TESTQ R15, R15")
	f.p("JZ plain")
	tilePrefetching(f, v)

	f.p("plain:")
	f.p("SUBQ $%d, CX", plainUnroll)
	f.p("JLT fewer")
	f.p("PCALIGN $32")
	f.p("steps:")
	tileSteps(f, v, plainUnroll)
	f.p("JGE steps")
	f.p("fewer:")
	f.p("ADDQ $%d, CX", plainUnroll)

	f.p("rest:")
	f.p("TESTQ CX, CX")
	f.p("JZ done")
	f.p("one:")
	tileSteps(f, v, 1)
	f.p("JNZ one")

	f.p("done:")
	f.p("CMPQ %d(AX), $0", argLast)
	f.p("JNE last")
	f.p("MOVQ acc-40(SP), CX")
	for a := range 4 * v.rows {
		f.p("VMOVUPS %s, %d(CX)", f.v(a), a*f.bytes())
	}
	f.p("JMP kept")
	f.p("last:")
	finish(f, v.rows)
	f.p("kept:")
}

// tilePrefetching is the loop of steps with prefetches, of each row for every turn.
func tilePrefetching(f *file, v variant) {
	turn := v.turn(f)
	f.p("SUBQ $%d, CX", turn)
	f.p("JLT few")
	f.p("ahead:")
	for c := range 4 {
		f.p("PREFETCHT0 %s", base(0, "R11", c, "R13", "R14", ""))
		if v.kind == "tile" {
			f.p("PREFETCHT0 %s", base(64, "R11", c, "R13", "R14", ""))
		}
	}
	f.p("ADDQ R15, R11")
	tileSteps(f, v, turn)
	f.p("JGE ahead")
	f.p("few:")
	f.p("ADDQ $%d, CX", turn)
	f.p("JMP rest")
}

// tileNext goes on to the next group, the next tile, or returns.
func tileNext(f *file, v variant) {
	f.p("ADDQ $%d, acc-40(SP)", 4*v.rows*f.bytes())
	f.p("ADDQ $16, dst-48(SP)")
	rewind(f, "SI", v.xStep(f))
	if v.kind != "panel" {
		rewind(f, "DI", v.wStep(f))
		f.p("ADDQ %d(AX), DI", argWNext)
	}
	f.p("DECQ groups-16(SP)")
	f.p("JZ next")
	f.p("MOVQ ahead-24(SP), R11")
	f.p("ADDQ %d(AX), R11", argPrefetchNext)
	f.p("MOVQ R11, ahead-24(SP)")
	f.p("JMP group")
	f.p("next:")
	f.p("LEAQ %s, SI", base(0, "SI", v.rows, "DX", "R8", "R9"))
	f.p("IMUL3Q $%d, %d(AX), CX", v.rows, argDstStride)
	f.p("ADDQ CX, dst-48(SP)")
	f.p("IMUL3Q $16, %d(AX), CX", argGroups)
	f.p("SUBQ CX, dst-48(SP)")
	f.p("MOVQ first-32(SP), R11")
	f.p("MOVQ %d(AX), CX", argPrefetchTile)
	f.p("ADDQ CX, R11")
	f.p("TESTQ CX, CX")
	f.p("CMOVQEQ CX, R15 // the first tile has prefetched everything")
	f.p("DECQ tiles-8(SP)")
	f.p("JNZ tile")
	f.end()
}

// plainUnroll is how many steps the loop without prefetches takes at once: instructions that are not multiply-adds
// cost most where another hardware thread shares the core.
const plainUnroll = 4

// tileSteps takes n steps and leaves the flags of CX -= n.
func tileSteps(f *file, v variant, n int) {
	for u := range n {
		tileStep(f, v, u)
	}
	f.p("ADDQ $%d, SI", n*v.xStep(f))
	f.p("ADDQ $%d, DI", n*v.wStep(f))
	if v.kind == "first" {
		f.p("ADDQ $%d, R12", n*4*f.bytes())
	}
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
func tileStep(f *file, v variant, u int) {
	x := 4 * v.rows
	for r := range v.rows {
		f.p("VMOVUPS %s, %s", base(u*v.xStep(f), "SI", r, "DX", "R8", "R9"), f.v(x+r))
	}
	for c := range 4 {
		mem := base(u*v.wStep(f), "DI", c, "BX", "R10", "")
		if v.kind == "tile" && v.w.name == "F32" && v.rows == 1 {
			f.p("VFMADD231PS %s, %s, %s", mem, f.v(x), f.v(c))
			continue
		}
		t := x + v.rows
		if f.wide() {
			t += c % 2
		}
		switch v.kind {
		case "panel":
			f.p("VMOVUPS %d(DI), %s", (u*4+c)*f.bytes(), f.v(t))
		case "dot":
			f.p("VMOVUPS %s, %s", mem, f.v(t))
		default:
			widen(f, v.w, mem, t)
		}
		if v.kind == "first" {
			f.p("VMOVUPS %s, %d(R12)", f.v(t), (u*4+c)*f.bytes())
		}
		for r := range v.rows {
			if v.kind == "dot" {
				f.dotBF16(t, x+r, 4*r+c)
				continue
			}
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
