package main

import "fmt"

// partsRoom: products of X, each number cut into bf16 parts, with bf16 weights through tiles (see parts.go of package
// kernels).
//
//	split  packs X: up to 16 rows a call, a step of 32 columns a turn
//	parts  multiplies g·16 rows of W, straight from the map, with t tiles of X
//	turn   transposes a tile of sums, adds the bias and stores it
//	one    multiplies one row of X, in registers: the same arithmetic in the same order, but W in 8 streams
//	wide   widens that row for it
var partsRoom = room{name: "parts", isas: []isa{amx}, emit: func(f *file, d *decls) {
	for _, n := range []int{1, 3} {
		splitKernel(f, d, n)
		for t := 1; t <= 2; t++ {
			for g := 1; g <= 2; g++ {
				partsTile{n, g, t}.emit(f, d)
			}
		}
		widenKernel(f, d, n)
		oneKernel(f, d, n)
	}
	turnKernel(f, d)
	peakParts(f, d)
}}

const tileBytes = 1024 // of a whole tile: 16 rows of 64 bytes

// Registers of splitKernel.
const (
	splitMask = 31 - iota // the upper half of an f32, a bfloat16
	splitQuiet
	splitOdd // the words that are those halves, of two registers
	splitOne
	splitRound
)

// splitKernel packs steps of 32 columns of X: [part][16 pairs of columns][rows][2]. The pairs of a row and a part are a
// register, which goes into a room [parts][16 rows][16 pairs], and from there transposed to its place; one row is there.
//
//	SI X  DI dst  DX stride of X  R8 room  R9 rows  R10 bytes of rows of pairs  R11 steps  K1 rows
func splitKernel(f *file, d *decls, parts int) {
	name, sig := fmt.Sprintf("split%d", parts), "(dst *uint16, src *float32, room *byte, stride, rows, steps int)"
	d.add(f, name, sig, fmt.Sprintf("cuts up to 16 rows of X, stride bytes apart, into %d parts and packs steps of 32 columns.", parts))
	f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 0, 48)
	for i, arg := range []string{"dst", "src", "room", "stride", "rows", "steps"} {
		f.p("MOVQ %s+%d(FP), %s", arg, 8*i, []string{"DI", "SI", "R8", "DX", "R9", "R11"}[i])
	}
	f.p("LEAQ (R9*4), R10")
	f.p("MOVQ R9, CX")
	f.mask()
	f.p("VPBROADCASTD %s, Z%d", f.bits(0xffff0000), splitMask)
	f.p("VPBROADCASTD %s, Z%d", f.bits(0x00400000), splitQuiet)
	f.p("VMOVDQU64 %s, Z%d", f.words(oddWords()), splitOdd)
	if parts == 1 {
		f.p("VPBROADCASTD %s, Z%d", f.bits(1), splitOne)
		f.p("VPBROADCASTD %s, Z%d", f.bits(0x7fff), splitRound)
	}
	f.p("CMPQ R9, $1")
	f.p("JEQ alone")

	f.p("step:")
	f.p("MOVQ SI, BX")
	f.p("MOVQ R8, AX")
	f.p("MOVQ R9, CX")
	f.p("row:")
	splitRow(f, parts)
	for i := range parts {
		f.p("VMOVDQU64 Z%d, %d(AX)", 2*i, tileBytes*i)
	}
	f.p("ADDQ DX, BX")
	f.p("ADDQ $64, AX")
	f.p("DECQ CX")
	f.p("JNZ row")
	for i := range parts {
		transposeTile(f, tileQuarter(tileBytes*i, "R8"), func(_, reg int) {
			f.p("VMOVDQU32 Z%d, K1, (DI)", reg)
			f.p("ADDQ R10, DI")
		})
	}
	f.p("ADDQ $128, SI")
	f.p("DECQ R11")
	f.p("JNZ step")
	f.end()

	f.p("alone:")
	f.p("MOVQ SI, BX")
	splitRow(f, parts)
	for i := range parts {
		f.p("VMOVDQU64 Z%d, %d(DI)", 2*i, 64*i)
	}
	f.p("ADDQ $128, SI")
	f.p("ADDQ $%d, DI", 64*parts)
	f.p("DECQ R11")
	f.p("JNZ alone")
	f.end()
}

