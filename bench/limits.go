package bench

import (
	"errors"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
)

// Limits is what a machine can do at most with one level and number of threads; 0 where it lacks the instruction.
type Limits struct {
	Read float64 // GB/s from memory
	F32  float64 // GFLOP/s of multiply-adds, each counted as 2
	BF16 float64 // the same of the bf16 dot product
	Int8 float64 // GOP/s of the int8 dot product
	Tile float64 // the same of int8 tiles; no fraction is taken of it

	TileBF16 float64 // and of bf16 tiles, in GFLOP/s: products of f32 activations take three of them
}

// Best is the better of each.
func (l Limits) Best(o Limits) Limits {
	return Limits{max(l.Read, o.Read), max(l.F32, o.F32), max(l.BF16, o.BF16), max(l.Int8, o.Int8), max(l.Tile, o.Tile), max(l.TileBF16, o.TileBF16)}
}

// peak is the rate of one kind of arithmetic in operations per second. A level that lacks the instruction does such
// products with multiply-adds of f32.
func (l Limits) peak(a model.Arith) float64 {
	rate := *l.rate(a)
	if rate == 0 {
		rate = l.F32
	}
	return rate * 1e9
}

// rate is the field of a kind of arithmetic.
func (l *Limits) rate(a model.Arith) *float64 {
	return [model.NumAriths]*float64{model.F32: &l.F32, model.Int8: &l.Int8, model.BF16: &l.BF16}[a]
}

// ReadBytes is the buffer that the memory limit is measured with: weights of a model that is worth measuring do not fit the
// caches, so the buffer must not either. On a virtual machine with a third-level cache of 480 MiB, shared with neighbours,
// two threads read 64 MiB at 50 GB/s and everything from 128 MiB to 2 GiB at the same 30 GB/s: 1 GiB is far on the flat side
// there, and over any cache that a CPU has today but the largest. It lies where quantised weights and random ones do, in huge
// pages where the system grants them; with pages of 4 KiB, as mapped files have, the same machine reads an eighth less.
const ReadBytes = 1 << 30

// Meter measures limits. It keeps one buffer, so that measuring again costs a fraction of a second.
type Meter struct {
	bytes int
	sized map[int]*kernels.ReadBuffer // by size
	arena arena
}

// NewMeter makes a meter that reads a buffer of so many bytes; 0 means ReadBytes. Close gives the memory back.
func NewMeter(bytes int) *Meter {
	if bytes == 0 {
		bytes = ReadBytes
	}
	return &Meter{bytes: bytes}
}

// Measure takes all limits of an engine.
func (m *Meter) Measure(e *kernels.Engine) Limits {
	return Limits{Read: m.near(e, m.bytes), F32: m.peak(e, model.F32), BF16: m.peak(e, model.BF16), Int8: m.peak(e, model.Int8),
		Tile: kernels.PeakTilesI8(e), TileBF16: kernels.PeakTilesBF16(e)}
}

// peak measures the rate of one kind of arithmetic; 0 where the level lacks it.
func (m *Meter) peak(e *kernels.Engine, a model.Arith) float64 {
	switch a {
	case model.F32:
		return kernels.PeakF32(e)
	case model.Int8:
		return kernels.PeakI8(e)
	case model.BF16:
		return kernels.PeakBF16(e)
	}
	return 0
}

// near is how fast data is read that goes round in so many bytes: small data comes from the caches, which only a buffer of
// that size can measure.
func (m *Meter) near(e *kernels.Engine, bytes int) float64 {
	size := 4 << 10
	for size < bytes && size < m.bytes {
		size *= 2
	}
	if m.sized == nil {
		m.sized = map[int]*kernels.ReadBuffer{}
	}
	if m.sized[size] == nil {
		m.sized[size] = m.buffer(size)
	}
	return m.sized[size].Bandwidth(e)
}

// buffer makes a buffer of the size; where the system has no more memory to give, of the ordinary kind.
func (m *Meter) buffer(size int) *kernels.ReadBuffer {
	data, err := m.arena.alloc(size)
	if err != nil {
		return kernels.NewReadBuffer(size)
	}
	return kernels.ReadBufferOf(data)
}

// Close frees the buffers.
func (m *Meter) Close() error {
	m.sized = nil
	return m.arena.free()
}

// arena is memory in huge pages that is freed at once.
type arena struct{ frees []func() error }

func (a *arena) alloc(n int) ([]byte, error) {
	data, free, err := loader.Alloc(n)
	if err == nil {
		a.frees = append(a.frees, free)
	}
	return data, err
}

func (a *arena) free() error {
	var errs []error
	for _, f := range a.frees {
		errs = append(errs, f())
	}
	a.frees = nil
	return errors.Join(errs...)
}
