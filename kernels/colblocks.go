package kernels

import (
	"fmt"
	"unsafe"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// ColBlock is the width of a block of a [ColBlocks].
const ColBlock = 16

// ColBlocks is a matrix whose columns stand in blocks of ColBlock, as attention keeps keys (a column for each position) and
// values (a column for each element of a head): element (k, n) lies at k·Row + n/16·Block + n%16 of F32 or of F16, the
// IEEE halves, whichever is set. Ahead are AheadBytes that are read soon: the product brings them into the caches.
type ColBlocks struct {
	F32        []float32
	F16        []uint16
	Row, Block int
	Ahead      uintptr
	AheadBytes int
}

func (p *ColBlocks) check(op string, k, blocks int) {
	have := len(p.F32)
	if p.F16 != nil {
		have = len(p.F16)
	}
	if k > 0 && blocks > 0 && (p.Row < 0 || p.Block < 0 || have < (k-1)*p.Row+blocks*p.Block-p.Block+ColBlock) {
		panic(fmt.Sprintf("kernels.%s: matrix of %d elements, rows %d and blocks %d apart, want [%d, %d·16]", op, have, p.Row, p.Block, k, blocks))
	}
}

// MulColBlocks computes dst[r][n] = Σ_k a[r][k]·b[k][n], or adds that sum to dst where more is set, for a of [R,K] and dst of
// [R, a multiple of 16]. Every output is one chain of multiply-adds with k ascending: bits depend neither on R nor on
// the number of columns, and cutting k into several calls gives the same. dst must not overlap a or b.
func (o *Ops) MulColBlocks(dst, a tensor.Mat, b ColBlocks, more bool) {
	blocks := dst.Cols / ColBlock
	if dst.Rows != a.Rows || dst.Cols%ColBlock != 0 {
		panic(fmt.Sprintf("kernels.MulColBlocks: dst [%d %d], a [%d %d]", dst.Rows, dst.Cols, a.Rows, a.Cols))
	}
	checkMat("MulColBlocks", dst)
	checkMat("MulColBlocks", a)
	b.check("MulColBlocks", a.Cols, blocks)
	if blocks == 0 || dst.Rows == 0 {
		return
	}
	if o.p.cols[0][1] == nil || a.Cols == 0 {
		colsGeneric(dst, a, &b, more)
		return
	}
	o.colsTiles(dst, a, &b, more)
}

// colsTiles cuts the rows into tiles of the kernels' heights.
func (o *Ops) colsTiles(dst, a tensor.Mat, b *ColBlocks, more bool) {
	kernels, p, size := &o.p.cols[0], unsafe.Pointer(unsafe.SliceData(b.F32)), 4
	if b.F16 != nil {
		kernels, p, size = &o.p.cols[1], unsafe.Pointer(unsafe.SliceData(b.F16)), 2
	}
	add, ahead, left := 0, b.Ahead, b.AheadBytes
	if more {
		add = 1
	}
	for r := 0; r < a.Rows; {
		if left <= 0 {
			ahead = uintptr(p)
		}
		n := ceilDiv(a.Rows-r, ceilDiv(a.Rows-r, colsRows))
		kernels[n](&dst.Data[r*dst.Stride], &a.Data[r*a.Stride], (*byte)(p), dst.Stride*4, a.Stride*4,
			b.Row*size, b.Block*size, a.Cols, dst.Cols/ColBlock, add, ahead)
		r += n
		ahead, left = ahead+uintptr(32*a.Cols), left-32*a.Cols
	}
}

// colsRows is how many rows the largest kernel takes.
const colsRows = 6

// colsFunc multiplies a fixed number of rows; strides, bRow and bBlock are in bytes, k > 0 columns of a, blocks > 0. Every
// second step over k prefetches one line at ahead and moves it on.
type colsFunc func(dst, a *float32, b *byte, dstStride, aStride, bRow, bBlock, k, blocks, more int, ahead uintptr)

func colsGeneric(dst, a tensor.Mat, b *ColBlocks, more bool) {
	for r := range dst.Rows {
		for at := 0; at < dst.Cols; at += ColBlock {
			out := dst.Row(r)[at : at+ColBlock]
			if !more {
				clear(out)
			}
			for k, w := range a.Row(r) {
				from := k*b.Row + at/ColBlock*b.Block
				if b.F16 == nil {
					axpyGeneric(out, w, b.F32[from:from+ColBlock])
					continue
				}
				for i, h := range b.F16[from : from+ColBlock] {
					out[i] += float32(w * halfToF32(h))
				}
			}
		}
	}
}
