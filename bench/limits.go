package bench

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/model"
)

// Limits is what a machine can do at most with one level and number of threads; 0 where it lacks the instruction.
type Limits struct {
	Read float64 // GB/s from memory
	F32  float64 // GFLOP/s of multiply-adds, each counted as 2
	BF16 float64 // the same of the bf16 dot product
	Int8 float64 // GOP/s of the int8 dot product
}

// Best is the better of each.
func (l Limits) Best(o Limits) Limits {
	return Limits{max(l.Read, o.Read), max(l.F32, o.F32), max(l.BF16, o.BF16), max(l.Int8, o.Int8)}
}

// peak is the rate of one kind of arithmetic in operations per second.
func (l Limits) peak(a model.Arith) float64 {
	return [model.NumAriths]float64{model.F32: l.F32, model.Int8: l.Int8, model.BF16: l.BF16}[a] * 1e9
}

// ReadBytes is the buffer that the memory limit is measured with: weights of a model that is worth measuring do not fit the
// caches, so the buffer must not either. On a virtual machine with a third-level cache of 480 MiB, shared with neighbours,
// two threads read 64 MiB at 50 GB/s and everything from 128 MiB to 2 GiB at the same 30 GB/s: 1 GiB is far on the flat side
// there, and over any cache that a CPU has today but the largest. It is ordinary memory of the process, in pages of the same
// size as weights have.
const ReadBytes = 1 << 30

// Meter measures limits. It keeps one buffer, so that measuring again costs a fraction of a second.
type Meter struct {
	bytes int
	buf   *kernels.ReadBuffer
}

// NewMeter makes a meter that reads a buffer of so many bytes; 0 means ReadBytes.
func NewMeter(bytes int) *Meter {
	if bytes == 0 {
		bytes = ReadBytes
	}
	return &Meter{bytes: bytes}
}

// Measure takes all limits of an engine.
func (m *Meter) Measure(e *kernels.Engine) Limits {
	if m.buf == nil {
		m.buf = kernels.NewReadBuffer(m.bytes)
	}
	return Limits{Read: m.buf.Bandwidth(e), F32: kernels.PeakF32(e)}
}
