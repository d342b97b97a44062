package kernels

import (
	"math"
	"time"
)

// peakKernels measure what the machine can do at most; nil for generic.
type peakKernels struct {
	f32   func(n int) // n rounds of independent multiply-adds in registers
	flops int         // floating-point operations of a round
	bf16  func(n int) // the same of bf16 dot products, twice the operations; nil where the CPU has none
	read  func(p *byte, n int)
	i8    func(n int) // the same of dot products of bytes
	ops   int         // integer operations of a round

	tilesI8   func(n int) // n rounds of 4 products of whole tiles of bytes; nil where the level has none
	tilesBF16 func(n int) // n rounds of 4 products of whole tiles of bf16; nil where the level has none
}

// PeakF32 measures the f32 multiply-add rate of the engine's level with all its threads, in GFLOP/s (a multiply-add
// counts as 2): independent multiply-adds in registers, of numbers that vary, best of several short runs. It takes about 60 ms. On generic it is what
// a Go loop of eight chains reaches.
func PeakF32(e *Engine) float64 {
	j := &peakJob{f: e.level.peak.f32}
	return best(e, j, 8*e.Threads(), 20, float64(peakRounds)*float64(e.level.peak.rounds())*float64(8*e.Threads()))
}

// PeakBF16 is [PeakF32] of the bf16 dot product, 0 where the level or the CPU has none.
func PeakBF16(e *Engine) float64 {
	p := &e.level.peak
	if p.bf16 == nil {
		return 0
	}
	return best(e, &peakJob{f: p.bf16}, 8*e.Threads(), 20, float64(peakRounds)*float64(2*p.flops)*float64(8*e.Threads()))
}

// PeakTilesBF16 is [PeakF32] of the products of bf16 tiles, 0 where the level has none. Products of f32 activations take
// three of them (see parts.go).
func PeakTilesBF16(e *Engine) float64 {
	f := e.level.peak.tilesBF16
	if f == nil {
		return 0
	}
	const flops, slower = 4 * 2 * tileRows * tileRows * tileCols, 8
	j := &peakJob{f: func(n int) { f(n / slower) }}
	return best(e, j, 8*e.Threads(), 20, float64(peakRounds/slower)*flops*float64(8*e.Threads()))
}

// BF16Pays says whether products with BF16 weights are faster with [Options].BF16: with tiles, which then have a third
// of the work, or where this CPU's bf16 dot product outruns its f32 multiply-add. That it measures on the calling
// goroutine, which takes some tens of microseconds.
func BF16Pays(e *Engine) bool {
	p := &e.level.peak
	if p.tilesBF16 != nil {
		return true
	}
	return p.bf16 != nil && 2*shortest(p.f32) > shortest(p.bf16)
}

// shortest is the best time of a few short runs.
func shortest(f func(n int)) time.Duration {
	least := time.Duration(math.MaxInt64)
	for range payRuns {
		start := time.Now()
		f(payRounds)
		least = min(least, time.Since(start))
	}
	return least
}

// ReadBandwidth measures how fast all threads of the engine together read a buffer of so many bytes from memory, in
// GB/s (10⁹ bytes), best of several passes. The buffer should be much larger than the caches; it is allocated and
// written for the measurement.
func ReadBandwidth(e *Engine, bytes int) float64 {
	return NewReadBuffer(bytes).Bandwidth(e)
}

// best is the highest rate of several runs, in units of 10⁹ per second.
func best(e *Engine, j Job, chunks, runs int, work float64) float64 {
	least := math.Inf(1)
	for range runs {
		start := time.Now()
		e.Run(chunks, j)
		least = min(least, time.Since(start).Seconds())
	}
	return work / least / 1e9
}

const (
	peakRounds    = 1 << 13      // of the kernel: about 20 µs a call
	readChunk     = 256 << 10    // bytes of a call, about as long
	peakLanes     = 8            // of the Go loop
	genericRounds = 128          // of the Go loop in a call
	payRounds     = 256          // of BF16Pays: about a microsecond
	payRuns       = 8            //
	tiny          = float32(0.5) // keeps the Go loop's sums finite
)

// rounds is how many operations a round of f32 takes.
func (p *peakKernels) rounds() int {
	if p.f32 == nil {
		return 2 * peakLanes
	}
	return p.flops
}

type peakJob struct{ f func(n int) } // nil: the Go loop

// Do of generic runs the loop of its products over numbers in the first-level cache.
func (j *peakJob) Do(int, int) {
	if j.f != nil {
		j.f(peakRounds)
		return
	}
	var acc [peakLanes]float32
	var w [peakLanes * genericRounds]float32
	for i := range w {
		w[i] = tiny
	}
	for range peakRounds / genericRounds {
		dotLanes(&acc, w[:], w[:])
	}
}

// readGeneric reads every cache line.
//
//go:noinline
func readGeneric(b []uint64) (sum uint64) {
	for i := 0; i < len(b); i += 8 {
		sum |= b[i]
	}
	return sum
}
