package main

import "fmt"

// Panels on 256 bits: a block in two halves of 8 output rows, panel after panel. Sums of panel p, row r and half h are
// register (p·rows+r)·2+h; integer sums of a panel follow; Y12.. are temporary.
//
// Without VNNI bytes are multiplied as unsigned times signed into 16-bit sums of two, which must not saturate:
// 15·127·2·8 holds a whole block of Q4P; of Q8P |q| times x with the sign of q, 128·127·2, is widened at once.

func halfBlock(f *file, w packedFormat, rows, panels, b int, lines []int) {
	for p := range panels {
		halfDots(f, w, rows, panels, b, p, lines)
		for h := range 2 {
			halfScales(f, w, rows, panels, b, p, h)
		}
	}
}

func halfSum(rows, panels, r, h int) string { return fmt.Sprint("Y", 2*rows*panels+2*r+h) }

// halfDots leaves magic + S in the integer sums.
func halfDots(f *file, w packedFormat, rows, panels, b, p int, lines []int) {
	sum := func(r, h int) string { return halfSum(rows, panels, r, h) }
	for r := range rows {
		for h := range 2 {
			switch {
			case f.vnni() && !w.q4():
				f.p("VPBROADCASTD %s, %s", xRow(xBlock*b+xStart, r), sum(r, h))
			case f.vnni() || !w.q4():
				f.p("VMOVDQU %s, %s", f.bits(magicOf), sum(r, h))
			default:
				f.p("VPXOR %[1]s, %[1]s, %[1]s", sum(r, h))
			}
		}
	}
	for j := range 8 {
		if j < len(lines) {
			f.p("PREFETCHT0 %s", base(lines[j], "R11", p, "BX", "R12", ""))
		}
		for h := range 2 {
			halfDot(f, w, rows, b, p, j, h, sum)
		}
	}
	for l := 8; l < len(lines); l++ {
		f.p("PREFETCHT0 %s", base(lines[l], "R11", p, "BX", "R12", ""))
	}
	if w.q4() && !f.vnni() {
		for r := range rows {
			for h := range 2 {
				f.p("VPMADDWD %s, %s, %s", f.bits(0x00010001), sum(r, h), sum(r, h))
				f.p("VPADDD %s, %s, %s", f.bits(magicOf), sum(r, h), sum(r, h))
			}
		}
	}
}

// halfDot multiplies group j of 4 k of half h.
func halfDot(f *file, w packedFormat, rows, b, p, j, h int, sum func(r, h int) string) {
	panel := func(disp int) string { return base(disp, "DI", p, "BX", "R12", "") }
	if w.q4() {
		f.p("VMOVDQU %s, Y12", panel(64+256*b+64*(j/2)+32*h))
		if j%2 == 1 {
			f.p("VPSRLD $4, Y12, Y12")
		}
		f.p("VPAND %s, Y12, Y12", f.bits(0x0f0f0f0f))
	} else {
		f.p("VMOVDQU %s, Y12", panel(64+512*b+64*j+32*h))
		if !f.vnni() {
			f.p("VPXOR %s, Y12, Y12 // q", f.bits(0x80808080))
			f.p("VPABSB Y12, Y13")
		}
	}
	for r := range rows {
		f.p("VPBROADCASTD %s, Y14", xRow(xBlock*b+4*j, r))
		switch {
		case f.vnni():
			dotBytes(f, 14, 12, sum(r, h))
		case w.q4():
			f.p("VPMADDUBSW Y14, Y12, Y14")
			f.p("VPADDW Y14, %s, %s", sum(r, h), sum(r, h))
		default:
			f.p("VPSIGNB Y12, Y14, Y14")
			f.p("VPMADDUBSW Y14, Y13, Y14")
			f.p("VPMADDWD %s, Y14, Y14", f.bits(0x00010001))
			f.p("VPADDD Y14, %s, %s", sum(r, h), sum(r, h))
		}
	}
}

// dotBytes is VPDPBUSD x, w, sum in the VEX form, which the assembler does not know: VEX.256.66.0F38.W0 50 /r.
func dotBytes(f *file, x, w int, sum string) {
	var s int
	fmt.Sscanf(sum, "Y%d", &s)
	second := 0xe2 // R, X, B inverted, map 0F38
	if s >= 8 {
		second &^= 0x80
	}
	if x >= 8 {
		second &^= 0x20
	}
	third := (^w&15)<<3 | 4 | 1
	f.p("BYTE $0xc4; BYTE $%#02x; BYTE $%#02x; BYTE $0x50; BYTE $%#02x // VPDPBUSD Y%d, Y%d, %s", second, third, 0xc0|s&7<<3|x&7, x, w, sum)
}

// halfScales adds the block of half h: Y12 ws, Y13 magic·ws, Y15 wm.
func halfScales(f *file, w packedFormat, rows, panels, b, p, h int) {
	panel := func(disp int, ptr string) string { return base(disp, ptr, p, "BX", "R12", "") }
	if w.q4() {
		f.p("VPMOVZXBD %s, Y12", panel(16*b+8*h, "DI"))
		f.p("VPMOVSXBD %s, Y15", panel(32+16*b+8*h, "DI"))
		f.p("VCVTDQ2PS Y12, Y12")
		f.p("VCVTDQ2PS Y15, Y15")
		f.p("VMULPS %s, Y12, Y12", panel(32*h, "R13"))
		f.p("VMULPS %s, Y15, Y15", panel(64+32*h, "R13"))
	} else {
		f.p("VCVTPH2PS %s, Y12", panel(32*b+16*h, "DI"))
	}
	f.p("VMULPS %s, Y12, Y13", f.bits(magicOf))
	for r := range rows {
		s, acc := halfSum(rows, panels, r, h), fmt.Sprint("Y", (p*rows+r)*2+h)
		f.p("VFMSUB213PS Y13, Y12, %s", s)
		f.p("VBROADCASTSS %s, Y14", xRow(xBlock*b+xScale, r))
		f.p("VFMADD231PS Y14, %s, %s", s, acc)
		if w.q4() {
			f.p("VBROADCASTSS %s, Y14", xRow(xBlock*b+xShare, r))
			f.p("VFMADD231PS Y14, Y15, %s", acc)
		}
	}
}
