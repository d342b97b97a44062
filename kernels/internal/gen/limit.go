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

	d.add(f, "readAll", "(p *byte, n int)", "loads n bytes, a positive multiple of 512, and forgets them.")
	f.begin("readAll", fmt.Sprintf("func readAll%s(p *byte, n int)", f.suffix), 0, 16)
	f.p("MOVQ p+0(FP), SI")
	f.p("MOVQ n+8(FP), CX")
	f.p("loop:")
	for i := range 8 {
		f.p("PREFETCHT0 %d(SI)", 4096+64*i)
	}
	for i := range 512 / f.bytes() {
		f.p("VMOVUPS %d(SI), %s", i*f.bytes(), f.v(i%8))
	}
	f.p("ADDQ $512, SI")
	f.p("SUBQ $512, CX")
	f.p("JNZ loop")
	f.end()
}}
