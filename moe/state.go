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
	stage   stage
	plan    Plan
	units   []unit

	gathering gatherJob
	up        upJob
	down      downJob
	last      lastJob
	combine   combineJob

	gather, outer buffer            // [N,H] rows in expert order: input and output
	gatherQ       kernels.QuantRows // [N,H] the input as int8
	inner         innerBuffers      // [N,I]
	shared        buffer            // [T,H]
	sharedInner   innerBuffers      // [T,I of the shared expert]
	sigma         buffer            // [T,1] or [T,2]
	prod          [1]kernels.Product

	quant  kernels.QuantRows // [T,H] the call's input as int8
	quants bool              // it holds this call's
}

// begin forgets the input of the last call.
func (s *State) begin() { s.quants = false }

// quantised is the call's input as int8, made once.
func (s *State) quantised(e *kernels.Engine, x tensor.Mat) kernels.QuantRows {
	if !s.quants {
		s.quant.Resize(e, x.Rows, x.Cols)
		e.QuantiseRows(s.quant, x)
		s.quants = true
	}
	return s.quant
}

// buffer is a matrix over memory that is kept.
type buffer struct {
	data []float32
	last tensor.Mat
}

// mat makes the buffer a matrix [rows, cols] of unspecified content.
func (b *buffer) mat(rows, cols int) tensor.Mat {
	if n := rows * cols; cap(b.data) < n {
		b.data = kernels.Room(n)
	}
	b.last = tensor.MatOf(b.data[:rows*cols], rows, cols)
	return b.last
}
