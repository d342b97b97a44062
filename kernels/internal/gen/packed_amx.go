package main

import "fmt"

// packedTilesRoom: 1..12 rows of X by two panels whose weights have been widened to signed bytes and stand, block by block,
// in records of a room (see packed_amx.go of package kernels). A block is one TDPBSSD for each panel. Its sums start at
// the bits of magic, so that they are f32 numbers magic+S when they have been stored and come back as registers, where two
// multiply-adds an output make them what the formula says.
//
// Loads set the pace (X and weights, sums in and out, a scale for each row), so the sums of two panels share the scales of X,
// and what 12 rows leave of 32 registers are two panels' scales and temporaries. Tiles run ahead of registers: a step
// multiplies its own sums while the tiles of the next step, or of the next rows, are computed.
//
//	AX arguments    SI X of the step, R10 its row 6       DI records of the step       CX steps left
//	R14 room        R11 X of the step ahead               BX records of that           DX R8 R9 stride of X, times 3, times 5
//	R12 64          R13 R15 temporaries
var packedTilesRoom = room{name: "packedtiles", isas: []isa{amx}, emit: func(f *file, d *decls) {
	for _, w := range packedFormats {
		for r := 1; r <= panelTile; r++ {
			tilesKernel(f, d, w, r)
		}
		widenTiles(f, d, w)
	}
}}

// Of a room and its records; known to package kernels.
const (
	roomSums, roomMagic, roomConfig, roomRecords = 0, 4096, 4160, 4224

	recordPanel  = 512  // bytes of a block of a panel
	recordScales = 1024 // then ws, magic·ws, wm of each panel
	record       = 1024 + 2*scaleBlock

	tileA, tileB = 4, 6 // 0..3 are sums: of two panels, of even and odd blocks
)

// Further offsets of packedArgs.
const (
	pkTiles = pkSumStride + 8 + 8*iota
	pkRoom
	pkDstAt
	_
	pkSumAt
)

func tilesKernel(f *file, d *decls, w packedFormat, rows int) {
	name := fmt.Sprintf("tiles%s%d", w.name, rows)
	packedBegin(f, d, name, fmt.Sprintf("multiplies times %d rows of X with two panels of %sP in a room.", rows, w.name))
	f.p("MOVQ %d(AX), R14", pkRoom)
	f.tileConfig(roomConfig, "R14")
	xPointers(f, 12)
	f.p("MOVL $64, R12")
	f.p("MOVQ SI, R11")
	f.p("LEAQ %d(R14), BX", roomRecords)
	tileBlock{f: f, rows: rows}.all(0)
	tileSums(f, 0)
	tileBlock{f: f, rows: rows}.all(1)
	f.p("tile:")
	f.p("LEAQ %d(R14), DI", roomRecords)
	f.p("MOVQ %d(AX), CX", pkSteps)
	tileRows(f, pkSumAt, pkSumStride, rows, func() {
		f.p("CMPQ %d(AX), $0", pkMore)
		f.p("JNE more")
		for r := range 2 * rows {
			f.zero(r)
		}
		f.p("JMP step")
		f.p("more:")
	}, func(sum int, mem string) { f.p("VMOVUPS %s, Z%d", mem, sum) })
	f.p("PCALIGN $32")
	f.p("step:")
	tileAhead(f, rows)
	tileRegisters(f, w, rows, 0)
	tileFetch(f)
	tileRegisters(f, w, rows, 1)
	f.p("ADDQ $%d, DI", 2*record)
	f.p("ADDQ $%d, SI", xStep)
	f.p("ADDQ $%d, R10", xStep)
	f.p("DECQ CX")
	f.p("JNZ step")
	tileRows(f, pkDstAt, pkDstStride, rows, func() {}, func(sum int, mem string) { f.p("VMOVUPS Z%d, %s", sum, mem) })
	f.p("MOVQ R11, SI")
	f.p("LEAQ (SI)(R8*2), R10")
	f.p("DECQ %d(AX)", pkTiles)
	f.p("JNZ tile")
	f.tileRelease()
	f.end()
}

// tileAhead moves the tiles' pointers to the next step, after the last one to the first step of the next rows. Behind the
// last rows there are none: the same ones again are computed for nothing.
func tileAhead(f *file, rows int) {
	f.p("ADDQ $%d, R11", xStep)
	f.p("ADDQ $%d, BX", 2*record)
	f.p("CMPQ CX, $1")
	f.p("JNE ahead")
	f.p("LEAQ %d(R14), BX", roomRecords)
	f.p("MOVQ %d(AX), R11", pkX)
	f.p("CMPQ %d(AX), $1", pkTiles)
	f.p("JE ahead")
	f.p("IMUL3Q $%d, DX, R13", rows)
	f.p("ADDQ R13, R11")
	f.p("MOVQ R11, %d(AX)", pkX)
	f.p("ahead:")
}

