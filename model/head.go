package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// headJob is the head's product with the work on single rows around it: before it, the wanted rows of the stream are
// normalised and gathered; behind it, logits are divided, checked and brought to who wants them. A chunk is one row.
type headJob struct {
	m      *Model
	st     *state
	wants  []want
	logits tensor.Mat // [wants,V]
	behind bool       // the product
	bad    []int32    // [wants] first token whose logit is not finite, or -1
}

// want is a row of logits that a span asks for.
type want struct {
	row, pos int // of the batch; in its sequence
	dst      []float32
}

// headRows is how many spans that want one row share a product: enough to read the head's weights once for many users,
// few enough that their logits, which are copied, stay small.
const headRows = 64

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
	for i, row := 0, 0; i < len(b); i++ { // single rows together
		row += len(b[i].Tokens)
		if b[i].Out.Rows == 1 {
			h.wants = b[i].wants(h.wants, row)
		}
		if n := len(h.wants); n == headRows || n > 0 && i == len(b)-1 {
			st.size(&st.logits, n, m.spec.Vocab)
			if err := h.run(st.logits); err != nil {
				return err
			}
			h.wants = h.wants[:0]
		}
	}
	return nil
}

// wants lists the rows of logits that a span asks for; end is the row of the batch behind its last token.
func (sp *Span) wants(list []want, end int) []want {
	n := sp.Out.Rows
	for t := range n {
		list = append(list, want{end - n + t, sp.Seq.Len() + len(sp.Tokens) - n + t, sp.Out.Row(t)})
	}
	return list
}

// run computes the logits of the wanted rows into a matrix, and copies them to where they are wanted if that is elsewhere.
func (h *headJob) run(logits tensor.Mat) error {
	st, n := h.st, len(h.wants)
	h.logits, h.behind = logits, false
	if len(h.bad) < n {
		h.bad = make([]int32, n)
	}
	st.eng.Run(n, h)
	st.prod[0] = kernels.Product{Dst: logits, X: st.normed.Slice(0, n), W: h.m.weights.Head, Bias: h.m.weights.HeadBias}
	st.eng.MatMul(st.prod[:1]...)
	h.behind = true
	st.eng.Run(n, h)
	for i, token := range h.bad[:n] {
		if token >= 0 {
			return fmt.Errorf("%w: logit of token %d at position %d is %v (damaged weights?)", ErrNumbers,
				token, h.wants[i].pos, logits.Row(i)[token])
		}
	}
	return nil
}

// Do implements kernels.Job.
func (h *headJob) Do(_, i int) {
	ops, w := h.st.eng.Ops(), &h.wants[i]
	if !h.behind {
		h.m.normalise(ops, h.st.normed.Row(i), h.st.x.Row(w.row), &h.m.weights.Norm)
		return
	}
	logits := h.logits.Row(i)
	if d := h.m.spec.LogitDivisor; d != 0 && d != 1 {
		for k := range logits {
			logits[k] /= d
		}
	}
	h.bad[i] = int32(ops.NotFinite(logits))
	if &logits[0] != &w.dst[0] {
		copy(w.dst, logits)
	}
}