// splitRow leaves the parts of 32 numbers at BX in Z0, Z2 and Z4.
func splitRow(f *file, parts int) {
	for h := range 2 {
		x, p := 8+h, h // the number, and its first part; the others follow at +2 and +4
		f.p("VMOVUPS %d(BX), Z%d", 64*h, x)
		f.p("VCMPPS $3, Z%[1]d, Z%[1]d, K2 // NaN", x)
		if parts == 1 {
			f.p("VPSRLD $16, Z%d, Z%d", x, p)
			f.p("VPANDD Z%d, Z%d, Z%d", splitOne, p, p)
			f.p("VPADDD Z%d, Z%d, Z%d", splitRound, p, p)
			f.p("VPADDD Z%d, Z%d, Z%d", x, p, p)
			f.p("VPORD Z%d, Z%d, K2, Z%d", splitQuiet, x, p)
			continue
		}
		f.p("VPANDD Z%d, Z%d, Z%d", splitMask, x, p)
		f.p("VPORD Z%d, Z%d, K2, Z%d", splitQuiet, p, p)
		f.p("VSUBPS Z%d, Z%d, Z%d", p, x, x)
		f.p("VCMPPS $7, Z%[1]d, Z%[1]d, K3 // the number is finite", x)
		f.p("VPANDD.Z Z%d, Z%d, K3, Z%d", splitMask, x, p+2)
		f.p("VSUBPS.Z Z%d, Z%d, K3, Z%d", p+2, x, p+4)
	}
	for i := range parts {
		f.p("VPERMT2W Z%d, Z%d, Z%d", 2*i+1, splitOdd, 2*i)
	}
}

// oddWords is the index of every second word of two registers, from the second one on.
func oddWords() []uint32 {
	w := make([]uint32, 16)
	for i := range w {
		w[i] = uint32(4*i+1) | uint32(4*i+3)<<16
	}
	return w
}

// tileQuarter is where quarter of a row of 64 bytes lies in a tile.
func tileQuarter(disp int, ptr string) func(row, quarter int) string {
	return func(row, quarter int) string { return fmt.Sprintf("%d(%s)", disp+64*row+16*quarter, ptr) }
}

// transposeTile loads a tile of 16 rows of 64 bytes and hands over its columns, one after the other, of 32-bit elements, in
// Z0..Z3. It uses Z4..Z7.
func transposeTile(f *file, at func(row, quarter int) string, column func(c, reg int)) {
	for quad := range 4 {
		for i := range 4 { // lane l is row 4l+i
			f.p("VMOVDQU %s, X%d", at(i, quad), i)
			for l := 1; l < 4; l++ {
				f.p("VINSERTI32X4 $%d, %s, Z%d, Z%d", l, at(4*l+i, quad), i, i)
			}
		}
		f.p("VUNPCKLPS Z1, Z0, Z4")
		f.p("VUNPCKHPS Z1, Z0, Z5")
		f.p("VUNPCKLPS Z3, Z2, Z6")
		f.p("VUNPCKHPS Z3, Z2, Z7")
		f.p("VUNPCKLPD Z6, Z4, Z0")
		f.p("VUNPCKHPD Z6, Z4, Z1")
		f.p("VUNPCKLPD Z7, Z5, Z2")
		f.p("VUNPCKHPD Z7, Z5, Z3")
		for i := range 4 {
			column(4*quad+i, i)
		}
	}
}

