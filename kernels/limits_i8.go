package kernels

// PeakI8 measures the rate of int8 dot products of the engine's level with all its threads, in 10⁹ operations a second
// (a multiply-add counts as 2), in the manner of [PeakF32]: VPDPBUSD or SDOT where the level has it, VPMADDWD and an
// addition on avx2, SMLAL on neon, a Go loop on generic.
func PeakI8(e *Engine) float64 {
	j := &peakI8Job{e: e}
	ops := 2 * len(j.x)
	if e.level.peak.i8 != nil {
		ops = e.level.peak.ops
	}
	return best(e, j, 8*e.Threads(), 20, float64(peakRounds)*float64(ops)*float64(8*e.Threads()))
}

// PeakTilesI8 is the same of products of tiles of bytes, 0 where the level has none. Products with packed weights need a
// scale every 32 k and so leave half of a tile empty.
func PeakTilesI8(e *Engine) float64 {
	f := e.level.peak.tilesI8
	if f == nil {
		return 0
	}
	const ops, slower = 4 * 2 * 16 * 16 * 64, 8 // than a round of PeakI8
	j := &peakJob{f: func(n int) { f(n / slower) }}
	return best(e, j, 8*e.Threads(), 20, float64(peakRounds/slower)*ops*float64(8*e.Threads()))
}

type peakI8Job struct {
	e *Engine
	x [blockDepth]int8
}

func (j *peakI8Job) Do(int, int) {
	if f := j.e.level.peak.i8; f != nil {
		f(peakRounds)
		return
	}
	sum := int32(0)
	for range peakRounds {
		for i, v := range j.x {
			sum += int32(v) * int32(j.x[31-i])
		}
	}
	sinkI8(sum)
}

// sinkI8 keeps the compiler from leaving the loop out.
//
//go:noinline
func sinkI8(int32) {}
