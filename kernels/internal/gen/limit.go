package main

import (
	"fmt"
	"math/rand/v2"
)

// limitRoom: what the machine can do at most.
var limitRoom = room{name: "limit", isas: withVNNI, emit: func(f *file, d *decls) {
	peakI8(f, d)
	if f.vnni() {
		return
	}
	peak(f, d, "peakF32", "multiply-adds", func(w, x, acc int) { f.p("VFMADD231PS %s, %s, %s", f.v(w), f.v(x), f.v(acc)) })
	if f.wide() {
		peak(f, d, "peakBF16", "bf16 dot products of pairs", f.dotBF16)
	}

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

// peakAccs are enough chains to hide the latency of every operation.
func (i isa) peakAccs() int { return 3 * i.lanes / 2 }

// peak emits a loop of independent operations on registers. The operands vary: on zeros a CPU may clock higher than it
// does on any product of numbers.
func peak(f *file, d *decls, name, what string, op func(w, x, acc int)) {
	accs := f.peakAccs()
	operands := (f.regs() - accs) / 2
	d.add(f, name, "(n int)", fmt.Sprintf("does n times %d independent %s of a register.", accs, what))
	f.begin(name, fmt.Sprintf("func %s%s(n int)", name, f.suffix), 0, 8)
	f.p("MOVQ n+0(FP), CX")
	for a := range accs {
		f.zero(a)
	}
	for i := range 2 * operands {
		f.p("VMOVUPS %s, %s", f.words(operand(i, f.lanes)), f.v(accs+i))
	}
	f.p("loop:")
	for a := range accs {
		op(accs+a%operands, accs+operands+(a+a/operands)%operands, a)
	}
	f.p("DECQ CX")
	f.p("JNZ loop")
	f.end()
}

// operand is a register of numbers between 1 and 2 in size with signs and bits of all kinds, as f32 and as pairs of bf16.
func operand(i, lanes int) []uint32 {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	w := make([]uint32, lanes)
	for j := range w {
		w[j] = r.Uint32()&0x807f807f | 0x3f803f80
	}
	return w
}

// peakI8 measures dot products of bytes.
func peakI8(f *file, d *decls) {
	accs := f.peakAccs()
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
		if f.vnni() {
			dotBytes(f, accs, accs+1, f.v(a))
			continue
		}
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
}
