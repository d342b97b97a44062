package main

// finish adds the lanes of the accumulators of a tile by the tree of the package comment, and the bias, and stores 4
// columns of each row. It uses CX and the registers above the accumulators.
func finish(f *file, rows int) {
	bias := 4*rows + 1
	f.p("MOVQ bias-56(SP), CX")
	if f.wide() {
		bias = 28
		f.p("VBROADCASTF32X4 (CX), Z%d", bias)
		f.p("VMOVUPS %s, Z%d", f.words(neighbours()), foldNeighbours)
		f.p("VMOVUPS %s, Z%d", f.words(quarters()), foldQuarters)
	} else {
		f.p("VMOVUPS (CX), X%d", bias)
	}
	f.p("ADDQ $16, bias-56(SP)")
	f.p("MOVQ dst-48(SP), CX")
	if !f.wide() {
		for r := range rows {
			f.tree4(4*r, 4*rows)
			f.p("VADDPS X%d, X%d, X%d", bias, 4*r, 4*r)
			f.p("VMOVUPS X%d, (CX)", 4*r)
			f.p("ADDQ %d(AX), CX", argDstStride)
		}
		return
	}
	for r := 0; r < rows; r += 4 {
		n := min(4, rows-r)
		fold4Rows(f, 4*r, n)
		f.p("VADDPS Z%d, Z%d, Z%d", bias, 4*r, 4*r)
		for i := range n {
			f.p("VEXTRACTF32X4 $%d, Z%d, (CX)", i, 4*r)
			f.p("ADDQ %d(AX), CX", argDstStride)
		}
	}
}

// Registers of fold4Rows.
const (
	foldQuarters   = 29
	foldNeighbours = 30
	foldTemp       = 31
)

// foldMasks sets K1 to K4: the lanes that the second of two joined registers keeps in the four levels of fold4Rows.
func foldMasks(f *file) {
	for i, m := range []int{0xff00, 0xaaaa, 0xcccc, 0xf0f0} {
		f.p("MOVL $%#x, CX", m)
		f.p("KMOVW CX, K%d", i+1)
	}
}

func neighbours() []uint32 {
	return []uint32{1, 16, 3, 18, 5, 20, 7, 22, 9, 24, 11, 26, 13, 28, 15, 30}
}

// quarters are 64-bit indices.
func quarters() []uint32 {
	return []uint32{2, 0, 3, 0, 8, 0, 9, 0, 6, 0, 7, 0, 12, 0, 13, 0}
}

// fold4Rows adds the lanes of the accumulators of n = 1..4 rows from register a: lane 4·row+column of register a becomes
// that sum. Each level halves the lanes of two registers and puts them into one: half of its lanes holds sums of the
// first, the other half of the second. Rows that are missing repeat one that is there.
func fold4Rows(f *file, a, n int) {
	at := func(r, c int) int { return a + 4*r + c }
	for r := range min(n, 2) { // lanes i and i+8, of rows r and r+2
		for c := range 4 {
			x, y := at(r, c), at(r, c)
			if r+2 < n {
				y = at(r+2, c)
			}
			f.p("VSHUFF64X2 $0x4e, Z%d, Z%d, Z%d", y, x, foldTemp)
			foldJoin(f, x, y, 1)
		}
	}
	for r := range min(n, 2) {
		for c := 0; c < 4; c += 2 { // neighbours, of columns c and c+1
			x, y := at(r, c), at(r, c+1)
			f.p("VBLENDMPS Z%d, Z%d, K2, Z%d", y, x, foldTemp)
			f.p("VPERMT2PS Z%d, Z%d, Z%d", y, foldNeighbours, x)
			f.p("VADDPS Z%d, Z%d, Z%d", foldTemp, x, x)
		}
		x, y := at(r, 0), at(r, 2) // pairs, of columns 0, 1 and 2, 3
		f.p("VSHUFPS $0x4e, Z%d, Z%d, Z%d", y, x, foldTemp)
		foldJoin(f, x, y, 3)
	}
	x, y := at(0, 0), at(0, 0) // fours, of rows r and r+1
	if n > 1 {
		y = at(1, 0)
	}
	f.p("VBLENDMPS Z%d, Z%d, K4, Z%d", y, x, foldTemp)
	f.p("VPERMT2PD Z%d, Z%d, Z%d", y, foldQuarters, x)
	f.p("VADDPS Z%d, Z%d, Z%d", foldTemp, x, x)
}

// foldJoin joins register x, in the lanes of mask k register y, with the other halves in the temporary.
func foldJoin(f *file, x, y, k int) {
	if x != y {
		f.p("VBLENDMPS Z%d, Z%d, K%d, Z%d", y, x, k, x)
	}
	f.p("VADDPS Z%d, Z%d, Z%d", foldTemp, x, x)
}
