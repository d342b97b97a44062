package tensor

import "math"

// Diff measures how far got is from want. It is the only definition of closeness in the project.
type Diff struct {
	N      int     // elements compared
	MaxAbs float64 // max |got - want|; +Inf where only one of the two is NaN
	AtMax  int     // where
	MaxMag float64 // max |want|
	NMSE   float64 // Σ(got-want)² / Σ want²
	ULP    uint32  // largest distance in units in the last place of f32
}

// Rel is MaxAbs relative to the largest magnitude of want.
func (d Diff) Rel() float64 {
	if d.MaxAbs == 0 {
		return 0
	}
	return d.MaxAbs / d.MaxMag
}

// Compare measures got against want; both must have the same length, or MaxAbs is +Inf. Two NaNs at one place are equal.
func Compare(got, want []float32) Diff {
	d := Diff{N: len(want)}
	if len(got) != len(want) {
		d.MaxAbs = math.Inf(1)
		return d
	}
	var num, den float64
	for i := range want {
		g, w := float64(got[i]), float64(want[i])
		d.ULP = max(d.ULP, ULP(got[i], want[i]))
		if !math.IsNaN(w) && !math.IsInf(w, 0) {
			d.MaxMag = max(d.MaxMag, math.Abs(w))
			den += w * w
		}
		delta := apart(g, w)
		num += delta * delta
		if delta > d.MaxAbs {
			d.MaxAbs, d.AtMax = delta, i
		}
	}
	if num > 0 {
		d.NMSE = num / den
	}
	return d
}

func apart(g, w float64) float64 {
	switch {
	case math.IsNaN(g) && math.IsNaN(w), g == w:
		return 0
	case math.IsNaN(g) || math.IsNaN(w):
		return math.Inf(1)
	}
	return math.Abs(g - w)
}

// ULP is the distance of two f32 values counted in representable values; 0 for two NaNs, MaxUint32 for a NaN and a number.
func ULP(a, b float32) uint32 {
	an, bn := a != a, b != b
	if an || bn {
		if an && bn {
			return 0
		}
		return math.MaxUint32
	}
	x, y := ordered(a), ordered(b)
	if x < y {
		x, y = y, x
	}
	return uint32(x - y)
}

// ordered maps f32 to integers so that the order of the values is kept and both zeros are 0.
func ordered(f float32) int64 {
	u := math.Float32bits(f)
	if u&0x80000000 != 0 {
		return -int64(u & 0x7fffffff)
	}
	return int64(u)
}

// KL is the Kullback-Leibler divergence Σ p·ln(p/q) in nats of the softmax of the logits want (p) and got (q).
func KL(got, want []float32) float64 {
	lp, lq := logSoftmax(want), logSoftmax(got)
	sum := 0.0
	for i := range lp {
		sum += math.Exp(lp[i]) * (lp[i] - lq[i])
	}
	return sum
}

func logSoftmax(logits []float32) []float64 {
	top := math.Inf(-1)
	for _, l := range logits {
		top = max(top, float64(l))
	}
	sum := 0.0
	for _, l := range logits {
		sum += math.Exp(float64(l) - top)
	}
	out := make([]float64, len(logits))
	for i, l := range logits {
		out[i] = float64(l) - top - math.Log(sum)
	}
	return out
}
