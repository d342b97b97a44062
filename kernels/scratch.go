package kernels

import "unsafe"

// scratch is the private memory of one worker, allocated once.
type scratch struct {
	generic  *scratchGeneric
	w        []float32 // a block of weight rows in f32
	wTail    []float32 // the last, incomplete lanes of weight rows, padded with zeros
	xTail    []float32 // the same of the rows of X
	acc      []float32 // lane accumulators of a block
	gate, up []float32 // GatedBlock's products
	args     *tileArgs
}

func newScratch(l *level) scratch {
	s := scratch{gate: aligned(gatedRows * gatedCols), up: aligned(gatedRows * gatedCols)}
	if l.mat.reduce == nil {
		s.generic = new(scratchGeneric)
		return s
	}
	s.allocTiles(&l.mat)
	return s
}

// aligned makes n floats that start at a multiple of 64 bytes.
func aligned(n int) []float32 {
	b := make([]float32, n+16)
	skip := int(-uintptr(unsafe.Pointer(&b[0]))&63) / 4
	return b[skip : skip+n : skip+n]
}
