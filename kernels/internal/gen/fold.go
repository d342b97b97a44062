package main

import "fmt"

// fold describes a reduction to one float: lane accumulators 0..n-1, an element register, a combine.
type fold struct {
	name, doc, sig string
	slices         []string
	float          string // a broadcast argument in register 6, or ""
	accs           int
	size           int // of the arguments without the result
	start          func(f *file, acc int)
	step           func(f *file, acc int, disp string, masked bool) // adds the elements at disp(pointers)
	join           string                                           // instruction that joins accumulators and lanes
}

func (r fold) emit(f *file, d *decls) {
	d.add(f, r.name, r.sig+" float32", r.doc)
	f.begin(r.name, fmt.Sprintf("func %s%s%s float32", r.name, f.suffix, r.sig), 0, (r.size+7)/8*8+4)
	for i, s := range r.slices {
		f.p("MOVQ %s_base+%d(FP), %s", s, 24*i, pointers[i])
	}
	f.p("MOVQ %s_len+8(FP), CX", r.slices[0])
	if r.float != "" {
		f.p("VBROADCASTSS %s+%d(FP), %s", r.float, 24*len(r.slices), f.v(6))
	}
	for a := range r.accs {
		r.start(f, a)
	}
	if r.accs > 1 {
		f.p("SUBQ $%d, CX", r.accs*f.lanes)
		f.p("JLT some")
		f.p("loop:")
		for a := range r.accs {
			r.step(f, a, fmt.Sprint(a*f.bytes()), false)
		}
		r.advance(f, r.accs)
		f.p("JGE loop")
		f.p("some:")
		f.p("ADDQ $%d, CX", r.accs*f.lanes)
	}
	f.p("SUBQ $%d, CX", f.lanes)
	f.p("JLT tail")
	f.p("one:")
	r.step(f, 0, "0", false)
	r.advance(f, 1)
	f.p("JGE one")
	f.p("tail:")
	f.p("ADDQ $%d, CX", f.lanes)
	f.p("JZ done")
	f.mask()
	r.step(f, 0, "0", true)
	f.p("done:")
	if r.accs == 4 {
		f.p("%s %s, %s, %s", r.join, f.v(1), f.v(0), f.v(0))
		f.p("%s %s, %s, %s", r.join, f.v(3), f.v(2), f.v(2))
		f.p("%s %s, %s, %s", r.join, f.v(2), f.v(0), f.v(0))
	}
	joinLanes(f, r.join, 0, 1)
	f.p("VMOVSS X0, ret+%d(FP)", (r.size+7)/8*8)
	f.end()
}

func (r fold) advance(f *file, n int) {
	for i := range r.slices {
		f.p("ADDQ $%d, %s", n*f.bytes(), pointers[i])
	}
	f.p("SUBQ $%d, CX", n*f.lanes)
}

func startZero(f *file, a int) { f.zero(a) }

// foldRoom: the reductions.
var foldRoom = room{name: "fold", emit: func(f *file, d *decls) {
	fold{name: "sum", doc: "is Σ x.", sig: "(x []float32)", slices: []string{"x"}, accs: 4, size: 24, start: startZero,
		step: func(f *file, a int, disp string, masked bool) {
			f.load(disp+"(DI)", 8+a, masked)
			f.p("VADDPS %s, %s, %s", f.v(8+a), f.v(a), f.v(a))
		}, join: "VADDPS"}.emit(f, d)
	fold{name: "dot", doc: "is Σ a·b.", sig: "(a, b []float32)", slices: []string{"a", "b"}, accs: 4, size: 48, start: startZero,
		step: func(f *file, a int, disp string, masked bool) {
			f.load(disp+"(DI)", 8, masked)
			f.load(disp+"(SI)", 9, masked)
			f.p("VFMADD231PS %s, %s, %s", f.v(8), f.v(9), f.v(a))
		}, join: "VADDPS"}.emit(f, d)
	fold{name: "sumSq", doc: "is Σ (x-mean)².", sig: "(x []float32, mean float32)", slices: []string{"x"}, float: "mean",
		accs: 4, size: 28, start: startZero, step: func(f *file, a int, disp string, masked bool) {
			f.load(disp+"(DI)", 8, masked)
			f.p("VSUBPS %s, %s, %s", f.v(6), f.v(8), f.v(8))
			clearOff(f, 8, masked)
			f.p("VFMADD231PS %[1]s, %[1]s, %[2]s", f.v(8), f.v(a))
		}, join: "VADDPS"}.emit(f, d)
	fold{name: "max", doc: "is the largest element that is not NaN, -Inf of nothing.", sig: "(x []float32)",
		slices: []string{"x"}, accs: 4, size: 24,
		start: func(f *file, a int) { f.p("VMOVUPS %s, %s", f.bits(0xff800000), f.v(a)) },
		step: func(f *file, a int, disp string, masked bool) {
			f.load(disp+"(DI)", 8, masked)
			switch {
			case masked && f.wide():
				f.p("VMAXPS %s, %s, K1, %s // a NaN in x gives the second source", f.v(a), f.v(8), f.v(a))
			case masked:
				f.p("VBLENDVPS Y15, %s, %s, %s", f.v(8), f.v(a), f.v(8))
				fallthrough
			default:
				f.p("VMAXPS %s, %s, %s // a NaN in x gives the second source", f.v(a), f.v(8), f.v(a))
			}
		}, join: "VMAXPS"}.emit(f, d)
	fold{name: "expSum", doc: "is x = e^(x-top) in place, and Σ x.", sig: "(x []float32, top float32)", slices: []string{"x"},
		float: "top", accs: 1, size: 28, start: startZero, step: func(f *file, a int, disp string, masked bool) {
			f.load(disp+"(DI)", 8, masked)
			f.p("VSUBPS %s, %s, %s", f.v(6), f.v(8), f.v(8))
			exp(f, 8)
			clearOff(f, 8, masked)
			f.store(8, disp+"(DI)", masked)
			f.p("VADDPS %s, %s, %s", f.v(8), f.v(a), f.v(a))
		}, join: "VADDPS"}.emit(f, d)
}}

// clearOff zeroes the lanes that the mask switches off.
func clearOff(f *file, reg int, masked bool) {
	switch {
	case !masked:
	case f.wide():
		f.p("VMOVAPS.Z %[1]s, K1, %[1]s", f.v(reg))
	default:
		f.p("VANDPS %s, Y15, %s", f.v(reg), f.v(reg))
	}
}