// turnKernel stores columns of a tile of sums as rows of dst, up to 16 numbers each.
//
//	SI sums  DI dst  DX its stride  R9 rows of dst left  Z16 bias  K1 numbers of a row
func turnKernel(f *file, d *decls) {
	sig := "(dst, sums, bias *float32, stride, rows, cols int)"
	d.add(f, "turn", sig, "transposes a tile of sums into rows of dst, stride bytes apart, and adds the bias.")
	f.begin("turn", "func turn"+f.suffix+sig, 0, 48)
	for i, arg := range []string{"dst", "sums", "bias", "stride", "rows", "cols"} {
		f.p("MOVQ %s+%d(FP), %s", arg, 8*i, []string{"DI", "SI", "BX", "DX", "R9", "CX"}[i])
	}
	f.mask()
	f.p("VMOVUPS.Z (BX), K1, Z16")
	transposeTile(f, tileQuarter(0, "SI"), func(_, reg int) {
		f.p("VADDPS Z16, Z%d, Z%d", reg, reg)
		f.p("VMOVUPS Z%d, K1, (DI)", reg)
		f.p("DECQ R9")
		f.p("JZ done")
		f.p("ADDQ DX, DI")
	})
	f.p("done:")
	f.end()
}

// Offsets of partsArgs.
const (
	paX = 8 * iota
	paW
	paAcc
	paWStride
	paXStride
	paXStride1
	paXSecond
	paSteps
	paCount
	paWNext
	paXNext
	paMore
	paPrefetch
	paPrefetchStride
	paPrefetchNext
	paPrefetches
	paPrefetchEnd
	paPrefetchJump
	paConfig
)

// partsTile is a kernel of so many parts, groups of 16 rows of W and tiles of X.
//
//	tiles: 0.. sums, of group g and tile t of X at g+2t; 4, 5 W; 6, 7 X, with one group also 5
//	AX args  BX W  DX its stride  SI DI X  R8 R9 strides  R10 steps left  R11 sums
//	R15 prefetch  R12 R13 R14 its stride times 3, 5, 7  CX temporary
type partsTile struct{ parts, g, t int }

func (k partsTile) emit(f *file, d *decls) {
	name := fmt.Sprintf("parts%dx%dx%d", k.parts, k.g, k.t)
	d.add(f, name, "(a *partsArgs)", fmt.Sprintf("multiplies %d rows of W with %d tiles of X in %d parts; see partsArgs.", 16*k.g, k.t, k.parts))
	f.begin(name, fmt.Sprintf("func %s%s(a *partsArgs)", name, f.suffix), 16, 8)
	f.p("MOVQ a+0(FP), AX")
	f.tileConfig(paConfig, "AX")
	f.p("MOVQ %d(AX), DX", paWStride)
	f.p("MOVQ %d(AX), R8", paXStride)
	f.p("MOVQ %d(AX), R9", paXStride1)
	f.p("MOVQ %d(AX), R11", paAcc)
	f.p("MOVQ %d(AX), CX", paPrefetchStride)
	f.p("LEAQ (CX)(CX*2), R12")
	f.p("LEAQ (CX)(CX*4), R13")
	f.p("LEAQ (R12)(CX*4), R14")

	f.p("MOVQ %d(AX), BX", paW)
	f.p("MOVQ %d(AX), SI", paX)

	f.p("turn:")
	f.p("MOVQ BX, w-8(SP)")
	f.p("MOVQ SI, x-16(SP)")
	f.p("MOVQ SI, DI")
	f.p("ADDQ %d(AX), DI", paXSecond)
	f.p("MOVQ %d(AX), R10", paSteps)
	f.p("CMPQ %d(AX), $0", paMore)
	f.p("JNE more")
	k.sums(func(i int) { f.tileZero(k.sum(i)) })
	f.p("JMP start")
	f.p("more:")
	f.p("MOVL $64, CX")
	k.sums(func(i int) { f.tileLoad(tileMem{tileBytes * i, "R11", "CX"}, k.sum(i)) })
	f.p("start:")
	f.p("TESTQ R10, R10")
	f.p("JZ done")
	for g := range k.g {
		k.loadW(f, g)
	}
	f.p("CMPQ %d(AX), $0", paPrefetches)
	f.p("JEQ steps")
	f.p("DECQ %d(AX)", paPrefetches)
	f.p("MOVQ %d(AX), R15", paPrefetch)
	f.p("MOVQ %d(AX), CX", paPrefetchNext)
	f.p("ADDQ CX, %d(AX)", paPrefetch)
	f.p("ahead:")
	f.p("CMPQ R10, $2")
	f.p("JLT steps")
	k.prefetch(f)
	k.step(f, true)
	f.p("SUBQ $2, R10")
	f.p("JZ last")
	k.step(f, true)
	f.p("JMP ahead")
	f.p("step:")
	k.step(f, true)
	f.p("steps:")
	f.p("DECQ R10")
	f.p("JNZ step")
	f.p("last:")
	k.step(f, false)

	f.p("done:")
	f.p("MOVL $64, CX")
	k.sums(func(i int) { f.tileStore(k.sum(i), tileMem{tileBytes * i, "R11", "CX"}) })
	f.p("ADDQ $%d, R11", tileBytes*k.g*k.t)
	f.p("MOVQ w-8(SP), BX")
	f.p("ADDQ %d(AX), BX", paWNext)
	f.p("MOVQ x-16(SP), SI")
	f.p("ADDQ %d(AX), SI", paXNext)
	f.p("DECQ %d(AX)", paCount)
	f.p("JNZ turn")
	f.tileRelease()
	f.end()
}

