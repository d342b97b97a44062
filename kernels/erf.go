package kernels

// Constants of GELU, shared by every level. With a = |x|, Φ(-a) = erfc(a/√2)/2 = e^(-a²/2) · t·h(t), t = 1/(1+geluSlope·a), where h is
// the polynomial of degree 9 that is nearest to erfcx in relative error over 0 ≤ a ≤ 14 (3e-9, found by weighted least
// squares). Beyond geluFar e^(-a²/2) is 0.
const (
	geluFar, geluSlope = 16, 0.24

	geluC0 = 0.02547336369752884
	geluC1 = -0.1243346557021141
	geluC2 = 0.20472386479377747
	geluC3 = -0.14319340884685516
	geluC4 = 0.14048799872398376
	geluC5 = 0.028714198619127274
	geluC6 = 0.08755180239677429
	geluC7 = 0.08898361027240753
	geluC8 = 0.09585078060626984
	geluC9 = 0.09574244171380997
)

// geluGeneric is x·Φ(x) = max(x, 0) - a·Φ(-a) within 5e-7 of its value; NaN gives NaN, -Inf gives 0.
func geluGeneric(x float32) float32 {
	a := min(max(x, -x), geluFar)
	s := float32(a * a)
	low := float32(float64(a)*float64(a) - float64(s)) // what a² lost in rounding
	e := expGeneric(float32(-0.5 * s))
	t := 1 / (1 + float32(geluSlope*a))
	q := float32(geluC0)
	for _, c := range [...]float32{geluC1, geluC2, geluC3, geluC4, geluC5, geluC6, geluC7, geluC8, geluC9} {
		q = float32(q*t) + c
	}
	y := float32(float32(float32(a*t)*q) * e)
	y += float32(float32(-0.5*low) * y)
	return reluGeneric(x) - y
}
