package main

// actRoom: activations, alone and times up.
var actRoom = room{name: "act", emit: func(f *file, d *decls) {
	for _, a := range []struct {
		name, doc string
		body      func(f *file)
	}{
		{"silu", "x/(1+e^-x)", silu},
		{"geluTanh", "x/(1+e^-2u)", geluTanh},
		{"gelu", "x/2·(1+erf(x/√2))", gelu},
		{"relu", "max(x, 0)", relu},
		{"relu2", "max(x, 0)²", func(f *file) {
			relu(f)
			f.p("VMULPS %[1]s, %[1]s, %[1]s", f.v(0))
		}},
	} {
		elements{name: a.name, doc: "is dst = " + a.doc + ".", slices: []string{"dst", "x"}, first: 1, reads: 1,
			writes: []int{0}, body: a.body}.emit(f, d)
		elements{name: a.name + "Mul", doc: "is dst = up·" + a.doc + " of gate.", slices: []string{"dst", "gate", "up"},
			first: 1, reads: 2, writes: []int{0}, body: func(f *file) {
				a.body(f)
				f.p("VMULPS %s, %s, %s", f.v(1), f.v(0), f.v(0))
			}}.emit(f, d)
	}
}}

// relu keeps a NaN: MAXPS returns its second source, x, where an operand is NaN.
func relu(f *file) {
	f.zero(tempReg)
	f.p("VMAXPS %s, %s, %s", f.v(0), f.v(tempReg), f.v(0))
}

func silu(f *file) {
	f.zero(tempReg)
	f.p("VSUBPS %s, %s, %s // -x", f.v(0), f.v(tempReg), f.v(tempReg))
	sigmoidTimes(f)
}

func geluTanh(f *file) {
	x, t := f.v(0), f.v(tempReg)
	f.p("VMULPS %s, %s, %s", x, x, t)
	f.p("VMOVUPS %s, %s", f.c(geluB), f.v(tempReg+1))
	f.p("VFMADD213PS %s, %s, %s", f.c(geluA), f.v(tempReg+1), t)
	f.p("VMULPS %s, %s, %s // -2u", x, t, t)
	sigmoidTimes(f)
}

// gelu is max(x, 0) - a·h(t)·e^(-a²/2) with a = |x|: see erf.go of package kernels.
func gelu(f *file) {
	x, e, t, q, low, a := f.v(0), f.v(tempReg), f.v(2), f.v(3), f.v(tempReg+5), f.v(tempReg+6)
	f.p("VMOVUPS %s, %s", f.c(geluFar), q)
	f.p("VANDPS %s, %s, %s", f.bits(0x7fffffff), x, a)
	f.p("VMINPS %s, %s, %s // a NaN stays: it is the second source", a, q, a)
	f.p("VMULPS %s, %s, %s", a, a, e)
	f.p("VMOVAPS %s, %s", e, low)
	f.p("VFMSUB231PS %s, %s, %s // what a² lost in rounding", a, a, low)
	f.p("VMULPS %s, %s, %s", f.c(-0.5), e, e)
	exp(f, tempReg)
	f.p("VMOVUPS %s, %s", f.c(geluSlope), t)
	f.p("VFMADD213PS %s, %s, %s", f.c(1), a, t)
	f.p("VMOVUPS %s, %s", f.c(1), q)
	f.p("VDIVPS %s, %s, %s", t, q, t)
	f.p("VMOVUPS %s, %s", f.c(geluC[0]), q)
	for _, c := range geluC[1:] {
		f.p("VFMADD213PS %s, %s, %s", f.c(c), t, q)
	}
	f.p("VMULPS %s, %s, %s", t, a, a)
	f.p("VMULPS %s, %s, %s", q, a, a)
	f.p("VMULPS %s, %s, %s", e, a, a)
	f.p("VMULPS %s, %s, %s", f.c(-0.5), low, low)
	f.p("VFMADD213PS %s, %s, %s // a·(1 - low/2)", a, a, low)
	f.zero(2)
	f.p("VMAXPS %s, %s, %s", x, t, x)
	f.p("VSUBPS %s, %s, %s", low, x, x)
}

// sigmoidTimes divides register 0 by 1 + e^temp.
func sigmoidTimes(f *file) {
	exp(f, tempReg)
	f.p("VADDPS %s, %s, %s", f.c(1), f.v(tempReg), f.v(tempReg))
	f.p("VDIVPS %s, %s, %s", f.v(tempReg), f.v(0), f.v(0))
}

// Constants of exp and GELUTanh: see exp.go and activation.go of package kernels, which is their specification.
const (
	geluA = -2 * 0.7978845608028654
	geluB = geluA * 0.044715

	geluFar, geluSlope = 16, 0.24

	expMin, expMax     = -104, 89
	expLog2E           = 1.44269504088896341
	expLn2Hi, expLn2Lo = 0.693359375, -2.12194440054690583e-4
	expRound           = 0x1.8p23
)

var geluC = []float64{0.02547336369752884, -0.1243346557021141, 0.20472386479377747, -0.14319340884685516, 0.14048799872398376,
	0.028714198619127274, 0.08755180239677429, 0.08898361027240753, 0.09585078060626984, 0.09574244171380997}

var expC = []float64{1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1}

// exp is register x = e^x, in place; it uses the 4 registers above x.
func exp(f *file, reg int) {
	x, q, n, a, b := f.v(reg), f.v(reg+1), f.v(reg+2), f.v(reg+3), f.v(reg+4)
	f.p("VMOVUPS %s, %s", f.c(expMax), q)
	f.p("VMINPS %s, %s, %s // a NaN stays: it is the second source", x, q, x)
	f.p("VMOVUPS %s, %s", f.c(expMin), q)
	f.p("VMAXPS %s, %s, %s", x, q, x)
	f.p("VMULPS %s, %s, %s", f.c(expLog2E), x, n)
	f.p("VADDPS %s, %s, %s", f.c(expRound), n, n)
	f.p("VSUBPS %s, %s, %s", f.c(expRound), n, n)
	f.p("VFNMADD231PS %s, %s, %s", f.c(expLn2Hi), n, x)
	f.p("VFNMADD231PS %s, %s, %s // r", f.c(expLn2Lo), n, x)
	f.p("VMOVUPS %s, %s", f.c(expC[0]), q)
	for _, c := range expC[1:] {
		f.p("VFMADD213PS %s, %s, %s", f.c(c), x, q)
	}
	f.p("VMULPS %s, %s, %s", x, x, a)
	f.p("VFMADD213PS %s, %s, %s // q·r² + r", x, a, q)
	f.p("VADDPS %s, %s, %s", f.c(1), q, q)
	if f.wide() { // rounds once, as the two products do: the first of them is exact
		f.p("VSCALEFPS %s, %s, %s", n, q, x)
		return
	}
	f.p("VCVTPS2DQ %s, %s", n, n)
	f.p("VPSRAD $1, %s, %s", n, a)
	f.p("VPSUBD %s, %s, %s", a, n, b)
	f.p("VPADDD %s, %s, %s", f.bits(127), a, a)
	f.p("VPADDD %s, %s, %s", f.bits(127), b, b)
	f.p("VPSLLD $23, %[1]s, %[1]s", a)
	f.p("VPSLLD $23, %[1]s, %[1]s", b)
	f.p("VMULPS %s, %s, %s", a, q, q)
	f.p("VMULPS %s, %s, %s", b, q, x)
}
