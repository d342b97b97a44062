package model

import (
	"math"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// attention fills st.branch with O · softmax(q·kᵀ/√D) · v, every token of a text seeing every other, or those of its window.
func (e *Encoder) attention(st *encoderState, i int, x tensor.Mat) {
	w := &e.weights.Layers[i]
	st.prod = [3]kernels.Product{
		{Dst: st.q, X: x, W: w.Q.W, Bias: w.Q.Bias},
		{Dst: st.k, X: x, W: w.K.W, Bias: w.K.Bias},
		{Dst: st.v, X: x, W: w.V.W, Bias: w.V.Bias},
	}
	st.eng.MatMul(st.prod[:]...)
	st.attn.run(st, e.spec, &e.spec.Layers[i])
	st.prod[0] = kernels.Product{Dst: st.branch, X: st.mixed, W: w.O.W, Bias: w.O.Bias}
	st.eng.MatMul(st.prod[:1]...)
}

// encoderAttnJob turns q and k by the rotary embedding, where there is one, and attends. A chunk owns some tokens of
// one head.
type encoderAttnJob struct {
	st     *encoderState
	spec   *EncoderSpec
	layer  *EncoderLayer
	rope   *ropeTable // not nil: this region turns q and k
	scores [][]float32
}

const encoderTile = 16 // tokens of a chunk

func (j *encoderAttnJob) run(st *encoderState, s *EncoderSpec, l *EncoderLayer) {
	j.st, j.spec, j.layer = st, s, l
	tiles := (len(st.ids) + encoderTile - 1) / encoderTile
	if l.Rope != nil {
		j.rope = st.table(l.Rope)
		st.eng.Run(tiles, j)
		j.rope = nil
	}
	for len(j.scores) < st.eng.Threads() {
		j.scores = append(j.scores, nil)
	}
	st.eng.Run(tiles*s.Heads, j)
}

// table covers the positions of the batch.
func (st *encoderState) table(r *Rope) *ropeTable {
	if st.ropes == nil {
		st.ropes = map[*Rope]*ropeTable{}
	}
	t := st.ropes[r]
	if t == nil {
		t = newRopeTable(r, 1)
		st.ropes[r] = t
	}
	longest := 0
	for _, n := range st.length {
		longest = max(longest, int(n))
	}
	t.grow(longest)
	return t
}

// Do implements kernels.Job.
func (j *encoderAttnJob) Do(worker, chunk int) {
	tile, head := chunk, 0
	if j.rope == nil {
		tile, head = chunk/j.spec.Heads, chunk%j.spec.Heads
	}
	for t := tile * encoderTile; t < min((tile+1)*encoderTile, len(j.st.ids)); t++ {
		if j.rope != nil {
			j.turn(t)
		} else {
			j.attend(worker, t, head)
		}
	}
}

func (j *encoderAttnJob) turn(t int) {
	cos, sin := j.rope.at(int(j.st.pos[t]))
	for _, row := range [][]float32{j.st.q.Row(t), j.st.k.Row(t)} {
		for h := 0; h < len(row); h += j.spec.HeadDim {
			j.st.eng.Ops().Rope(row[h:h+j.spec.HeadDim], cos, sin)
		}
	}
}

// attend is one query of one head over the keys of its text from the first to the last that it sees.
func (j *encoderAttnJob) attend(worker, t, head int) {
	st, d := j.st, j.spec.HeadDim
	lo, hi := 0, int(st.length[t])
	if w := j.layer.Window; w > 0 {
		lo, hi = max(int(st.pos[t])-w, 0), min(int(st.pos[t])+w+1, hi)
	}
	if cap(j.scores[worker]) < hi-lo {
		j.scores[worker] = make([]float32, 2*(hi-lo))
	}
	p, at := j.scores[worker][:hi-lo], int(st.first[t])+lo
	ops, out := st.eng.Ops(), st.mixed.Row(t)[head*d:(head+1)*d]
	ops.AttnScores(p, st.q.Row(t)[head*d:(head+1)*d], st.k.Data[at*st.k.Stride+head*d:], st.k.Stride, float32(1/math.Sqrt(float64(d))))
	sum := ops.ExpSum(p, ops.Max(p))
	clear(out)
	ops.AttnMix(out, p, st.v.Data[at*st.v.Stride+head*d:], st.v.Stride)
	ops.Scale(out, 1/sum)
}
