package kernels

// blockGeneric is the specification of a product: dst[t,n] = tree(lanes of Σ_k w[n,k]·x[t,k]) + bias[n]. The weight
// row is widened piece by piece and shared by the rows of a block.
func blockGeneric(s *scratch, p *Product, n0, n1 int) {
	f, kk := p.W.format(), p.W.Cols
	for t0 := 0; t0 < p.X.Rows; t0 += rowsGeneric {
		rows := min(rowsGeneric, p.X.Rows-t0)
		for n := n0; n < n1; n++ {
			row := p.W.RowRange(n, n+1).Data
			acc := s.generic.acc[:rows]
			clear(acc)
			for k := 0; k < kk; k += depthGeneric {
				w := s.generic.w[:min(depthGeneric, kk-k)]
				size := p.W.DType.Size()
				widenGeneric(w, row[k*size:(k+len(w))*size], f)
				for t := range acc {
					dotLanes(&acc[t], w, p.X.Row(t0 + t)[k:k+len(w)])
				}
			}
			for t := range acc {
				y := sumLanes(&acc[t])
				if p.Bias != nil {
					y += p.Bias[n]
				}
				p.Dst.Row(t0 + t)[n] = y
			}
		}
	}
}

const (
	rowsGeneric  = 64
	depthGeneric = 512 // a multiple of the lanes
)

type scratchGeneric struct {
	w   [depthGeneric]float32
	acc [rowsGeneric][8]float32
}