// sums calls each for the sums in the order in which they lie in memory.
func (k partsTile) sums(each func(i int)) {
	for i := range k.g * k.t {
		each(i)
	}
}

// sum is the tile of sums i: of group i mod g and tile i div g of X.
func (k partsTile) sum(i int) int { return i%k.g + 2*(i/k.g) }

// step multiplies 32 columns, part by part. Every tile is loaded as soon as its last use allows, W of the next step
// amid this one: loads then run beside products, the more so where rows of W fall on the same cache sets.
func (k partsTile) step(f *file, next bool) {
	for p := range k.parts {
		last := p == k.parts-1
		for t := range k.t {
			k.loadX(f, p, t)
			for g := 0; g < k.g && !last; g++ {
				f.tileDot(dotTileBF16, k.xTile(p, t), 4+g, g+2*t)
			}
		}
		for g := 0; g < k.g && last; g++ {
			for t := range k.t {
				f.tileDot(dotTileBF16, k.xTile(p, t), 4+g, g+2*t)
			}
			if next {
				k.loadW(f, g)
			}
		}
	}
}

// loadX loads tile t of X and moves on to its next part.
func (k partsTile) loadX(f *file, part, t int) {
	x, stride := [2]string{"SI", "DI"}[t], [2]string{"R8", "R9"}[t]
	f.tileLoad(tileMem{0, x, stride}, k.xTile(part, t))
	f.p("LEAQ (%s)(%s*8), %s", x, stride, x)
	f.p("LEAQ (%s)(%s*8), %s", x, stride, x)
}

// loadW loads group g of W, after the last one moving on to the next step.
func (k partsTile) loadW(f *file, g int) {
	if g == 0 {
		f.tileLoad(tileMem{0, "BX", "DX"}, 4)
	} else {
		f.p("LEAQ (BX)(DX*8), CX")
		f.p("LEAQ (CX)(DX*8), CX")
		f.tileLoad(tileMem{0, "CX", "DX"}, 5)
	}
	if g == k.g-1 {
		f.p("ADDQ $64, BX")
	}
}

// xTile is where tile t of X goes; one tile alone takes turns.
func (k partsTile) xTile(part, t int) int {
	switch {
	case k.t == 2:
		return 6 + t
	case k.g == 1:
		return []int{6, 7, 5}[part%3]
	}
	return 6 + part%2
}

