package kernels

import (
	"math"
	"time"
)

// peakKernels measure what the machine can do at most; nil for generic.
type peakKernels struct {
	f32   func(n int) // n rounds of independent multiply-adds in registers
	flops int         // floating-point operations of a round
	read  func(p *byte, n int)
	i8    func(n int) // the same of dot products of bytes
	ops   int         // integer operations of a round
}

// PeakF32 measures the f32 multiply-add rate of the engine's level with all its threads, in GFLOP/s (a multiply-add
// counts as 2): independent multiply-adds in registers, best of several short runs. It takes about 60 ms. On generic it is what
// a Go loop of eight chains reaches.
func PeakF32(e *Engine) float64 {
	j := &peakJob{e: e}
	return best(e, j, 8*e.Threads(), 20, float64(peakRounds)*float64(j.flops())*float64(8*e.Threads()))
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
	peakRounds = 1 << 13      // of the kernel: about 20 µs a call
	readChunk  = 256 << 10    // bytes of a call, about as long
	peakLanes  = 8            // of the Go loop
	tiny       = float32(0.5) // keeps the Go loop's sums finite
)

type peakJob struct{ e *Engine }

func (j *peakJob) flops() int {
	if j.e.level.peak.f32 == nil {
		return 2 * peakLanes
	}
	return j.e.level.peak.flops
}

func (j *peakJob) Do(int, int) {
	if f := j.e.level.peak.f32; f != nil {
		f(peakRounds)
		return
	}
	var acc [8]float32
	w := [8]float32{tiny, tiny, tiny, tiny, tiny, tiny, tiny, tiny}
	for range peakRounds {
		dotLanes(&acc, w[:], w[:])
	}
}

type readJob struct {
	e   *Engine
	buf []byte
}

func (j *readJob) Do(_, chunk int) {
	b := j.buf[chunk*readChunk : (chunk+1)*readChunk]
	if f := j.e.level.peak.read; f != nil {
		f(&b[0], len(b))
		return
	}
	readGeneric(as[uint64](b))
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
