package kernels

// AttnScores computes dst[j] = scale · Σ_d q[d]·k[j·stride+d] for every j < len(dst): one query against keys that lie
// stride elements apart. The sum over d runs in the lanes of the level; dst[j] does not depend on len(dst).
func (o *Ops) AttnScores(dst, q, k []float32, stride int, scale float32) {
	if len(dst) > 0 && (stride < 0 || len(k) < (len(dst)-1)*stride+len(q)) {
		panic("kernels.AttnScores: k is too short")
	}
	o.p.attnScores(dst, q, k, stride, scale)
}

// AttnMix computes acc[d] += Σ_j p[j]·v[j·stride+d] for every d < len(acc), j ascending: values that lie stride
// elements apart, weighted by p. Cutting j into several calls gives the same bits.
func (o *Ops) AttnMix(acc, p, v []float32, stride int) {
	if len(p) > 0 && (stride < 0 || len(v) < (len(p)-1)*stride+len(acc)) {
		panic("kernels.AttnMix: v is too short")
	}
	o.p.attnMix(acc, p, v, stride)
}

func attnScoresGeneric(dst, q, k []float32, stride int, scale float32) {
	for j := range dst {
		dst[j] = scale * dotGeneric(q, k[j*stride:j*stride+len(q)])
	}
}

func attnMixGeneric(acc, p, v []float32, stride int) {
	for j, w := range p {
		axpyGeneric(acc, w, v[j*stride:j*stride+len(acc)])
	}
}
