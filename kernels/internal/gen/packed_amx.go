package main

import "fmt"

// packedTilesRoom: 11..16 rows of X by two panels whose weights have been widened to signed bytes and stand, block by block,
// in records (see packed_amx.go of package kernels). A block is one TDPBSSD for each panel. Its sums start at the bits of
// magic, so that they are f32 numbers magic+S when they have been stored and come back as registers, where two
// multiply-adds an output make them what the formula says.
//
// Both kinds of multiplication, and every row that goes into a tile, take turns on the same two ports, which set the pace.
// So the two are mixed finely, and each tile is stored right before it is used again, when it is long done: while
// registers are at one step, sums of the next go to memory, and tiles compute the one after it, be it of the next rows.
// Outputs stand in memory between steps, for the loads cost nothing then.
//
//	AX arguments        SI R10 R13 X of the step, rows 0, 6, 12    DX R8 R9 stride of X, times 3, times 5
//	DI records          R11 BX X and records two steps ahead       R15 outputs
//	R14 sums of the step, CX those of the next                     R12 64
//
// R12, R13 and R15 are made again where they have served for something else.
var packedTilesRoom = room{name: "packedtiles", isas: []isa{amx}, emit: func(f *file, d *decls) {
	for _, w := range packedFormats {
		for r := tileRowsLeast; r <= tileRowsMost; r++ {
			tilesKernel(f, d, w, r)
		}
		widenTiles(f, d, w)
	}
	peakTilesI8(f, d)
}}

// Of a room and its records; known to package kernels.
const (
	tileRowsLeast = 11 // tiles of equal height of 32 rows or more
	tileRowsMost  = 16
	roomMagic     = 4096 // of each half, behind sums

	recordPanel  = 512  // bytes of a block of a panel
	recordScales = 1024 // then ws, magic·ws, wm of each panel
	record       = 1024 + 2*scaleBlock

	tileA, tileB = 4, 6 // 0..3 are sums: [block][panel]
)

// Offsets of tilesArgs.
const (
	taX = 8 * iota
	taXStride
	taSteps
	taTiles
	taOut
	taRecords
	taHalf
	taHalf1
	taConfig
	taDst
	taDst1
	taDstStride
	taPrefetch
	taPrefetch1
	taLines
	taMore
	taLast
	taLeft
	taAheadX
	taAheadSteps
	taAheadTiles
)

func tilesKernel(f *file, d *decls, w packedFormat, rows int) {
	name := fmt.Sprintf("tiles%s%d", w.name, rows)
	d.add(f, name, "(a *tilesArgs)", fmt.Sprintf("multiplies times %d rows of X with two panels of %sP in a room.", rows, w.name))
	f.begin(name, fmt.Sprintf("func %s%s(a *tilesArgs)", name, f.suffix), 0, 8)
	f.p("MOVQ a+0(FP), AX")
	f.p("MOVQ %d(AX), R15", taConfig)
	f.tileConfig(0, "R15")
	for _, l := range []struct {
		at  int
		reg string
	}{{taX, "SI"}, {taX, "R11"}, {taXStride, "DX"}, {taRecords, "BX"}, {taHalf, "R14"}, {taHalf1, "CX"}} {
		f.p("MOVQ %d(AX), %s", l.at, l.reg)
	}
	f.p("LEAQ (DX)(DX*2), R8")
	f.p("LEAQ (DX)(DX*4), R9")
	f.p("MOVL $64, R12")
	for ahead := range 2 {
		for _, op := range tileOps(f, "R14", ahead > 0) {
			op()
		}
		tileAhead(f, rows, fmt.Sprint("begin", ahead))
	}
	f.p("tile:")
	f.p("MOVQ %d(AX), DI", taRecords)
	f.p("MOVQ %d(AX), R15", taSteps)
	f.p("MOVQ R15, %d(AX)", taLeft)
	f.p("LEAQ (SI)(R8*2), R10")
	f.p("LEAQ (SI)(R8*4), R13")
	f.p("MOVQ %d(AX), R15", taOut)
	f.p("CMPQ %d(AX), $0", taMore)
	f.p("JNE step")
	f.zero(0)
	for r := range 2 * rows {
		f.p("VMOVUPS Z0, %d(R15)", 64*r)
	}
	f.p("PCALIGN $32")
	f.p("step:")
	tileRegisters(f, w, rows)
	tileFetch(f)
	tileAhead(f, rows, "ahead")
	f.p("LEAQ (R10)(R8*2), R13")
	f.p("MOVQ %d(AX), R15", taOut)
	for _, r := range []string{"SI", "R10", "R13"} {
		f.p("ADDQ $%d, %s", xStep, r)
	}
	f.p("ADDQ $%d, DI", 2*record)
	f.p("XCHGQ R14, CX")
	f.p("DECQ %d(AX)", taLeft)
	f.p("JNZ step")
	tileLast(f, rows)
	f.p("MOVL $64, R12")
	f.p("IMUL3Q $%d, DX, R13", rows)
	f.p("ADDQ %d(AX), R13", taX)
	f.p("MOVQ R13, %d(AX)", taX)
	f.p("MOVQ R13, SI")
	f.p("ADDQ $%d, %d(AX)", 128*rows, taOut)
	f.p("DECQ %d(AX)", taTiles)
	f.p("JNZ tile")
	f.tileRelease()
	f.end()
}