// prefetch asks for two lines of 16 rows, as memory likes pairs of them, and moves on, from the end to where the jump goes.
func (k partsTile) prefetch(f *file) {
	hint := "PREFETCHT1"
	if k.g*k.t == 1 { // which waits for memory
		hint = "PREFETCHT0"
	}
	f.p("MOVQ %d(AX), CX", paPrefetchStride)
	for half := range 2 {
		for r := range 8 {
			for line := 0; line < 128; line += 64 {
				if r == 7 {
					f.p("%s %d(R15)(R14*1)", hint, line)
					continue
				}
				f.p("%s %s", hint, base(line, "R15", r, "CX", "R12", "R13"))
			}
		}
		if half == 0 {
			f.p("LEAQ (R15)(CX*8), R15")
		}
	}
	f.p("SHLQ $3, CX")
	f.p("SUBQ CX, R15")
	f.p("ADDQ $128, R15")
	f.p("CMPQ R15, %d(AX)", paPrefetchEnd)
	f.p("JCS near")
	f.p("MOVQ %d(AX), CX", paPrefetchJump)
	f.p("ADDQ CX, R15")
	f.p("ADDQ CX, %d(AX)", paPrefetch)
	f.p("MOVQ $-1, %d(AX)", paPrefetchEnd)
	f.p("near:")
}

// Registers of widenKernel and oneKernel.
const (
	oneSums = 8  // of each part, even columns and odd ones
	oneAcc  = 14 // of row r of W in lane 2r
	oneEven = 16 // columns of W
	oneOdd  = 17
	oneX    = 18 // and 19
	oneMask = 20
)

// widenKernel makes of a packed row what oneKernel reads: for two steps of 32 columns and each of their pairs of columns,
// of each part, the even column of both steps, then the odd one, as f32.
func widenKernel(f *file, d *decls, parts int) {
	name, sig := fmt.Sprintf("wide%d", parts), "(dst *float32, src *uint16, n int)"
	d.add(f, name, sig, fmt.Sprintf("widens a packed row of %d parts, n times two steps of 32 columns.", parts))
	f.begin(name, fmt.Sprintf("func %s%s%s", name, f.suffix, sig), 0, 24)
	f.p("MOVQ dst+0(FP), DI")
	f.p("MOVQ src+8(FP), SI")
	f.p("MOVQ n+16(FP), CX")
	f.p("VPBROADCASTD %s, Z%d", f.bits(0xffff0000), oneMask)
	f.p("loop:")
	for p := range parts {
		for s := range 2 {
			f.p("VMOVDQU64 %d(SI), Z%d", 64*(s*parts+p), s)
			f.p("VPSLLD $16, Z%d, Z%d", s, 2+s)
			f.p("VPANDD Z%d, Z%d, Z%d", oneMask, s, 4+s)
		}
		f.p("VUNPCKLPS Z3, Z2, Z6")
		f.p("VUNPCKHPS Z3, Z2, Z7")
		f.p("VUNPCKLPS Z5, Z4, Z8")
		f.p("VUNPCKHPS Z5, Z4, Z9")
		f.p("VUNPCKLPD Z8, Z6, Z0")
		f.p("VUNPCKHPD Z8, Z6, Z1")
		f.p("VUNPCKLPD Z9, Z7, Z2")
		f.p("VUNPCKHPD Z9, Z7, Z3")
		for i := range 4 {
			for l := range 4 {
				f.p("VEXTRACTI32X4 $%d, Z%d, %d(DI)", l, i, 16*(parts*(4*l+i)+p))
			}
		}
	}
	f.p("ADDQ $%d, SI", 2*64*parts)
	f.p("ADDQ $%d, DI", 16*16*parts)
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.end()
}

