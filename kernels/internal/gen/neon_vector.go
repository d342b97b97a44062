package main

import (
	"fmt"
	"strings"
)

// armElements emits an elementwise kernel as [elements] describes it: a register at a time, then single elements, which
// take the same instructions in lane 0. Slices are R1.., R5 the elements left; floats are registers 6 and on.
func armElements(f *arm, e elements, body func(f *arm)) {
	size := 24*len(e.slices) + 4*len(e.floats)
	f.begin(e.name, fmt.Sprintf("(%s []float32%s)", strings.Join(e.slices, ", "), floatArgs(e.floats)), e.doc, size)
	for i, s := range e.slices {
		f.p("MOVD %s_base+%d(FP), R%d", s, 24*i, 1+i)
	}
	f.p("MOVD %s_len+8(FP), R5", e.slices[0])
	for i, s := range e.floats {
		f.p("MOVWU %s+%d(FP), R6", s, 24*len(e.slices)+4*i)
		f.dupr(floatReg+i, 6)
	}
	f.constants()
	for _, w := range []width{wsize16, wsize4} {
		n := w.size / 4
		f.p("SUBS $%d, R5", n)
		f.p("BLT less%d", n)
		f.p("loop%d:", n)
		for i := range e.reads {
			f.load(w, i, 1+e.first+i, 0)
		}
		body(f)
		for r, i := range e.writes {
			f.store(w, r, 1+i, 0)
		}
		for i := range e.slices {
			f.p("ADD $%d, R%d", w.size, 1+i)
		}
		f.p("SUBS $%d, R5", n)
		f.p("BGE loop%d", n)
		f.p("less%d:", n)
		f.p("ADD $%d, R5", n)
	}
	f.p("RET")
}

// armElementRoom: the plain elementwise kernels.
func armElementRoom(f *arm) {
	for _, k := range []struct {
		elements
		body func(f *arm)
	}{
		{elements{name: "scale", doc: "is dst *= a.", slices: []string{"dst"}, reads: 1, floats: []string{"a"}, writes: []int{0}},
			func(f *arm) { f.v3(fmul, 0, 0, 6) }},
		{elements{name: "add", doc: "is dst += x.", slices: []string{"dst", "x"}, reads: 2, writes: []int{0}},
			func(f *arm) { f.v3(fadd, 0, 0, 1) }},
		{elements{name: "axpy", doc: "is dst += a·x.", slices: []string{"dst", "x"}, reads: 2, floats: []string{"a"}, writes: []int{0}},
			func(f *arm) { f.v3(fmla, 0, 1, 6) }},
		{elements{name: "mulScale", doc: "is dst = (x·s)·w.", slices: []string{"dst", "x", "w"}, first: 1, reads: 2,
			floats: []string{"s"}, writes: []int{0}}, func(f *arm) {
			f.v3(fmul, 0, 0, 6)
			f.v3(fmul, 0, 0, 1)
		}},
		{elements{name: "center", doc: "is dst = ((x-mean)·s)·w.", slices: []string{"dst", "x", "w"}, first: 1, reads: 2,
			floats: []string{"mean", "s"}, writes: []int{0}}, func(f *arm) {
			f.v3(fsub, 0, 0, 6)
			f.v3(fmul, 0, 0, 7)
			f.v3(fmul, 0, 0, 1)
		}},
		{elements{name: "rope", doc: "turns the pairs (lo, hi) by the angles of cos and sin.",
			slices: []string{"lo", "hi", "cos", "sin"}, reads: 4, writes: []int{0, 1}}, armRope},
	} {
		armElements(f, k.elements, k.body)
	}
}

func armRope(f *arm) {
	f.v3(fmul, 8, 1, 3) // hi·sin
	f.v3(fmul, 9, 0, 3) // lo·sin
	f.v2(fneg, 8, 8)
	f.v3(fmla, 8, 0, 2)
	f.v3(fmla, 9, 1, 2)
	f.mov(0, 8)
	f.mov(1, 9)
}

// armActRoom: activations, alone and times up.
func armActRoom(f *arm) {
	for _, a := range []struct {
		name, doc string
		body      func(f *arm)
	}{
		{"silu", "x/(1+e^-x)", func(f *arm) {
			f.v2(fneg, tempReg, 0)
			armSigmoidTimes(f)
		}},
		{"geluTanh", "x/(1+e^-2u)", func(f *arm) {
			f.v3(fmul, 8, 0, 0)
			f.ldc(geluB, 9)
			f.ldc(geluA, 10)
			f.v3(fmla, 10, 8, 9)
			f.v3(fmul, 8, 0, 10) // -2u
			armSigmoidTimes(f)
		}},
		{"gelu", "x/2·(1+erf(x/√2))", armGELU},
		{"relu", "max(x, 0)", armReLU},
		{"relu2", "max(x, 0)²", func(f *arm) {
			armReLU(f)
			f.v3(fmul, 0, 0, 0)
		}},
	} {
		armElements(f, elements{name: a.name, doc: "is dst = " + a.doc + ".", slices: []string{"dst", "x"}, first: 1, reads: 1,
			writes: []int{0}}, a.body)
		armElements(f, elements{name: a.name + "Mul", doc: "is dst = up·" + a.doc + " of gate.", slices: []string{"dst", "gate", "up"},
			first: 1, reads: 2, writes: []int{0}}, func(f *arm) {
			a.body(f)
			f.v3(fmul, 0, 0, 1)
		})
	}
}

// armReLU keeps a NaN, as FMAX does.
func armReLU(f *arm) {
	f.zero(tempReg)
	f.v3(fmax, 0, 0, tempReg)
}

