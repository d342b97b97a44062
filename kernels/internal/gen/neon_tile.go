package main

import "fmt"

// armTiles: the tile kernels of neon, R rows of X by 4 rows of W, the kinds of tileRoom; see tileArgs.
//
//	R0 args  R1 x of the tile  R2 x stride  R3 w of the group  R4.. rows of x  R8.. rows of w  R12 acc  R13 dst  R14 bias
//	R15 groups left  R16 tiles left  R17 panel  R19 steps left  R20 temporary
//	registers: sum[r][c] = pair 2·(4r+c), then the rows of X, then pairs for W
//
// There are no prefetches: rows of W are long streams, which hardware follows.
func armTiles(f *arm) {
	for _, w := range weightFormats {
		armRow(f, w)
		for r := 1; r <= armTileRows; r++ {
			armTile(f, variant{"tile", w, r}, "adds %d rows of X times 4 rows of "+w.name+" weights into lane accumulators")
		}
		for r := 2; r <= armTileRows; r++ {
			armTile(f, variant{"first", w, r}, "is the tile kernel of %d rows and "+w.name+" weights that keeps them widened in the panel")
		}
	}
	for r := 2; r <= armTileRows; r++ {
		armTile(f, variant{"panel", weightFormat{"", 4}, r}, "is the tile kernel of %d rows and weights in a panel")
	}
}

const (
	armTileRows = 3
	armLanes    = 8
	armBytes    = 32 // of a pair
	armUnroll   = 4  // steps at once
)

func armTile(f *arm, v variant, doc string) {
	f.begin(v.name(), "(a *tileArgs)", fmt.Sprintf(doc, v.rows)+"; see tileArgs.", 8)
	f.p("MOVD a+0(FP), R0")
	for _, a := range [][2]int{{argX, 1}, {argXStride, 2}, {argTiles, 16}, {argAcc, 12}, {argDst, 13}} {
		f.p("MOVD %d(R0), R%d", a[0], a[1])
	}
	f.p("tile:")
	f.p("MOVD %d(R0), R3", argW)
	f.p("MOVD %d(R0), R17", argPanel)
	f.p("MOVD %d(R0), R15", argGroups)
	f.p("MOVD %d(R0), R14", argBias)
	f.p("MOVD R3, R8 // the panel of all groups is one stream")
	f.p("group:")
	armRows(f, 4, 1, "R2", v.rows)
	if v.kind != "panel" {
		f.p("MOVD %d(R0), R20", argWStride)
		armRows(f, 8, 3, "R20", 4)
	}
	armSums(f, 4*v.rows)
	armSteps(f, func(n int) { armTileSteps(f, v, n) })
	armKeep(f, 4*v.rows, func() { armFinish(f, v.rows) })
	f.p("ADD $%d, R12", 4*v.rows*armBytes)
	f.p("ADD $16, R13")
	f.p("ADD $16, R14")
	f.p("MOVD %d(R0), R20", argWNext)
	f.p("ADD R20, R3")
	f.p("SUBS $1, R15")
	f.p("BNE group")
	f.p("MOVD $%d, R20", v.rows)
	f.p("MADD R20, R1, R2, R1")
	f.p("MOVD %d(R0), R19", argDstStride)
	f.p("MADD R20, R13, R19, R13")
	f.p("MOVD %d(R0), R19", argGroups)
	f.p("SUB R19<<4, R13")
	f.p("SUBS $1, R16")
	f.p("BNE tile")
	f.p("RET")
}

// armRows makes pointers R{to}.. to n rows from R{from}.
func armRows(f *arm, to, from int, stride string, n int) {
	f.p("MOVD R%d, R%d", from, to)
	for i := 1; i < n; i++ {
		f.p("ADD %s, R%d, R%d", stride, to+i-1, to+i)
	}
}

// armSums starts n sums or takes them from acc.
func armSums(f *arm, n int) {
	f.p("MOVD %d(R0), R20", argMore)
	f.p("CBNZ R20, more")
	for a := range 2 * n {
		f.zero(a)
	}
	f.p("B sum")
	f.p("more:")
	for a := range n {
		f.ldp(2*a, 12, a*armBytes)
	}
	f.p("sum:")
}

// armSteps runs over all steps, armUnroll at a time.
func armSteps(f *arm, steps func(n int)) {
	f.p("MOVD %d(R0), R19", argSteps)
	f.p("SUBS $%d, R19", armUnroll)
	f.p("BLT few")
	f.p("PCALIGN $32")
	f.p("steps:")
	steps(armUnroll)
	f.p("SUBS $%d, R19", armUnroll)
	f.p("BGE steps")
	f.p("few:")
	f.p("ADDS $%d, R19", armUnroll)
	f.p("BEQ summed")
	f.p("one:")
	steps(1)
	f.p("SUBS $1, R19")
	f.p("BNE one")
	f.p("summed:")
}

// armKeep stores n sums to acc or, at the end of the row, finishes them.
func armKeep(f *arm, n int, finish func()) {
	f.p("MOVD %d(R0), R20", argLast)
	f.p("CBNZ R20, last")
	for a := range n {
		f.stp(2*a, 12, a*armBytes)
	}
	f.p("B kept")
	f.p("last:")
	finish()
	f.p("kept:")
}

