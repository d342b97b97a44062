package kernels

import "math"

// blockPartsGeneric is the specification of a product of X in parts with bf16 weights, one part or three (see parts.go):
// steps of 32 columns in order, of each its parts in order. A step of a part takes pairs of columns: two chains that
// start at zero, of the even columns and of the odd ones, each a fused multiply-add a pair; then their sum; then acc plus
// that. Each rounds once, ties to even, takes denormals for zero and leaves none, as tiles do: what is lost is less than
// 2⁻¹²⁶ by the other factor, for each product. Last the bias, an ordinary addition. Rows whose length is no multiple of 32
// are taken as padded with zeros.
//
// Of a number that is infinite or NaN p₁ and p₂ are zero. Parts that are zero make NaN with a weight that is infinite,
// where the product would be infinite.
func blockPartsGeneric(p *Product, n0, n1, parts int) {
	k := ceilDiv(p.X.Cols, tileCols) * tileCols
	x, w := make([][]uint16, parts), make([]uint16, k)
	for i := range x {
		x[i] = make([]uint16, k)
	}
	for t := range p.X.Rows {
		for i, v := range p.X.Row(t) {
			splitGeneric(x, i, v)
		}
		for n := n0; n < n1; n++ {
			copy(w, as[uint16](p.W.RowRange(n, n+1).Data))
			y := dotPartsGeneric(x, w)
			if p.Bias != nil {
				y += p.Bias[n]
			}
			p.Dst.Row(t)[n] = y
		}
	}
}

// splitGeneric cuts v into parts, element i of each row of x.
func splitGeneric(x [][]uint16, i int, v float32) {
	if len(x) == 1 {
		narrowBF16Generic(x[0][i:i+1], []float32{v})
		return
	}
	for _, part := range x {
		bits := math.Float32bits(v)
		if v != v {
			bits |= 0x00400000 // quiet, also where only lower bits say that it is none
		}
		part[i] = uint16(bits >> 16)
		if v -= math.Float32frombits(bits &^ 0xffff); v != v {
			v = 0
		}
	}
}

func dotPartsGeneric(x [][]uint16, w []uint16) (acc float32) {
	for k := 0; k < len(w); k += tileCols {
		for _, part := range x {
			var even, odd float32
			for i := k; i < k+tileCols; i += 2 {
				even, odd = fmaBF16(w[i], part[i], even), fmaBF16(w[i+1], part[i+1], odd)
			}
			acc = flushed(acc + flushed(even+odd))
		}
	}
	return acc
}
