package kernels

import "math"

// Constants of exp, shared by every level: e^x = 2^n · e^r with n = round(x/ln 2) and r = x - n·ln 2 in two parts
// (expLn2Hi has few enough bits that n·expLn2Hi is exact), e^r = 1 + r + r²·q(r). q was fitted as the Taylor series
// of degree 4 economised on |r| ≤ ln2/2 (Cephes' expf uses the same form and degree). Below expMin the result is 0,
// above expMax it is +Inf.
const (
	expMin, expMax     = -104, 89
	expLog2E           = 1.44269504088896341
	expLn2Hi, expLn2Lo = 0.693359375, -2.12194440054690583e-4
	expC0              = 1.9875691500e-4
	expC1              = 1.3981999507e-3
	expC2              = 8.3334519073e-3
	expC3              = 4.1665795894e-2
	expC4              = 1.6666665459e-1
	expC5              = 5.0000001201e-1
	expRound           = 0x1.8p23 // adding and taking it away rounds to an integer, ties to even
)

// expGeneric is e^x within 2 ulp, also for subnormal results; NaN gives NaN.
func expGeneric(x float32) float32 {
	x = min(max(x, expMin), expMax)
	n := (float32(x*expLog2E) + expRound) - expRound
	r := x - float32(n*expLn2Hi)
	r -= float32(n * expLn2Lo)
	q := float32(expC0)
	q = float32(q*r) + expC1
	q = float32(q*r) + expC2
	q = float32(q*r) + expC3
	q = float32(q*r) + expC4
	q = float32(q*r) + expC5
	y := float32(float32(q*float32(r*r))+r) + 1
	if x != x {
		return x
	}
	a := int32(n) >> 1 // 2^n in two factors: n may lie outside the exponents of normal numbers
	return float32(y*pow2(a)) * pow2(int32(n)-a)
}

func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }
