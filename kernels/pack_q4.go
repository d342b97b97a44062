package kernels

import "math"

// Q4P in three steps: every block of a row gets the scale and min that fit it best; D and M make these 8-bit numbers;
// then every weight is rounded with the scale and min as they will be read.

// q4Shrink are the parts of a block's range that are tried: a range that leaves out the ends has finer steps.
var q4Shrink = [...]float32{1, 0.95, 0.9, 0.85, 0.8, 0.74}

// packQ4Generic is the specification of Q4P.
func packQ4Generic(p *panelPacking) {
	for r := range panelRows {
		w := p.w[r*p.stride() : (r+1)*p.stride()]
		for b := range 2 * p.steps {
			scale, least := fitQ4(w[b*blockDepth:][:blockDepth])
			p.fit[b*2*panelRows+r], p.fit[b*2*panelRows+panelRows+r] = scale, least
		}
	}
	p.roundFit()
	p.roundWeights()
}

// roundWeights rounds with the scales and mins as they stand in dst.
func (p *panelPacking) roundWeights() {
	d, m := as[float32](p.dst[:64]), as[float32](p.dst[64:128])
	for step := range p.steps {
		s := p.dst[q4Head+step*q4Step:][:q4Step]
		clear(s[64:])
		for b := range 2 {
			for r := range panelRows {
				scale, least := float32(s[b*panelRows+r])*d[r], float32(int8(s[32+b*panelRows+r]))*m[r]
				inv := inverse(scale)
				w := p.w[r*p.stride()+step*stepDepth+b*blockDepth:][:blockDepth]
				for k, v := range w {
					q := roundQ4(v, least, inv)
					s[64+b*256+k/8*64+r*4+k%4] |= byte(nearest(q)) << (k / 4 % 2 * 4)
				}
			}
		}
	}
}

// fitQ4 finds scale and min of a block: for each shrunken range the weights are rounded to 0..15, then the line
// through (q, w) by least squares is what that q is best read with; the range whose line leaves the least error wins,
// the wider one on a tie.
func fitQ4(w []float32) (scale, least float32) {
	lo, hi := w[0], w[0]
	for _, v := range w[1:] {
		lo, hi = min(lo, v), max(hi, v)
	}
	mid, half := float32(0.5*lo)+float32(0.5*hi), float32(0.5*hi)-float32(0.5*lo)
	if !(half > quantTiny) {
		return 0, mid
	}
	// Weights are taken relative to mid, in units of half: all sums are then of the order of 1.
	unit := 1 / half
	best, a0, b0 := float32(-1), float32(0), float32(0)
	for _, f := range q4Shrink {
		gain, a, b := fitRange(w, mid, unit, f)
		if gain > best {
			best, a0, b0 = gain, a, b
		}
	}
	return float32(a0 * half), float32(float32(b0*half) + mid)
}

// fitRange rounds to the range ±f and fits v = a·q + b; gain is Σ(a·q+b)², which the error falls by.
func fitRange(w []float32, mid, unit, f float32) (gain, a, b float32) {
	inv := 7.5 / f
	var sv, sq, sqq, sqv float32
	for _, x := range w {
		v := float32((x - mid) * unit)
		q := roundQ4(v, -f, inv)
		sv += v
		sq += q
		sqq += float32(q * q)
		sqv += float32(q * v)
	}
	det := 32*sqq - float32(sq*sq) // above 0: the ends of the range have different q
	a = (32*sqv - float32(sq*sv)) / det
	b = (sv - float32(a*sq)) / 32
	return float32(a*sqv) + float32(b*sv), a, b
}

// roundQ4 is (v-least)·inv rounded to 0..15, ties to even.
func roundQ4(v, least, inv float32) float32 {
	q := float32((v - least) * inv)
	q = min(max(q, 0), 15)
	return (q + magic) - magic
}

// inverse is 1/x, 0 of what is too small.
func inverse(x float32) float32 {
	if !(x > quantTiny) {
		return 0
	}
	return 1 / x
}

// roundFit chooses D and M of each row and writes the head and the 8-bit scales and mins. D keeps 14 bits, so that
// scale·D and magic·scale·D are exact.
func (p *panelPacking) roundFit() {
	d, m := as[float32](p.dst[:64]), as[float32](p.dst[64:128])
	for r := range panelRows {
		var topScale, topMin float32
		for b := range 2 * p.steps {
			f := p.fit[b*2*panelRows:]
			topScale = max(topScale, f[r])
			topMin = max(topMin, float32(math.Abs(float64(f[panelRows+r]))))
		}
		d[r] = math.Float32frombits((math.Float32bits(topScale/255) + 0x3ff) &^ 0x3ff)
		m[r] = topMin / 127
		di, mi := inverse(d[r]), inverse(m[r])
		for b := range 2 * p.steps {
			f := p.fit[b*2*panelRows:]
			s := p.dst[q4Head+b/2*q4Step+b%2*panelRows:]
			scale := min(max(float32(f[r]*di), 0), 255)
			if scale > 0 {
				scale = max(scale, 1)
			}
			s[r] = byte(nearest(scale))
			s[32+r] = byte(int8(nearest(min(max(float32(f[panelRows+r]*mi), -127), 127))))
		}
	}
}
