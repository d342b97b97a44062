package kernels

// Dot is Σ a[i]·b[i] in the lanes of the level; the slices must have the same length.
func (o *Ops) Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic("kernels.Dot: len(a) != len(b)")
	}
	return o.p.dot(a, b)
}

// Scale computes dst[i] *= a.
func (o *Ops) Scale(dst []float32, a float32) { o.p.scale(dst, a) }

// Add computes dst[i] += x[i]; dst may be x.
func (o *Ops) Add(dst, x []float32) {
	if len(dst) != len(x) {
		panic("kernels.Add: len(dst) != len(x)")
	}
	o.p.add(dst, x)
}

// Axpy computes dst[i] += a·x[i]; dst may be x.
func (o *Ops) Axpy(dst []float32, a float32, x []float32) {
	if len(dst) != len(x) {
		panic("kernels.Axpy: len(dst) != len(x)")
	}
	o.p.axpy(dst, a, x)
}

// dotLanes continues the sum of one output: lane k mod 8 of acc gains w[k]·x[k], k ascending. This loop is the
// specification of every product and dot of the package.
func dotLanes(acc *[8]float32, w, x []float32) {
	n := len(w) &^ 7
	a0, a1, a2, a3, a4, a5, a6, a7 := acc[0], acc[1], acc[2], acc[3], acc[4], acc[5], acc[6], acc[7]
	for k := 0; k < n; k += 8 {
		w, x := w[k:k+8:k+8], x[k:k+8:k+8]
		a0 += float32(w[0] * x[0])
		a1 += float32(w[1] * x[1])
		a2 += float32(w[2] * x[2])
		a3 += float32(w[3] * x[3])
		a4 += float32(w[4] * x[4])
		a5 += float32(w[5] * x[5])
		a6 += float32(w[6] * x[6])
		a7 += float32(w[7] * x[7])
	}
	*acc = [8]float32{a0, a1, a2, a3, a4, a5, a6, a7}
	for k := n; k < len(w); k++ {
		acc[k&7] += float32(w[k] * x[k])
	}
}

// sumLanes adds the lanes by the tree of the package comment.
func sumLanes(a *[8]float32) float32 {
	return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]))
}

func dotGeneric(a, b []float32) float32 {
	var acc [8]float32
	dotLanes(&acc, a, b)
	return sumLanes(&acc)
}

func sumGeneric(x []float32) float32 {
	var acc [8]float32
	for k, v := range x {
		acc[k&7] += v
	}
	return sumLanes(&acc)
}

// sumSqGeneric is Σ (x[i]-mean)².
func sumSqGeneric(x []float32, mean float32) float32 {
	var acc [8]float32
	for k, v := range x {
		d := v - mean
		acc[k&7] += float32(d * d)
	}
	return sumLanes(&acc)
}

func scaleGeneric(dst []float32, a float32) {
	for i := range dst {
		dst[i] *= a
	}
}

func addGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] += v
	}
}

func axpyGeneric(dst []float32, a float32, x []float32) {
	for i, v := range x {
		dst[i] += float32(a * v)
	}
}
