package main

import "fmt"

// limitRoom: what the machine can do at most.
var limitRoom = room{"limit", func(f *file, d *decls) {
	accs := 12
	if f.wide() {
		accs = 24
	}
	d.add(f, "peakF32", "(n int)", fmt.Sprintf("does n times %d independent multiply-adds of %d lanes.", accs, f.lanes))
	f.begin("peakF32", fmt.Sprintf("func peakF32%s(n int)", f.suffix), 0, 8)
	f.p("MOVQ n+0(FP), CX")
	for a := range accs + 2 {
		f.zero(a)
	}
	f.p("loop:")
	for a := range accs {
		f.p("VFMADD231PS %s, %s, %s", f.v(accs), f.v(accs+1), f.v(a))
	}
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.end()

	// Unsigned times signed bytes into 32 bits: four products a lane where there is an instruction for it, else two
	// 16-bit ones and the addition.
	d.add(f, "peakI8", "(n int)", fmt.Sprintf("does n times %d independent dot products of bytes in %d lanes.", accs, f.lanes))
	f.begin("peakI8", fmt.Sprintf("func peakI8%s(n int)", f.suffix), 0, 8)
	f.p("MOVQ n+0(FP), CX")
	for a := range accs + 3 {
		f.zero(a)
	}
	f.p("loop:")
	for a := range accs {
		if f.wide() {
			f.p("VPDPBUSD %s, %s, %s", f.v(accs), f.v(accs+1), f.v(a))
			continue
		}
		f.p("VPMADDWD %s, %s, %s", f.v(accs), f.v(accs+1), f.v(accs+2))
		f.p("VPADDD %s, %s, %s", f.v(accs+2), f.v(a), f.v(a))
	}
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.end()

	// Four streams with prefetches: one stream leaves part of the memory idle.
	d.add(f, "readAll", "(p *byte, n int)", "loads n bytes, a positive multiple of 1024, and forgets them.")
	f.begin("readAll", fmt.Sprintf("func readAll%s(p *byte, n int)", f.suffix), 0, 16)
	f.p("MOVQ p+0(FP), SI")
	f.p("MOVQ n+8(FP), CX")
	f.p("SHRQ $2, CX // bytes of a stream")
	f.p("LEAQ (CX)(CX*2), DX")
	f.p("MOVQ CX, BX")
	f.p("loop:")
	for i := range 4 {
		for j := range 4 {
			f.p("PREFETCHT0 %s", base(readAhead+64*j, "SI", i, "BX", "DX", ""))
		}
	}
	for i := range 4 {
		for j := range 256 / f.bytes() {
			f.p("VMOVUPS %s, %s", base(j*f.bytes(), "SI", i, "BX", "DX", ""), f.v(j))
		}
	}
	f.p("ADDQ $256, SI")
	f.p("SUBQ $256, CX")
	f.p("JNZ loop")
	f.end()
}}

const readAhead = 1024
