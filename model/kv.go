package model

import (
	"unsafe"

	"github.com/seed2fbf7788/switchyard/kernels"
)

// kvBlock is how many positions share a block of keys.
const kvBlock = kernels.ColBlock

// kvHead is where a KV head of a layer lies in a page, both parts in blocks of columns:
//
//	keys   [pageTokens/16][D][16]: a query times keys gives the scores of 16 positions side by side
//	values [pageTokens][D rounded up to 16]: probabilities times values give 16 elements side by side
type kvHead struct {
	keys, values int // first elements
	dim, wide    int // D, and D rounded up
}

// head places KV head h of a layer whose part of a page begins at offset.
func (s *Attention) head(offset, h int) kvHead {
	wide := roundUp(s.HeadDim, kernels.ColBlock)
	return kvHead{
		keys:   offset + h*pageTokens*s.HeadDim,
		values: offset + s.KVHeads*pageTokens*s.HeadDim + h*pageTokens*wide,
		dim:    s.HeadDim, wide: wide,
	}
}

// CacheWidth: a key and a value for each KV head.
func (a *gqa) CacheWidth() int {
	return a.spec.KVHeads * (a.spec.HeadDim + roundUp(a.spec.HeadDim, kernels.ColBlock))
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// kvView is a KV head in one page.
type kvView struct {
	kvHead
	f32 []float32 // one of the two is nil
	f16 []uint16
}

// in looks at the head in a page, of halves or not.
func (h kvHead) in(p page, half bool) kvView {
	if half {
		return kvView{kvHead: h, f16: p.halves()}
	}
	return kvView{kvHead: h, f32: p}
}

// keys of the page from block c on.
func (v *kvView) keys(c int) kernels.ColBlocks {
	block := kvBlock * v.dim
	return v.matrix(v.kvHead.keys+c*block, v.kvHead.keys+pageTokens*v.dim, kvBlock, block)
}

// values of the page from position j on.
func (v *kvView) values(j int) kernels.ColBlocks {
	return v.matrix(v.kvHead.values+j*v.wide, v.kvHead.values+pageTokens*v.wide, v.wide, kvBlock)
}

// ahead makes a product bring another matrix near while it computes.
func ahead(b kernels.ColBlocks, next *kernels.ColBlocks) kernels.ColBlocks {
	if next.F16 != nil {
		b.Ahead, b.AheadBytes = uintptr(unsafe.Pointer(unsafe.SliceData(next.F16))), 2*len(next.F16)
	} else {
		b.Ahead, b.AheadBytes = uintptr(unsafe.Pointer(unsafe.SliceData(next.F32))), 4*len(next.F32)
	}
	return b
}

func (v *kvView) matrix(from, to, row, block int) kernels.ColBlocks {
	if v.f16 != nil {
		return kernels.ColBlocks{F16: v.f16[from:to], Row: row, Block: block}
	}
	return kernels.ColBlocks{F32: v.f32[from:to], Row: row, Block: block}
}

// put stores the key and the value [D] of position at of the page; word is room for D halves.
func (v *kvView) put(ops *kernels.Ops, at int, key, value []float32, word []uint16) {
	k := v.kvHead.keys + at/kvBlock*kvBlock*v.dim + at%kvBlock
	to := v.kvHead.values + at*v.wide
	if v.f16 == nil {
		scatter(v.f32[k:], key)
		copy(v.f32[to:to+v.dim], value)
		return
	}
	ops.ClampF16(word, key)
	scatter(v.f16[k:], word)
	ops.ClampF16(v.f16[to:to+v.dim], value)
}

// scatter stores x into a block of keys: one element a row.
func scatter[E any](block, x []E) {
	block = block[:(len(x)-1)*kvBlock+1]
	for d, v := range x {
		block[d*kvBlock] = v
	}
}