// armSigmoidTimes divides register 0 by 1 + e^temp.
func armSigmoidTimes(f *arm) {
	armExp(f, tempReg)
	f.ldc(1, tempReg+1)
	f.v3(fadd, tempReg, tempReg, tempReg+1)
	f.v3(fdiv, 0, 0, tempReg)
}

// armGELU is max(x, 0) - a·h(t)·e^(-a²/2) with a = |x|: see erf.go of package kernels.
func armGELU(f *arm) {
	const x, t, q, next, e, low, a = 0, 2, 3, 4, tempReg, tempReg + 5, tempReg + 6
	f.v2(fabs, a, x)
	f.ldc(geluFar, q)
	f.v3(fmin, a, a, q)
	f.v3(fmul, e, a, a)
	f.v2(fneg, low, e)
	f.v3(fmla, low, a, a) // what a² lost in rounding
	f.ldc(-0.5, q)
	f.v3(fmul, e, e, q)
	f.v3(fmul, low, low, q)
	armExp(f, e)
	f.ldc(1, t)
	f.ldc(geluSlope, q)
	f.v3(fmla, t, a, q)
	f.ldc(1, q)
	f.v3(fdiv, t, q, t)
	at, other := q, next
	f.ldc(geluC[0], at)
	for _, c := range geluC[1:] {
		f.ldc(c, other)
		f.v3(fmla, other, at, t)
		at, other = other, at
	}
	f.v3(fmul, a, a, t)
	f.v3(fmul, a, a, at)
	f.v3(fmul, a, a, e)
	f.v3(fmla, a, a, low) // a·(1 - low/2)
	f.zero(t)
	f.v3(fmax, x, x, t)
	f.v3(fsub, x, x, a)
}

// armExp is register x = e^x, in place; it uses the 4 registers above x.
func armExp(f *arm, x int) {
	q, n, a, b := x+1, x+2, x+3, x+4
	f.ldc(expMax, q)
	f.v3(fmin, x, x, q) // a NaN stays
	f.ldc(expMin, q)
	f.v3(fmax, x, x, q)
	f.ldc(expLog2E, q)
	f.v3(fmul, n, x, q)
	f.v2(frintn, n, n)
	f.ldc(expLn2Hi, q)
	f.v3(fmls, x, n, q)
	f.ldc(expLn2Lo, q)
	f.v3(fmls, x, n, q) // r
	f.ldc(expC[0], q)
	for _, c := range expC[1:] {
		f.ldc(c, a)
		f.v3(fmla, a, q, x)
		q, a = a, q
	}
	f.v3(fmul, b, x, x)
	f.v3(fmla, x, q, b) // q·r² + r
	f.ldc(1, q)
	f.v3(fadd, x, x, q)
	f.v2(fcvtns, n, n)
	f.sshr(a, n, 1)
	f.v3(isub, b, n, a)
	f.ldbits(127, q)
	f.v3(iadd, a, a, q)
	f.v3(iadd, b, b, q)
	f.shl(a, a, 23)
	f.shl(b, b, 23)
	f.v3(fmul, x, x, a)
	f.v3(fmul, x, x, b)
}

// armConvertRoom: 16-bit formats to and from f32, n a positive multiple of 8.
func armConvertRoom(f *arm) {
	each := func(name, doc, sig string, in, out int, body func()) {
		f.begin(name, sig, doc+"; n is a positive multiple of 8.", 24)
		f.p("MOVD dst+0(FP), R1")
		f.p("MOVD src+8(FP), R2")
		f.p("MOVD n+16(FP), R3")
		f.constants()
		f.p("loop:")
		body()
		f.p("ADD $%d, R2", 8*in)
		f.p("ADD $%d, R1", 8*out)
		f.p("SUBS $8, R3")
		f.p("BNE loop")
		f.p("RET")
	}
	for _, w := range weightFormats[1:] {
		each("widen"+w.name, "widens "+w.name+" words", "(dst *float32, src *uint16, n int)", 2, 4, func() {
			armWiden(f, w, 0, 2, 0)
			f.stp(0, 1, 0)
		})
	}
	half := func(clamp bool) func() {
		return func() {
			f.ldp(0, 2, 0)
			for i := range 2 {
				if clamp {
					f.ldc(65504, 4)
					f.v3(fmin, i, i, 4)
					f.ldc(-65504, 4)
					f.v3(fmax, i, i, 4)
				}
				f.v2(fcvtn, i, i)
				f.store(wsize8, i, 1, 8*i)
			}
		}
	}
	each("narrowF16", "rounds to IEEE half, ties to even", "(dst *uint16, src *float32, n int)", 4, 2, half(false))
	each("clampF16", "rounds to IEEE half, ties to even, the largest where it would be infinite", "(dst *uint16, src *float32, n int)", 4, 2, half(true))
	each("narrowBF16", "rounds to bfloat16, ties to even, NaN becomes quiet", "(dst *uint16, src *float32, n int)", 4, 2, func() {
		f.ldp(0, 2, 0)
		for i := range 2 {
			f.ushr(2, i, 16)
			f.ldbits(1, 3)
			f.v3(and, 3, 2, 3)
			f.ldbits(0x7fff, 4)
			f.v3(iadd, 3, 3, 4)
			f.v3(iadd, 3, 3, i)
			f.ushr(3, 3, 16)
			f.ldbits(0x40, 4)
			f.v3(orr, 4, 2, 4) // of a NaN
			f.v3(fcmeq, 5, i, i)
			f.v3(bit, 4, 3, 5)
			f.v2(xtn, 4, 4)
			f.store(wsize8, 4, 1, 8*i)
		}
	})
}
