package bench

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// buildScores multiplies queries of one head with its keys, in the layout of the cache: [positions/16][D][16].
func buildScores(e *kernels.Engine, dtype string, rows int, _ bool) kernelCase {
	p := blocksOf(e, dtype, kernels.ColBlock, kernels.ColBlock*headWidth)
	c := blocksCase(e, p, rows, headWidth, positions)
	c.shape = fmt.Sprintf("[%d %d]·[%d %d]ᵀ", rows, headWidth, positions, headWidth)
	return c
}

// buildMix multiplies probabilities with the values of one head: [positions][D].
func buildMix(e *kernels.Engine, dtype string, rows int, _ bool) kernelCase {
	p := blocksOf(e, dtype, headWidth, kernels.ColBlock)
	c := blocksCase(e, p, rows, positions, headWidth)
	c.shape = fmt.Sprintf("[%d %d]·[%d %d]", rows, positions, positions, headWidth)
	return c
}

// blocksOf is a random matrix of positions·headWidth elements.
func blocksOf(e *kernels.Engine, dtype string, row, block int) kernels.ColBlocks {
	p := kernels.ColBlocks{F32: randomMat(positions, headWidth).Data, Row: row, Block: block}
	if dtype == "f16" {
		p.F16 = make([]uint16, len(p.F32))
		e.Ops().NarrowF16(p.F16, p.F32)
		p.F32 = nil
	}
	return p
}

// attnTile is how many rows one call takes, as attention does.
const attnTile = 24

// blocksCase is the product [rows,k]·[k,n], rows in tiles that the threads share out.
func blocksCase(e *kernels.Engine, p kernels.ColBlocks, rows, k, n int) kernelCase {
	a, dst := randomMat(rows, k), tensor.NewMat(rows, n)
	bytes := 4*len(p.F32) + 2*len(p.F16)
	do := func(i int) {
		from, to := i*attnTile, min((i+1)*attnTile, rows)
		e.Ops().MulColBlocks(dst.Slice(from, to), a.Slice(from, to), p, false)
	}
	tiles := (rows + attnTile - 1) / attnTile
	return kernelCase{
		ops: 2 * float64(rows*k*n), bytes: float64(bytes + 4*len(a.Data) + 4*len(dst.Data)), footprint: bytes + 4*len(a.Data) + 4*len(dst.Data),
		serial: tiles == 1, run: overRows(e, tiles, do),
	}
}
