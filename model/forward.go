package model

import (
	"context"
	"fmt"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Step runs one batch through the model: every span's tokens are appended to its sequence and the logits that the spans
// ask for are written. watch, which may be nil, sees the routing of every mixture layer.
//
// On an error nothing has been appended. Logits have the same bits whatever else is in the batch, however a text is
// cut into spans, and whatever the number of threads. Steps of one model run one after the other.
func (m *Model) Step(ctx context.Context, b Batch, watch moe.Observer) error {
	if err := m.check(b); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for i := range b {
		if err := m.replan(ctx, b[i].Seq, len(b[i].Tokens), b[i].Gate); err != nil {
			return err
		}
	}
	if err := m.forward(ctx, b, watch); err != nil {
		return err
	}
	for i := range b {
		b[i].Seq.tokens = append(b[i].Seq.tokens, b[i].Tokens...)
	}
	return nil
}

// forward is the way of a token through the model, top to bottom.
func (m *Model) forward(ctx context.Context, b Batch, watch moe.Observer) error {
	st := &m.state
	st.ctx, st.watch = ctx, watch
	st.hook, _ = watch.(moe.Hook)
	st.begin(m, b)
	m.embed(st)
	for i := range m.weights.Layers {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := m.layer(st, i); err != nil {
			return fmt.Errorf("layer %d: %w", i, err)
		}
	}
	return m.head(st, b)
}

// embed looks the tokens up: x[t] = scale · Embed[id[t]].
func (m *Model) embed(st *state) {
	for t, id := range st.ids {
		m.weights.Embed.Row(st.x.Row(t), int(id))
	}
	if s := m.spec.EmbedScale; s != 0 && s != 1 {
		st.eng.Ops().Scale(st.x.Data, s)
	}
}

// layer adds the mixer's branch and the feed-forward's branch to the residual stream.
func (m *Model) layer(st *state, i int) error {
	w, post := &m.weights.Layers[i], m.spec.Layers[i].PostNorm

	m.before(st, &w.AttnNorm, post)
	if err := w.Mixer.Mix(st, i, st.branch, st.normed); err != nil {
		return err
	}
	m.add(st, &w.AttnNorm, post)

	if err := st.show(moe.PointResidualIn, i); err != nil {
		return err
	}
	m.before(st, &w.FFNNorm, post)
	if err := m.feedForward(st, i); err != nil {
		return err
	}
	m.add(st, &w.FFNNorm, post)
	return st.show(moe.PointResidualOut, i)
}

// before prepares a branch's input: the normalised stream, or the stream itself where norms stand behind the branches.
func (m *Model) before(st *state, n *Norm, post bool) {
	if post {
		copy(st.normed.Data, st.x.Data)
		return
	}
	m.normalise(st.eng, st.normed, st.x, n)
}

// add adds a branch to the stream: x += scale · branch, the branch normalised first in post-norm models.
func (m *Model) add(st *state, n *Norm, post bool) {
	if post {
		m.normalise(st.eng, st.branch, st.branch, n)
	}
	if s := m.spec.ResidualScale; s != 0 && s != 1 {
		st.eng.Ops().Scale(st.branch.Data, s)
	}
	st.eng.Ops().Add(st.x.Data, st.branch.Data)
}

// normalise applies the model's kind of norm to every row; dst may be x.
func (m *Model) normalise(e *kernels.Engine, dst, x tensor.Mat, n *Norm) {
	ops := e.Ops()
	for t := range x.Rows {
		if m.spec.Norm == LayerNorm {
			ops.LayerNorm(dst.Row(t), x.Row(t), n.Weight, n.Bias, m.spec.NormEps)
		} else {
			ops.RMSNorm(dst.Row(t), x.Row(t), n.Weight, m.spec.NormEps)
		}
	}
}

// feedForward fills st.branch from st.normed: one dense network, or the experts that the gate chooses for each token.
func (m *Model) feedForward(st *state, i int) error {
	w := &m.weights.Layers[i]
	if w.Dense != nil {
		w.Dense.Forward(st.eng, st.branch, st.normed, &st.moe)
		return nil
	}
	call := moe.Call{Layer: i, X: st.normed, IDs: st.ids, Pos: st.pos, Past: st.past, Engine: st.eng}
	return w.MoE.ForwardParts(st.eng, st.branch, st.normed, call, &st.moe, st.watch, st.parts(m, i))
}

// head writes the wanted logits: Head · norm(x) + bias, divided by the model's divisor.
func (m *Model) head(st *state, b Batch) error {
	row := 0
	for i := range b {
		sp := &b[i]
		from := row + len(sp.Tokens) - sp.Out.Rows
		row += len(sp.Tokens)
		if sp.Out.Rows == 0 {
			continue
		}
		x := st.x.Slice(from, row)
		m.normalise(st.eng, x, x, &m.weights.Norm)
		st.prod[0] = kernels.Product{Dst: sp.Out, X: x, W: m.weights.Head, Bias: m.weights.HeadBias}
		st.eng.MatMul(st.prod[:1]...)
		for t := range sp.Out.Rows {
			if err := m.finish(st, sp.Out.Row(t), sp.Seq.Len()+len(sp.Tokens)-sp.Out.Rows+t); err != nil {
				return err
			}
		}
	}
	return nil
}

// finish scales one row of logits and refuses what is not finite.
func (m *Model) finish(st *state, logits []float32, pos int) error {
	if d := m.spec.LogitDivisor; d != 0 && d != 1 {
		for i := range logits {
			logits[i] /= d
		}
	}
	for i, l := range logits {
		if l-l != 0 { // NaN or infinite
			return fmt.Errorf("%w: logit of token %d at position %d is %v (damaged weights?)", ErrNumbers, i, pos, l)
		}
	}
	return nil
}
