package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// headJob is the head's product with the work on single rows around it: before it, the wanted rows of the stream are
// normalised and gathered; behind it, logits are divided, checked and brought to who wants them; when the step has
// succeeded, tokens are drawn. A chunk is one row.
type headJob struct {
	m      *Model
	st     *state
	wants  []want
	logits tensor.Mat // [wants,V]
	stage  headStage
	bad    []int32 // [wants] first token whose logit is not finite, or -1
}

type headStage uint8

const (
	headGather headStage = iota
	headCheck
	headDraw
)

// want is a row of logits that a span asks for.
type want struct {
	row, pos int // of the batch; in its sequence
	dst      []float32
	draw     func(logits []float32, top int32) // or nil
	top      int32
}

// head writes the wanted logits: Head · norm(x) + bias, divided by the model's divisor.
func (m *Model) head(st *state, b Batch) error {
	h := &st.head
	h.m, h.st = m, st
	for i, row := 0, 0; i < len(b); i++ { // whole spans, straight into their rows
		row += len(b[i].Tokens)
		if b[i].Out.Rows <= 1 {
			continue
		}
		h.wants = b[i].wants(h.wants[:0], row)
		if err := h.run(b[i].Out); err != nil {
			return err
		}
	}
	h.wants = h.wants[:0]
	for i, row := 0, 0; i < len(b); i++ { // single rows together: the head's weights are read once for many users
		row += len(b[i].Tokens)
		if b[i].Out.Rows == 1 || b[i].Draw != nil {
			h.wants = b[i].wants(h.wants, row)
		}
	}
	if len(h.wants) == 0 {
		return nil
	}
	st.size(&st.logits, len(h.wants), m.spec.Vocab)
	return h.run(st.logits)
}

// wants lists the rows of logits that a span asks for; end is the row of the batch behind its last token.
func (sp *Span) wants(list []want, end int) []want {
	if sp.Draw != nil {
		return append(list, want{row: end - 1, pos: sp.Seq.Len() + len(sp.Tokens) - 1, draw: sp.Draw})
	}
	n := sp.Out.Rows
	for t := range n {
		list = append(list, want{row: end - n + t, pos: sp.Seq.Len() + len(sp.Tokens) - n + t, dst: sp.Out.Row(t)})
	}
	return list
}

// run computes the logits of the wanted rows into a matrix, and copies them to where they are wanted if that is elsewhere.
func (h *headJob) run(logits tensor.Mat) error {
	st, n := h.st, len(h.wants)
	h.logits, h.stage = logits, headGather
	if len(h.bad) < n {
		h.bad = make([]int32, n)
	}
	st.eng.Run(n, h)
	st.prod[0] = kernels.Product{Dst: logits, X: st.normed.Slice(0, n), W: h.m.weights.Head, Bias: h.m.weights.HeadBias}
	st.eng.MatMul(st.prod[:1]...)
	h.stage = headCheck
	st.eng.Run(n, h)
	for i, token := range h.bad[:n] {
		if token >= 0 {
			return fmt.Errorf("%w: logit of token %d at position %d is %v (damaged weights?)", ErrNumbers,
				token, h.wants[i].pos, logits.Row(i)[token])
		}
	}
	return nil
}

// draw calls the spans that draw, with what run has left in the step's own rows.
func (h *headJob) draw() {
	h.stage = headDraw
	for i := range h.wants {
		if h.wants[i].draw != nil {
			h.st.eng.Run(len(h.wants), h)
			break
		}
	}
	clear(h.wants)
	h.wants = h.wants[:0]
}

// Do implements kernels.Job.
func (h *headJob) Do(_, i int) {
	ops, w := h.st.eng.Ops(), &h.wants[i]
	switch h.stage {
	case headGather:
		h.m.normalise(ops, h.st.normed.Row(i), h.st.x.Row(w.row), &h.m.weights.Norm)
	case headCheck:
		h.check(ops, i)
	case headDraw:
		if w.draw != nil {
			w.draw(h.logits.Row(i), w.top)
		}
	}
}

// check divides and checks a row of logits, and brings it to who wants it.
func (h *headJob) check(ops *kernels.Ops, i int) {
	logits, w := h.logits.Row(i), &h.wants[i]
	if d := h.m.spec.LogitDivisor; d != 0 && d != 1 {
		for k := range logits {
			logits[k] /= d
		}
	}
	h.bad[i] = int32(ops.NotFinite(logits))
	switch {
	case w.draw != nil:
		w.top = int32(ops.ArgMax(logits))
	case &logits[0] != &w.dst[0]:
		copy(w.dst, logits)
	}
}
