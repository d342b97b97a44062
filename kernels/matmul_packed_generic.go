package kernels

import "math"

// panelGeneric is the specification of the products with packed weights.
func panelGeneric(_ *scratch, t *panelTask) {
	for r := range t.x.Rows {
		x := as[quantBlock](t.x.row(r))
		var acc [panelRows]float32
		for step := range t.k {
			for b := range 2 {
				xb := &x[2*step+b]
				if t.f == q8 {
					blockQ8(&acc, t.w[0][step*q8Step:][:q8Step], b, xb)
				} else {
					blockQ4(&acc, t.w[0], step, b, xb)
				}
			}
		}
		copy(t.dst[0].Row(r), acc[:])
	}
}

// blockQ8 adds block b of a step of 16 rows.
func blockQ8(acc *[panelRows]float32, s []byte, b int, x *quantBlock) {
	var sum [panelRows]int32
	for j := range 8 {
		q := (*[64]byte)(s[64+b*512+j*64:])
		x0, x1, x2, x3 := int32(x.q[4*j]), int32(x.q[4*j+1]), int32(x.q[4*j+2]), int32(x.q[4*j+3])
		for n := range sum {
			sum[n] += int32(q[4*n])*x0 + int32(q[4*n+1])*x1 + int32(q[4*n+2])*x2 + int32(q[4*n+3])*x3
		}
	}
	scales := as[uint16](s[:64])[b*panelRows:]
	for n := range acc {
		acc[n] = fma(scaled(x.start+sum[n], halfToF32(scales[n])), x.scale, acc[n])
	}
}

// blockQ4 adds block b of a step of a panel of 16 rows.
func blockQ4(acc *[panelRows]float32, panel []byte, step, b int, x *quantBlock) {
	s := panel[q4Head+step*q4Step:][:q4Step]
	var sum [panelRows]int32
	for j := range 4 {
		q := (*[64]byte)(s[64+b*256+j*64:])
		lo, hi := x.q[8*j:8*j+4:8*j+4], x.q[8*j+4:8*j+8:8*j+8]
		for n := range sum {
			for i := range 4 {
				v := q[4*n+i]
				sum[n] += int32(v&15)*int32(lo[i]) + int32(v>>4)*int32(hi[i])
			}
		}
	}
	d, m := as[float32](panel[:64]), as[float32](panel[64:128])
	for n := range acc {
		ws, wm := float32(s[b*panelRows+n])*d[n], float32(int8(s[32+b*panelRows+n]))*m[n]
		acc[n] = fma(scaled(magicBits+sum[n], ws), x.scale, acc[n])
		acc[n] = fma(wm, x.share, acc[n])
	}
}

// scaled is (f-magic)·ws of an integer sum in the form of bits of magic+sum.
func scaled(bits int32, ws float32) float32 {
	return fma(math.Float32frombits(uint32(bits)), ws, -float32(magic*ws))
}
