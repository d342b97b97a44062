package moe

import (
	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// State is the scratch of one forward pass; layers share it. It grows to the largest call met and is used again. The
// zero value works. After a call Routing is that of the last layer.
type State struct {
	Routing Routing
	parts   parts
	plan    Plan
	units   []unit

	gathering gatherJob
	up        upJob
	down      downJob
	last      lastJob
	combine   combineJob

	gather, outer          buffer // [N,H] rows in expert order: input and output
	inner, aux             buffer // [N,I]
	shared                 buffer // [T,H]
	sharedInner, sharedAux buffer // [T,I of the shared expert]
	sigma                  buffer // [T,1] or [T,2]
	prod                   [1]kernels.Product
}

// buffer is a matrix over memory that is kept.
type buffer struct {
	data []float32
	last tensor.Mat
}

// mat makes the buffer a matrix [rows, cols] of unspecified content.
func (b *buffer) mat(rows, cols int) tensor.Mat {
	b.data = sized(b.data, rows*cols)
	b.last = tensor.MatOf(b.data, rows, cols)
	return b.last
}
