package kernels

const (
	colGroup     = 4  // weight rows that a tile kernel takes at once
	tileMultiple = 12 // chunks of rows are multiples of every tile height
)

// matKernels are the matrix kernels of a level; all nil for generic.
type matKernels struct {
	reduce func()
}

type peakKernels struct{}

type tileArgs struct{}

func (m *matKernels) maxRows() int { return rowsGeneric }

func (s *scratch) allocTiles(*matKernels) {}

func (e *Engine) blockTiled(worker int, p *Product, n0, n1 int) {}