// tileBlock is block b of the step ahead for both panels, into the sums of b.
type tileBlock struct {
	f    *file
	rows int
}

// ops are its instructions one by one.
func (t tileBlock) ops(b int) []func() {
	f := t.f
	start := tileMem{roomMagic, "R14", ""}
	weights := func(p int) tileMem { return tileMem{record*b + recordPanel*p, "BX", "R12"} }
	return []func(){
		func() { f.tileLoad(start, 2*b) },
		func() { f.tileLoad(tileMem{xBlock * b, "R11", "DX"}, tileA+b) },
		func() { f.tileLoad(weights(0), tileB) },
		func() { f.tileDot(dotTileI8, tileB, tileA+b, 2*b) },
		func() { f.tileLoad(start, 2*b+1) },
		func() { f.tileLoad(weights(1), tileB+1) },
		func() { f.tileDot(dotTileI8, tileB+1, tileA+b, 2*b+1) },
	}
}

func (t tileBlock) all(b int) {
	for _, op := range t.ops(b) {
		op()
	}
}

// tileSums stores the sums of block b of both panels.
func tileSums(f *file, b int) {
	for p := range 2 {
		f.tileStore(2*b+p, tileMem{roomSums + 1024*(2*b+p), "R14", "R12"})
	}
}

// tileRows walks the rows of both panels from the pointers at, which move on to the next rows.
func tileRows(f *file, at, stride, rows int, skip func(), each func(sum int, mem string)) {
	skip()
	f.p("MOVQ %d(AX), R13", at)
	f.p("MOVQ %d(AX), R15", at+8)
	f.p("MOVQ %d(AX), R12", stride)
	for r := range rows {
		each(r, "(R13)")
		each(rows+r, "(R15)")
		f.p("ADDQ R12, R13")
		f.p("ADDQ R12, R15")
	}
	f.p("MOVQ R13, %d(AX)", at)
	f.p("MOVQ R15, %d(AX)", at+8)
	f.p("MOVL $64, R12")
}

// tileRegisters adds block b of the step to the outputs, Z0.. of the first panel, then of the second; Z24 Z25 ws,
// Z26 Z27 magic·ws, then wm, Z28 Z29 sums, Z30 X. In between stand the tiles: sums of the block behind this one are
// stored, then those of this block of the step ahead computed.
func tileRegisters(f *file, w packedFormat, rows, b int) {
	ops := append([]func(){func() { tileSums(f, 1-b) }}, tileBlock{f, rows}.ops(b)...)
	for p := range 2 {
		at := record*b + recordScales + scaleBlock*p
		f.p("VMOVUPS %d(DI), Z%d", at, 24+p)
		f.p("VMOVUPS %d(DI), Z%d", at+64, 26+p)
	}
	for r := range rows {
		for range (len(ops) + rows - r - 1) / (rows - r) {
			ops[0]()
			ops = ops[1:]
		}
		f.p("VBROADCASTSS %s, Z30", xRow(xBlock*b+xScale, r))
		for p := range 2 {
			f.p("VMOVUPS %d(R14), Z%d", roomSums+1024*(2*b+p)+64*r, 28+p)
			f.p("VFMSUB213PS Z%d, Z%d, Z%d", 26+p, 24+p, 28+p)
			f.p("VFMADD231PS Z30, Z%d, Z%d", 28+p, p*rows+r)
		}
	}
	if !w.q4() {
		return
	}
	for p := range 2 {
		f.p("VMOVUPS %d(DI), Z%d", record*b+recordScales+scaleBlock*p+128, 26+p)
	}
	for r := range rows {
		f.p("VBROADCASTSS %s, Z30", xRow(xBlock*b+xShare, r))
		for p := range 2 {
			f.p("VFMADD231PS Z30, Z%d, Z%d", 26+p, p*rows+r)
		}
	}
}

// tileFetch prefetches some lines of both panels of what comes next.
func tileFetch(f *file) {
	f.p("MOVQ %d(AX), R15", pkLines)
	f.p("TESTQ R15, R15")
	f.p("JZ fetched")
	f.p("MOVQ %d(AX), R13", pkPrefetch)
	f.p("MOVQ %d(AX), R12", pkPrefetch1)
	f.p("fetch:")
	f.p("PREFETCHT2 (R13)")
	f.p("PREFETCHT2 (R12)")
	f.p("ADDQ $64, R13")
	f.p("ADDQ $64, R12")
	f.p("DECQ R15")
	f.p("JNZ fetch")
	f.p("MOVQ R13, %d(AX)", pkPrefetch)
	f.p("MOVQ R12, %d(AX)", pkPrefetch1)
	f.p("MOVL $64, R12")
	f.p("fetched:")
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
