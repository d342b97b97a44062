package kernels

import (
	"math"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// scratch is the private memory of one worker, allocated once.
type scratch struct {
	generic  *scratchGeneric
	w        []float32 // [colGroup][wStride] rows of an incomplete group
	wide     []float32 // [subCols][depth] weights widened to f32
	wTail    []float32 // [streamCols][lanes] the last, incomplete register of weight rows
	xTail    []float32 // [blockRows][lanes] the same of rows of X
	acc      []float32 // [subCols·blockRows][lanes] accumulators
	narrow   []float32 // [blockRows][colGroup] outputs of an incomplete group, or [rows][streamCols] of streams
	noBias   []float32 // [streamCols] -0, which changes no sum
	gate, up []float32 // [gatedRows][gatedCols] the two products of GatedBlock
	half     []uint16  // [blockRows][K and padding] X rounded to bfloat16; grows to the longest row
	rounded  []float32 // [blockRows][K] the same widened again
	args     *tileArgs
	lane     *laneArgs
	task     *panelTask
	packed   packedArgs
	pairs    [2]pairBuffer
	sums     [2]tensor.Mat // [packedRows][16] of a pair
	room     tileRoom
	tiles    tilesArgs
	xq       QuantRows // of a block whose X comes unquantised
	panel    []float32 // [packedRows][16] outputs of a panel that is not whole

	laneStack []float32 // [laneLevels][tiles of a call][laneTile]
	lanePanel []float32 // weights of the panels of a chunk, transposed; grows to the longest row

	parts scratchParts
}

func newScratch(l *level) scratch {
	s := scratch{
		gate: aligned(gatedRows * gatedCols), up: aligned(gatedRows * gatedCols),
		panel: aligned(packedRows * panelRows), task: new(panelTask),
	}
	if l.mat.lanes == 0 {
		s.generic = new(scratchGeneric)
		return s
	}
	if l.packed.pair != nil {
		s.pairs = [2]pairBuffer{newPairBuffer(), newPairBuffer()}
		for i := range s.sums {
			s.sums[i] = tensor.MatOf(aligned(packedRows*panelRows), packedRows, panelRows)
		}
	}
	if l.packed.room {
		s.room = newTileRoom()
	}
	s.allocTiles(&l.mat)
	if l.mat.parts.turn != nil {
		s.parts = newScratchParts()
	}
	return s
}

func (s *scratch) allocTiles(m *matKernels) {
	s.w = aligned(colGroup * wStride)
	s.wide = aligned(subCols * depth)
	s.wTail = aligned(streamCols * m.lanes)
	s.xTail = aligned(blockRows * m.lanes)
	s.acc = aligned(max(subCols*blockRows, streamCols*m.rows) * m.lanes)
	s.narrow = aligned(max(blockRows*colGroup, streamTiles*m.rows*streamCols))
	s.noBias = aligned(streamCols)
	for i := range s.noBias {
		s.noBias[i] = float32(math.Copysign(0, -1))
	}
	s.args = new(tileArgs)
	if m.lane.packX != nil {
		s.lane, s.laneStack = new(laneArgs), aligned(laneLevels*laneTiles*laneTile)
	}
}

// aligned makes n floats that start at a multiple of 64 bytes.
func aligned(n int) []float32 {
	b := make([]float32, n+16)
	skip := int(-uintptr(unsafe.Pointer(&b[0]))&63) / 4
	return b[skip : skip+n : skip+n]
}