// tileOps are the instructions on tiles of a step: sums of the step before go to a half of the room, where there are any,
// and those of the step at R11 and BX are computed.
func tileOps(f *file, half string, store bool) (ops []func()) {
	do := func(op func()) { ops = append(ops, op) }
	for c := range 4 {
		b, p := c/2, c%2
		if store {
			do(func() { f.tileStore(c, tileMem{1024 * c, half, "R12"}) })
		}
		do(func() { f.tileLoad(tileMem{roomMagic, "R14", ""}, c) })
		if p == 0 {
			do(func() { f.tileLoad(tileMem{xBlock * b, "R11", "DX"}, tileA+b) })
		}
		do(func() { f.tileLoad(tileMem{record*b + recordPanel*p, "BX", "R12"}, tileB+p) })
		do(func() { f.tileDot(dotTileI8, tileB+p, tileA+b, c) })
	}
	return ops
}

// tileAhead moves the tiles' pointers to the next step, after the last one to the first step of the next rows. Behind the
// last rows there are none: the same ones again are computed for nothing.
func tileAhead(f *file, rows int, label string) {
	f.p("ADDQ $%d, R11", xStep)
	f.p("ADDQ $%d, BX", 2*record)
	f.p("DECQ %d(AX)", taAheadSteps)
	f.p("JNZ %s", label)
	f.p("MOVQ %d(AX), BX", taSteps)
	f.p("MOVQ BX, %d(AX)", taAheadSteps)
	f.p("MOVQ %d(AX), BX", taRecords)
	f.p("MOVQ %d(AX), R11", taAheadX)
	f.p("CMPQ %d(AX), $1", taAheadTiles)
	f.p("JE %s", label)
	f.p("DECQ %d(AX)", taAheadTiles)
	f.p("IMUL3Q $%d, DX, R13", rows)
	f.p("ADDQ R13, R11")
	f.p("MOVQ R11, %d(AX)", taAheadX)
	f.p("%s:", label)
}

// tileRow is the operand at disp of row r of X.
func tileRow(disp, r int) string {
	ptr := []string{"SI", "R10", "R13"}[r/6]
	return base(disp, ptr, r%6, "DX", "R8", "R9")
}

// tileRegisters adds the step to the outputs, some rows at a time: Z0.. of the first panel, then of the second; Z22 Z23 ws,
// Z24 Z25 magic·ws, Z26 Z27 wm, Z28 Z29 sums, Z30 Z31 X. In between stand the instructions on tiles.
func tileRegisters(f *file, w packedFormat, rows int) {
	ops, left := tileOps(f, "CX", true), 2*rows
	const most = 11
	groups := (rows + most - 1) / most
	for g := range groups {
		from, to := g*rows/groups, (g+1)*rows/groups
		n := to - from
		out := func(each func(reg, disp int)) {
			for r := range n {
				each(r, 128*(from+r))
				each(n+r, 128*(from+r)+64)
			}
		}
		out(func(reg, disp int) { f.p("VMOVUPS %d(R15), Z%d", disp, reg) })
		for b := range 2 {
			tileScales(f, w, b)
			for r := range n {
				for range (len(ops) + left - 1) / left {
					ops[0]()
					ops = ops[1:]
				}
				left--
				tileOutputs(f, w, b, from+r, r, n)
			}
		}
		out(func(reg, disp int) { f.p("VMOVUPS Z%d, %d(R15)", reg, disp) })
	}
}

func tileScales(f *file, w packedFormat, b int) {
	for p := range 2 {
		at := record*b + recordScales + scaleBlock*p
		f.p("VMOVUPS %d(DI), Z%d", at, 22+p)
		f.p("VMOVUPS %d(DI), Z%d", at+64, 24+p)
		if w.q4() {
			f.p("VMOVUPS %d(DI), Z%d", at+128, 26+p)
		}
	}
}

