package main

import "fmt"

// colsRoom: R rows of a times a matrix of columns in blocks of 16, R = 1..colsRows; see colsFunc in package kernels.
//
//	DI dst  SI a  BX b  DX stride of a  R10 3·DX  R11 5·DX  R12 bytes of a row of b  R13 of a block  R14 3·R13
//	R8 walker of a  AX, R9 walkers of b's blocks 0..3 and 4..7  CX columns of a left  R15 prefetch
//
// Each output is one chain of multiply-adds over the columns of a, so bits do not depend on R nor on the number of
// blocks taken at once.
var colsRoom = room{name: "cols", emit: func(f *file, d *decls) {
	for _, w := range []weightFormat{weightFormats[0], weightFormats[2]} {
		for r := 1; r <= colsRows; r++ {
			cols(f, d, w, r)
		}
	}
}}

const colsRows, colBlock = 6, 16

// colsWidths are the numbers of blocks that a kernel takes at once, widest first.
func colsWidths(f *file, rows int) []int {
	switch {
	case f.wide() && rows <= 3:
		return []int{8, 4, 1}
	case f.wide():
		return []int{4, 1}
	case rows == 1:
		return []int{4, 1}
	case rows <= 3:
		return []int{2, 1}
	}
	return []int{1}
}

func cols(f *file, d *decls, w weightFormat, rows int) {
	name := fmt.Sprintf("cols%s%d", w.name, rows)
	sig := "(dst, a *float32, b *byte, dstStride, aStride, bRow, bBlock, k, blocks, more int, ahead uintptr)"
	d.add(f, name, sig, fmt.Sprintf("multiplies %d rows with a matrix of %s; see colsFunc.", rows, w.name))
	f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 8, 88)
	for _, arg := range []string{"dst+0 DI", "a+8 SI", "b+16 BX", "aStride+32 DX", "bRow+40 R12", "bBlock+48 R13", "ahead+80 R15", "blocks+64 CX"} {
		var at, reg string
		fmt.Sscan(arg, &at, &reg)
		f.p("MOVQ %s(FP), %s", at, reg)
	}
	f.p("MOVQ CX, left-8(SP)")
	f.p("LEAQ (DX)(DX*2), R10")
	f.p("LEAQ (DX)(DX*4), R11")
	f.p("LEAQ (R13)(R13*2), R14")
	for _, n := range colsWidths(f, rows) {
		f.p("SUBQ $%d, left-8(SP)", n)
		f.p("JLT less%d", n)
		f.p("blocks%d:", n)
		colsBlocks(f, w, rows, n)
		f.p("ADDQ $%d, DI", n*colBlock*4)
		f.p("IMUL3Q $%d, R13, AX", n)
		f.p("ADDQ AX, BX")
		f.p("SUBQ $%d, left-8(SP)", n)
		f.p("JGE blocks%d", n)
		f.p("less%d:", n)
		f.p("ADDQ $%d, left-8(SP)", n)
	}
	f.end()
}

// colsBlocks computes n blocks of all rows.
func colsBlocks(f *file, w weightFormat, rows, n int) {
	vs := n * colBlock / f.lanes // registers of a row
	f.p("CMPQ more+72(FP), $0")
	f.p("JNE more%d", n)
	for r := range rows * vs {
		f.zero(r)
	}
	f.p("JMP sum%d", n)
	f.p("more%d:", n)
	colsDst(f, rows, vs, func(reg, mem string) { f.p("VMOVUPS %s, %s", mem, reg) })
	f.p("sum%d:", n)
	f.p("MOVQ SI, R8")
	f.p("MOVQ BX, AX")
	if n > 4 {
		f.p("LEAQ (BX)(R13*4), R9")
	}
	f.p("MOVQ k+56(FP), CX")
	f.p("TESTQ CX, CX")
	f.p("JZ store%d", n)
	f.p("SUBQ $2, CX")
	f.p("JLT single%d", n)
	f.p("PCALIGN $32")
	f.p("step%d:", n) // two of k, and a line of what comes next
	f.p("PREFETCHT1 (R15)")
	for u := range 2 {
		colsStep(f, w, rows, vs, 4*u)
		f.p("ADDQ R12, AX")
		if n > 4 {
			f.p("ADDQ R12, R9")
		}
	}
	f.p("ADDQ $64, R15")
	f.p("ADDQ $8, R8")
	f.p("SUBQ $2, CX")
	f.p("JGE step%d", n)
	f.p("single%d:", n)
	f.p("ADDQ $2, CX")
	f.p("JZ store%d", n)
	colsStep(f, w, rows, vs, 0)
	f.p("store%d:", n)
	colsDst(f, rows, vs, func(reg, mem string) { f.p("VMOVUPS %s, %s", reg, mem) })
}

// colsDst moves the accumulators of all rows from or to dst.
func colsDst(f *file, rows, vs int, move func(reg, mem string)) {
	f.p("MOVQ DI, R8")
	f.p("MOVQ dstStride+24(FP), R9")
	for r := range rows {
		for v := range vs {
			move(f.v(r*vs+v), fmt.Sprintf("%d(R8)", v*f.bytes()))
		}
		if r < rows-1 {
			f.p("ADDQ R9, R8")
		}
	}
}

// colsStep adds a[r][k]·b[k][n] for one k, at bytes into the rows of a.
func colsStep(f *file, w weightFormat, rows, vs, at int) {
	free := rows * vs
	b := func(v int) string {
		block, low := v*f.lanes/colBlock, v*f.lanes%colBlock*w.size
		return base(low, []string{"AX", "R9"}[block/4], block%4, "R13", "R14", "")
	}
	a := func(r int) string { return base(at, "R8", r, "DX", "R10", "R11") }
	switch {
	case rows == 1 && w.size == 4:
		f.p("VBROADCASTSS %s, %s", a(0), f.v(free))
		for v := range vs {
			f.p("VFMADD231PS %s, %s, %s", b(v), f.v(free), f.v(v))
		}
	case free+vs+1 <= f.registers(): // b stays, a passes
		for v := range vs {
			widen(f, w, b(v), free+v)
		}
		for r := range rows {
			f.p("VBROADCASTSS %s, %s", a(r), f.v(free+vs))
			for v := range vs {
				f.p("VFMADD231PS %s, %s, %s", f.v(free+v), f.v(free+vs), f.v(r*vs+v))
			}
		}
	default: // a stays, b passes
		for r := range rows {
			f.p("VBROADCASTSS %s, %s", a(r), f.v(free+r))
		}
		for v := range vs {
			widen(f, w, b(v), free+rows)
			for r := range rows {
				f.p("VFMADD231PS %s, %s, %s", f.v(free+rows), f.v(free+r), f.v(r*vs+v))
			}
		}
	}
}

func (i isa) registers() int { return 2 * i.lanes }
