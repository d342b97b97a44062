package model

import (
	"context"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// state is the scratch of one forward pass. It grows to the largest batch met and is used again, so that a decode step
// allocates nothing. T is the number of tokens of the batch.
type state struct {
	eng *kernels.Engine
	ctx context.Context

	// One entry a token.
	ids  []int32     // [T]
	pos  []int32     // [T] position in its sequence
	seqs []*Sequence // [T]
	past [][]int32   // [T] ids that its sequence held before
	cos  [][]float32 // [T] of Dim/2
	sin  [][]float32

	x      tensor.Mat // [T,H] the residual stream
	normed tensor.Mat // [T,H] input of a branch
	branch tensor.Mat // [T,H] output of a branch
	q      tensor.Mat // [T, heads·D]
	k, v   tensor.Mat // [T, kv heads·D]
	mixed  tensor.Mat // [T, heads·D]
	logits tensor.Mat // [spans that want one row, V]

	layout layout // of the cache
	attn   attnJob
	rows   rowJob
	head   headJob
	moe    moe.State
	bufs   map[*tensor.Mat][]float32
	watch  moe.Observer
	hook   moe.Hook // watch, where it is one
	view   moe.View

	runs     []gateRun // tokens by the gate that they follow
	partList []moe.Part

	prod [3]kernels.Product
}

// begin sizes everything for a batch.
func (st *state) begin(m *Model, b Batch) {
	st.ids, st.pos, st.seqs = st.ids[:0], st.pos[:0], st.seqs[:0]
	st.cos, st.sin = st.cos[:0], st.sin[:0]
	st.past, st.runs = st.past[:0], st.runs[:0]
	for i := range b {
		st.add(m, &b[i])
	}
	t, h := len(st.ids), m.spec.Hidden
	st.size(&st.x, t, h)
	st.size(&st.normed, t, h)
	st.size(&st.branch, t, h)
}

// add lists the tokens of one span, each with its place.
func (st *state) add(m *Model, sp *Span) {
	start := sp.Seq.Len()
	sp.Seq.reserve(start + len(sp.Tokens))
	table := m.ropeTable(sp.Seq.plan, start+len(sp.Tokens))
	st.follow(m, len(st.ids), len(st.ids)+len(sp.Tokens), sp.Gate)
	for i, id := range sp.Tokens {
		cos, sin := table.at(start + i)
		st.ids = append(st.ids, id)
		st.pos = append(st.pos, int32(start+i))
		st.seqs = append(st.seqs, sp.Seq)
		st.past = append(st.past, sp.Seq.tokens)
		st.cos, st.sin = append(st.cos, cos), append(st.sin, sin)
	}
}

// size makes m a matrix [rows, cols] over memory that is kept between calls.
func (st *state) size(m *tensor.Mat, rows, cols int) {
	buf := st.bufs[m]
	if cap(buf) < rows*cols {
		buf = kernels.Room(rows * cols)
		if st.bufs == nil {
			st.bufs = map[*tensor.Mat][]float32{}
		}
		st.bufs[m] = buf
	}
	*m = tensor.MatOf(buf[:rows*cols], rows, cols)
}