// tileOutputs is a row of the tile in block b: outputs in registers reg and n further.
func tileOutputs(f *file, w packedFormat, b, row, reg, n int) {
	f.p("VBROADCASTSS %s, Z30", tileRow(xBlock*b+xScale, row))
	if w.q4() {
		f.p("VBROADCASTSS %s, Z31", tileRow(xBlock*b+xShare, row))
	}
	for p := range 2 {
		f.p("VMOVUPS %d(R14), Z%d", 2048*b+1024*p+64*row, 28+p)
		f.p("VFMSUB213PS Z%d, Z%d, Z%d", 24+p, 22+p, 28+p)
		f.p("VFMADD231PS Z30, Z%d, Z%d", 28+p, p*n+reg)
		if w.q4() {
			f.p("VFMADD231PS Z31, Z%d, Z%d", 26+p, p*n+reg)
		}
	}
}

// tileFetch prefetches some lines of both panels of what comes next.
func tileFetch(f *file) {
	f.p("MOVQ %d(AX), R15", taLines)
	f.p("TESTQ R15, R15")
	f.p("JZ fetched")
	f.p("MOVQ %d(AX), R13", taPrefetch)
	f.p("MOVQ %d(AX), R12", taPrefetch1)
	f.p("fetch:")
	f.p("PREFETCHT2 (R13)")
	f.p("PREFETCHT2 (R12)")
	f.p("ADDQ $64, R13")
	f.p("ADDQ $64, R12")
	f.p("DECQ R15")
	f.p("JNZ fetch")
	f.p("MOVQ R13, %d(AX)", taPrefetch)
	f.p("MOVQ R12, %d(AX)", taPrefetch1)
	f.p("MOVL $64, R12")
	f.p("fetched:")
}

// tileLast brings the outputs to their place where this was the last of K.
func tileLast(f *file, rows int) {
	f.p("CMPQ %d(AX), $0", taLast)
	f.p("JE rows")
	f.p("MOVQ %d(AX), R13", taDst)
	f.p("MOVQ %d(AX), R10", taDst1)
	f.p("MOVQ %d(AX), R12", taDstStride)
	for r := range rows {
		f.p("VMOVUPS %d(R15), Z0", 128*r)
		f.p("VMOVUPS %d(R15), Z1", 128*r+64)
		f.p("VMOVUPS Z0, (R13)")
		f.p("VMOVUPS Z1, (R10)")
		f.p("ADDQ R12, R13")
		f.p("ADDQ R12, R10")
	}
	f.p("MOVQ R13, %d(AX)", taDst)
	f.p("MOVQ R10, %d(AX)", taDst1)
	f.p("rows:")
}

// widenTiles fills one panel's part of records: weights as signed bytes, scales as widenScales makes them.
func widenTiles(f *file, d *decls, w packedFormat) {
	name, sig := "widenTiles"+w.name, "(scales, data, panel, head *byte, steps int)"
	d.add(f, name, sig, fmt.Sprintf("widens steps of a panel of %sP, whose head is given apart, into records.", w.name))
	f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 0, 40)
	f.p("MOVQ scales+0(FP), DI")
	f.p("MOVQ data+8(FP), R8")
	f.p("MOVQ panel+16(FP), SI")
	f.p("MOVQ head+24(FP), BX")
	f.p("MOVQ steps+32(FP), CX")
	f.p("VPBROADCASTD %s, Z%d", f.bits(magicOf), magicReg)
	if w.q4() {
		f.p("VPBROADCASTD %s, Z%d", f.bits(0x0f0f0f0f), maskReg)
		f.p("VMOVUPS (BX), Z2 // D")
		f.p("VMOVUPS 64(BX), Z3 // M")
	} else {
		f.p("VPBROADCASTD %s, Z%d", f.bits(0x80808080), maskReg)
	}
	f.p("step:")
	for b := range 2 {
		widenBlockScales(f, w, b, record*b)
		for j := range 8 {
			switch {
			case !w.q4():
				f.p("VPXORD %d(SI), Z%d, Z5", 64+512*b+64*j, maskReg)
			case j%2 == 0:
				f.p("VMOVDQU64 %d(SI), Z6", 64+256*b+32*j)
				f.p("VPANDD Z%d, Z6, Z5", maskReg)
			default:
				f.p("VPSRLD $4, Z6, Z5")
				f.p("VPANDD Z%d, Z5, Z5", maskReg)
			}
			f.p("VMOVDQU64 Z5, %d(R8)", record*b+64*j)
		}
	}
	f.p("ADDQ $%d, SI", w.step)
	f.p("ADDQ $%d, DI", 2*record)
	f.p("ADDQ $%d, R8", 2*record)
	f.p("DECQ CX")
	f.p("JNZ step")
	f.end()
}

// peakTilesI8 measures products of whole tiles of bytes.
func peakTilesI8(f *file, d *decls) { peakTiles(f, d, "peakTilesI8", "bytes", dotTileI8) }