// armTileSteps multiplies n registers of each row of X with n of each row of W and moves on.
func armTileSteps(f *arm, v variant, n int) {
	x := 8 * v.rows
	t := x + 2*v.rows // pairs for W, as many as are left, at most 4
	pairs := min((32-t)/2, 4)
	for u := range n {
		for r := range v.rows {
			f.ldp(x+2*r, 4+r, u*armBytes)
		}
		for c := range 4 {
			w := t + 2*(c%pairs)
			if v.kind == "panel" {
				f.ldp(w, 8, (u*4+c)*armBytes)
			} else {
				armWiden(f, v.w, w, 8+c, u*armLanes*v.w.size)
			}
			if v.kind == "first" {
				f.stp(w, 17, (u*4+c)*armBytes)
			}
			for r := range v.rows {
				f.pair(fmla, 2*(4*r+c), w, x+2*r)
			}
		}
	}
	for r := range v.rows {
		f.p("ADD $%d, R%d", n*armBytes, 4+r)
	}
	if v.kind == "panel" {
		f.p("ADD $%d, R8", n*4*armBytes)
		return
	}
	for c := range 4 {
		f.p("ADD $%d, R%d", n*armLanes*v.w.size, 8+c)
	}
	if v.kind == "first" {
		f.p("ADD $%d, R17", n*4*armBytes)
	}
}

// armWiden loads 8 weights as f32 into registers t and t+1.
func armWiden(f *arm, w weightFormat, t, ptr, off int) {
	if w.size == 4 {
		f.ldp(t, ptr, off)
		return
	}
	f.ldr(t, ptr, off)
	high, low := shll2, shll
	if w.name == "F16" {
		high, low = fcvtl2, fcvtl
	}
	f.v2(high, t+1, t)
	f.v2(low, t, t)
}

// armTree4 adds the lanes of the pairs a, a+2, a+4, a+6 by the tree of the package comment; the four sums end in a.
func armTree4(f *arm, a int) {
	for c := range 4 {
		f.v3(faddp, a+2*c, a+2*c, a+2*c+1)
	}
	f.v3(faddp, a, a, a+2)
	f.v3(faddp, a+4, a+4, a+6)
	f.v3(faddp, a, a, a+4)
}

// armFinish adds the lanes and the bias and stores 4 columns of each row.
func armFinish(f *arm, rows int) {
	f.ldr(31, 14, 0)
	f.p("MOVD R13, R20")
	f.p("MOVD %d(R0), R19", argDstStride)
	for r := range rows {
		armTree4(f, 8*r)
		f.v3(fadd, 8*r, 8*r, 31)
		f.str(8*r, 20, 0)
		f.p("ADD R19, R20")
	}
}

// armRow multiplies one row of X with groups of 8 rows of W, which lie far apart.
//
//	R1 x  R3 w  R4..R11 rows of w  R12 acc  R13 dst  R14 bias  R15 groups left  R16 walker of x
//	registers: 8 pairs of sums, the pair of x, pairs for W
func armRow(f *arm, w weightFormat) {
	f.begin("row"+w.name, "(a *tileArgs)", "adds a row of X times 8 rows of "+w.name+" weights into lane accumulators; see tileArgs.", 8)
	f.p("MOVD a+0(FP), R0")
	for _, a := range [][2]int{{argX, 1}, {argW, 3}, {argAcc, 12}, {argDst, 13}, {argBias, 14}, {argGroups, 15}} {
		f.p("MOVD %d(R0), R%d", a[0], a[1])
	}
	f.p("group:")
	f.p("MOVD %d(R0), R20", argWStride)
	armRows(f, 4, 3, "R20", rowCols)
	f.p("MOVD R1, R16")
	armSums(f, rowCols)
	armSteps(f, func(n int) {
		for u := range n {
			f.ldp(16, 16, u*armBytes)
			for c := range rowCols {
				t := 18 + 2*(c%7)
				armWiden(f, w, t, 4+c, u*armLanes*w.size)
				f.pair(fmla, 2*c, t, 16)
			}
		}
		f.p("ADD $%d, R16", n*armBytes)
		for c := range rowCols {
			f.p("ADD $%d, R%d", n*armLanes*w.size, 4+c)
		}
	})
	armKeep(f, rowCols, func() {
		armTree4(f, 0)
		armTree4(f, 8)
		f.ldp(16, 14, 0)
		f.v3(fadd, 0, 0, 16)
		f.v3(fadd, 8, 8, 17)
		f.str(0, 13, 0)
		f.str(8, 13, 16)
	})
	f.p("ADD $%d, R12", rowCols*armBytes)
	f.p("ADD $%d, R13", 4*rowCols)
	f.p("ADD $%d, R14", 4*rowCols)
	f.p("MOVD %d(R0), R20", argWNext)
	f.p("ADD R20, R3")
	f.p("SUBS $1, R15")
	f.p("BNE group")
	f.p("RET")
}