// oneKernel multiplies a row of X, widened, with 8 rows of W that lie far apart, two steps of 32 columns at a time. Lane
// 2r+s is row r of W and step s. Sums round as tiles do, denormals being zero.
//
//	AX args  BX W  DX its stride  SI X  R10 pairs of steps left  R11 sums  CX turns left
//	R15 prefetch  R9 its end  R12 R13 R14 stride times 3, 5, 7
func oneKernel(f *file, d *decls, parts int) {
	name := fmt.Sprintf("one%d", parts)
	d.add(f, name, "(a *partsArgs)", fmt.Sprintf("multiplies 8 rows of W with a row of X in %d parts; see partsArgs.", parts))
	f.begin(name, fmt.Sprintf("func %s%s(a *partsArgs)", name, f.suffix), 16, 8)
	f.p("MOVQ a+0(FP), AX")
	f.p("STMXCSR old-4(SP)")
	f.p("MOVL old-4(SP), CX")
	f.p("ORL $0x8040, CX // denormals are zero, in and out")
	f.p("MOVL CX, new-8(SP)")
	f.p("LDMXCSR new-8(SP)")
	f.p("MOVL $0x5555, CX")
	f.p("KMOVW CX, K1")
	f.p("VPBROADCASTD %s, Z%d", f.bits(0xffff0000), oneMask)
	f.p("MOVQ %d(AX), DX", paWStride)
	f.p("LEAQ (DX)(DX*2), R12")
	f.p("LEAQ (DX)(DX*4), R13")
	f.p("LEAQ (R12)(DX*4), R14")
	f.p("MOVQ %d(AX), R11", paAcc)
	f.p("MOVQ %d(AX), BX", paW)
	f.p("MOVQ %d(AX), R15", paPrefetch)
	f.p("MOVQ %d(AX), R9", paPrefetchEnd)
	f.p("MOVQ %d(AX), CX", paCount)

	f.p("turn:")
	f.p("MOVQ %d(AX), SI", paX)
	f.p("MOVQ %d(AX), R10", paSteps)
	f.p("SHRQ $1, R10")
	f.zero(oneAcc)
	f.p("PCALIGN $32")
	f.p("steps:")
	for r := range rowCols {
		for line := 0; line < 128; line += 64 {
			f.p("PREFETCHT0 %s", oneRow(line, "R15", r))
		}
	}
	f.p("ADDQ $128, R15")
	f.p("CMPQ R15, R9")
	f.p("JCC jump")
	f.p("jumped:")
	for p := range 2 * parts {
		f.zero(oneSums + p)
	}
	at := func(row, quarter int) string { return oneRow(64*(row%2)+16*quarter, "BX", row/2) }
	transposeTile(f, at, func(c, reg int) {
		f.p("VPSLLD $16, Z%d, Z%d", reg, oneEven)
		f.p("VPANDD Z%d, Z%d, Z%d", oneMask, reg, oneOdd)
		for p := range parts {
			for h := range 2 {
				f.p("VBROADCASTSD %d(SI), Z%d", 16*(parts*c+p)+8*h, oneX+h)
				f.p("VFMADD231PS Z%d, Z%d, Z%d", oneEven+h, oneX+h, oneSums+2*p+h)
			}
		}
	})
	for p := range parts {
		f.p("VADDPS Z%d, Z%d, Z%d", oneSums+2*p+1, oneSums+2*p, oneSums+2*p)
		f.p("VMOVSHDUP Z%d, Z%d", oneSums+2*p, oneSums+2*p+1)
	}
	for s := range 2 {
		for p := range parts {
			f.p("VADDPS Z%d, Z%d, Z%d", oneSums+2*p+s, oneAcc, oneAcc)
		}
	}
	f.p("ADDQ $%d, SI", 16*16*parts)
	f.p("ADDQ $128, BX")
	f.p("DECQ R10")
	f.p("JNZ steps")
	f.p("VCOMPRESSPS Z%d, K1, Z0", oneAcc)
	f.p("VMOVUPS Y0, (R11)")
	f.p("ADDQ $32, R11")
	f.p("DECQ CX")
	f.p("JNZ turn")
	f.p("LDMXCSR old-4(SP)")
	f.end()

	f.p("jump:")
	f.p("ADDQ %d(AX), R15", paPrefetchJump)
	f.p("MOVQ $-1, R9")
	f.p("JMP jumped")
}

// oneRow is rowBase with DX as the stride and R12, R13 and R14 holding it times 3, 5 and 7.
func oneRow(disp int, ptr string, row int) string {
	if row == 7 {
		return base(disp, ptr, 1, "R14", "", "")
	}
	return base(disp, ptr, row, "DX", "R12", "R13")
}

// peakParts measures products of whole tiles of bf16.
func peakParts(f *file, d *decls) { peakTiles(f, d, "peakTilesBF16", "bf16", dotTileBF16) }
