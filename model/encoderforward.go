package model

import (
	"context"
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// encoderState is the scratch of one pass of an encoder; it grows to the largest batch met. T counts the tokens of all texts.
type encoderState struct {
	eng    *kernels.Engine
	ids    []int32
	pos    []int32 // [T] position in its text
	first  []int32 // [T] where its text begins in the batch
	length []int32 // [T] tokens of its text

	x, branch, normed, q, k, v, mixed tensor.Mat

	buf   []float32 // what the matrices lie in
	attn  encoderAttnJob
	norms normJob
	moe   moe.State
	prod  [3]kernels.Product
	ropes map[*Rope]*ropeTable
}

// forward is the way of a batch of texts through the encoder, top to bottom.
func (e *Encoder) forward(ctx context.Context, texts [][]int32) ([]Encoded, error) {
	st := &e.state
	st.begin(e, texts)
	e.embed(st)
	for i := range e.weights.Layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e.layer(st, i)
	}
	if e.spec.PreNorm {
		st.norms.run(st.eng, st.x, st.x, tensor.Mat{}, &e.weights.LastNorm, e.spec.NormEps)
	}
	return e.results(st, texts)
}

func (st *encoderState) begin(e *Encoder, texts [][]int32) {
	st.ids, st.pos, st.first, st.length = st.ids[:0], st.pos[:0], st.first[:0], st.length[:0]
	for _, ids := range texts {
		first := int32(len(st.ids))
		for i := range ids {
			st.pos, st.first, st.length = append(st.pos, int32(i)), append(st.first, first), append(st.length, int32(len(ids)))
		}
		st.ids = append(st.ids, ids...)
	}
	mats := []*tensor.Mat{&st.x, &st.branch, &st.normed, &st.q, &st.k, &st.v, &st.mixed}
	n := len(st.ids) * e.spec.Hidden
	if len(st.buf) < n*len(mats) {
		st.buf = make([]float32, n*len(mats))
	}
	for i, m := range mats {
		*m = tensor.MatOf(st.buf[i*n:], len(st.ids), e.spec.Hidden)
	}
}

// embed adds word, position and token-type rows and normalises: x[t] = norm(Words[id] + Positions[p] + Types[0]).
func (e *Encoder) embed(st *encoderState) {
	w, ops, row := &e.weights, st.eng.Ops(), st.normed.Row(0)
	for t, id := range st.ids {
		x := st.x.Row(t)
		w.Words.Row(x, int(id))
		if w.Types.Rows > 0 {
			w.Types.Row(row, 0)
			ops.Add(x, row)
		}
		if w.Positions.Rows > 0 {
			w.Positions.Row(row, e.position(st, t))
			ops.Add(x, row)
		}
	}
	st.norms.run(st.eng, st.x, st.x, tensor.Mat{}, &w.EmbedNorm, e.spec.NormEps)
}

// position is the row of the position table of token t. RoBERTa counts the tokens that are no padding, from Pad+1.
func (e *Encoder) position(st *encoderState, t int) int {
	if !e.spec.Padded {
		return int(st.pos[t])
	}
	pad := int(e.spec.Pad)
	if st.ids[t] == e.spec.Pad {
		return pad
	}
	n := 0
	for _, id := range st.ids[st.first[t] : t+1] {
		if id != e.spec.Pad {
			n++
		}
	}
	return pad + n
}

// layer adds the attention's and the feed-forward's branch: norm(x + f(x)), or x + f(norm(x)) where norms stand in front.
func (e *Encoder) layer(st *encoderState, i int) {
	w := &e.weights.Layers[i]
	e.attention(st, i, e.before(st, &w.AttnNorm))
	e.after(st, &w.AttnNorm)
	w.FFN.Forward(st.eng, st.branch, e.before(st, &w.FFNNorm), &st.moe)
	e.after(st, &w.FFNNorm)
}

func (e *Encoder) before(st *encoderState, n *Norm) tensor.Mat {
	if !e.spec.PreNorm || n.Weight == nil {
		return st.x
	}
	st.norms.run(st.eng, st.normed, st.x, tensor.Mat{}, n, e.spec.NormEps)
	return st.normed
}

func (e *Encoder) after(st *encoderState, n *Norm) {
	if e.spec.PreNorm {
		n = &Norm{}
	}
	st.norms.run(st.eng, st.x, st.x, st.branch, n, e.spec.NormEps)
}

// results copies what the callers get out of the scratch, and applies the head.
func (e *Encoder) results(st *encoderState, texts [][]int32) ([]Encoded, error) {
	out := make([]Encoded, len(texts))
	row := 0
	for i, ids := range texts {
		h := tensor.NewMat(len(ids), e.spec.Hidden)
		for t := range ids {
			copy(h.Row(t), st.x.Row(row+t))
		}
		row += len(ids)
		for j, v := range h.Data {
			if v-v != 0 {
				return nil, fmt.Errorf("%w: hidden value %d of text %d is %v (damaged weights?)", ErrNumbers, j, i, v)
			}
		}
		out[i].Hidden = h
		if e.spec.Head != nil {
			out[i].Logits = e.classify(st, h)
		}
	}
	return out, nil
}

// classify is the head on one text: Out · norm(act(Dense · pooled)).
func (e *Encoder) classify(st *encoderState, h tensor.Mat) []float32 {
	head, w := e.spec.Head, &e.weights.Head
	pooled := tensor.NewMat(1, h.Cols)
	if head.Mean {
		meanRows(pooled.Row(0), h)
	} else {
		copy(pooled.Row(0), h.Row(0))
	}
	dense := tensor.NewMat(1, h.Cols)
	st.eng.MatMul(kernels.Product{Dst: dense, X: pooled, W: w.Dense.W, Bias: w.Dense.Bias})
	if head.Tanh {
		for i, v := range dense.Data {
			dense.Data[i] = float32(math.Tanh(float64(v)))
		}
	} else {
		st.eng.Ops().Act(dense.Data, dense.Data, head.Act)
	}
	if head.Norm {
		st.eng.Ops().LayerNorm(dense.Row(0), dense.Row(0), w.Norm.Weight, w.Norm.Bias, e.spec.NormEps)
	}
	logits := tensor.NewMat(1, len(head.Labels))
	st.eng.MatMul(kernels.Product{Dst: logits, X: dense, W: w.Out.W, Bias: w.Out.Bias})
	return logits.Data
}

// normJob computes dst = norm(x + add) row by row; no add and no norm weight leave that part out.
type normJob struct {
	e           *kernels.Engine
	dst, x, add tensor.Mat
	norm        *Norm
	eps         float32
}

const (
	normTile   = 8       // rows of a chunk
	serialNorm = 1 << 14 // elements below which a second thread costs more than it saves
)

func (j *normJob) run(e *kernels.Engine, dst, x, add tensor.Mat, n *Norm, eps float32) {
	*j = normJob{e, dst, x, add, n, eps}
	chunks := (x.Rows + normTile - 1) / normTile
	if x.Rows*x.Cols >= serialNorm {
		e.Run(chunks, j)
		return
	}
	for c := range chunks {
		j.Do(0, c)
	}
}

// Do implements kernels.Job.
func (j *normJob) Do(_, chunk int) {
	ops := j.e.Ops()
	for t := chunk * normTile; t < min((chunk+1)*normTile, j.x.Rows); t++ {
		x, dst := j.x.Row(t), j.dst.Row(t)
		if j.add.Rows > 0 {
			ops.Add(x, j.add.Row(t))
		}
		if j.norm.Weight != nil {
			ops.LayerNorm(dst, x, j.norm.Weight, j.norm.Bias, j.eps)
		}
	}
}
