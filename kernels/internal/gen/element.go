package main

import (
	"fmt"
	"strings"
)

// elements describes one elementwise kernel: pointer arguments (the first is written; inout says that the second is
// written too), float arguments broadcast to registers, and the body that works on registers.
type elements struct {
	name, doc string
	slices    []string // names of the slice arguments; the length is that of the first
	reads     int      // how many leading slices are loaded; the rest only written
	first     int      // index of the first slice that is loaded
	floats    []string
	writes    []int // slices stored, from register 0, 1, …
	body      func(f *file)
}

// Registers of a body: the loaded slice i is register i, results go to registers 0.., floats are 6.., and 8..14 are free.
const floatReg, tempReg = 6, 8

var pointers = []string{"DI", "SI", "DX", "R8"}

func (e elements) emit(f *file, d *decls) {
	size := 24*len(e.slices) + 4*len(e.floats)
	sig := fmt.Sprintf("(%s []float32%s)", strings.Join(e.slices, ", "), floatArgs(e.floats))
	d.add(f, e.name, sig, e.doc)
	f.begin(e.name, fmt.Sprintf("func %s%s%s", e.name, f.suffix, sig), 0, size)
	for i, s := range e.slices {
		f.p("MOVQ %s_base+%d(FP), %s", s, 24*i, pointers[i])
	}
	f.p("MOVQ %s_len+8(FP), CX", e.slices[0])
	for i, s := range e.floats {
		f.p("VBROADCASTSS %s+%d(FP), %s", s, 24*len(e.slices)+4*i, f.v(floatReg+i))
	}
	f.p("SUBQ $%d, CX", f.lanes)
	f.p("JLT tail")
	f.p("loop:")
	e.once(f, false)
	for i := range e.slices {
		f.p("ADDQ $%d, %s", f.bytes(), pointers[i])
	}
	f.p("SUBQ $%d, CX", f.lanes)
	f.p("JGE loop")
	f.p("tail:")
	f.p("ADDQ $%d, CX", f.lanes)
	f.p("JZ done")
	f.mask()
	e.once(f, true)
	f.p("done:")
	f.end()
}

func (e elements) once(f *file, masked bool) {
	for i := range e.reads {
		f.load("("+pointers[e.first+i]+")", i, masked)
	}
	e.body(f)
	for r, i := range e.writes {
		f.store(r, "("+pointers[i]+")", masked)
	}
}

func floatArgs(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", " + strings.Join(names, ", ") + " float32"
}

// elementRoom: the plain elementwise kernels.
var elementRoom = room{name: "element", emit: func(f *file, d *decls) {
	v := f.v
	for _, e := range []elements{
		{name: "scale", doc: "is dst *= a.", slices: []string{"dst"}, reads: 1, floats: []string{"a"}, writes: []int{0},
			body: func(f *file) { f.p("VMULPS %s, %s, %s", v(6), v(0), v(0)) }},
		{name: "add", doc: "is dst += x.", slices: []string{"dst", "x"}, reads: 2, writes: []int{0},
			body: func(f *file) { f.p("VADDPS %s, %s, %s", v(1), v(0), v(0)) }},
		{name: "axpy", doc: "is dst += a·x.", slices: []string{"dst", "x"}, reads: 2, floats: []string{"a"}, writes: []int{0},
			body: func(f *file) { f.p("VFMADD231PS %s, %s, %s", v(1), v(6), v(0)) }},
		{name: "mulScale", doc: "is dst = (x·s)·w.", slices: []string{"dst", "x", "w"}, first: 1, reads: 2,
			floats: []string{"s"}, writes: []int{0}, body: func(f *file) {
				f.p("VMULPS %s, %s, %s", v(6), v(0), v(0))
				f.p("VMULPS %s, %s, %s", v(1), v(0), v(0))
			}},
		{name: "center", doc: "is dst = ((x-mean)·s)·w.", slices: []string{"dst", "x", "w"}, first: 1, reads: 2,
			floats: []string{"mean", "s"}, writes: []int{0}, body: func(f *file) {
				f.p("VSUBPS %s, %s, %s", v(6), v(0), v(0))
				f.p("VMULPS %s, %s, %s", v(7), v(0), v(0))
				f.p("VMULPS %s, %s, %s", v(1), v(0), v(0))
			}},
		{name: "rope", doc: "turns the pairs (lo, hi) by the angles of cos and sin.",
			slices: []string{"lo", "hi", "cos", "sin"}, reads: 4, writes: []int{0, 1}, body: func(f *file) {
				f.p("VMULPS %s, %s, %s // hi·sin", v(3), v(1), v(8))
				f.p("VMULPS %s, %s, %s // lo·sin", v(3), v(0), v(9))
				f.p("VFMSUB213PS %s, %s, %s // lo·cos - hi·sin", v(8), v(2), v(0))
				f.p("VFMADD213PS %s, %s, %s // hi·cos + lo·sin", v(9), v(2), v(1))
			}},
	} {
		e.emit(f, d)
	}
}}
