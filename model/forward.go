package model

import (
	"context"
	"fmt"
	"strings"

	"github.com/seed2fbf7788/switchyard/moe"
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
	m.extend(b)
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
			return inLayer(i, err)
		}
	}
	return m.head(st, b)
}

// inLayer names the layer of an error, unless the gate that made it did.
func inLayer(i int, err error) error {
	name := fmt.Sprintf("layer %d", i)
	if strings.Contains(err.Error(), name) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// layer adds the mixer's branch and the feed-forward's branch to the residual stream. st.normed is the mixer's input, and
// holds the next layer's at the end. A cancelled ctx ends it between its branches.
func (m *Model) layer(st *state, i int) error {
	w, l := &m.weights.Layers[i], &m.spec.Layers[i]
	if err := w.Mixer.Mix(st, i, st.branch, st.normed); err != nil {
		return err
	}
	before, behind := l.place(&w.FFNNorm)
	_, mixed := l.place(&w.AttnNorm)
	if err := m.between(st, rowJob{add: true, behind: mixed, prepare: true, before: before}, moe.PointResidualIn, i); err != nil {
		return err
	}
	if err := st.ctx.Err(); err != nil {
		return err
	}
	if err := m.feedForward(st, i); err != nil {
		return err
	}
	rows := rowJob{add: true, behind: behind}
	if next := i + 1; next < len(m.weights.Layers) {
		rows.prepare = true
		rows.before, _ = m.spec.Layers[next].place(&m.weights.Layers[next].AttnNorm)
	}
	return m.between(st, rows, moe.PointResidualOut, i)
}

// place says where a norm of the layer stands: before its branch or behind it; the other is nil.
func (l *Layer) place(n *Norm) (before, behind *Norm) {
	if l.PostNorm {
		return nil, n
	}
	return n, nil
}

// embed looks the tokens up, x[t] = scale · Embed[id[t]], and prepares the first layer's input.
func (m *Model) embed(st *state) {
	before, _ := m.spec.Layers[0].place(&m.weights.Layers[0].AttnNorm)
	st.rows = rowJob{embed: true, prepare: true, before: before}
	st.rows.run(m, st)
}

// between adds a branch to the stream and prepares the next branch's input, in one region unless a hook looks at the
// stream in between.
func (m *Model) between(st *state, rows rowJob, p moe.Point, i int) error {
	st.rows = rows
	if st.hook == nil || st.hook.Points()&p == 0 {
		st.rows.run(m, st)
		return nil
	}
	st.rows.prepare = false
	st.rows.run(m, st)
	if err := st.show(p, i); err != nil {
		return err
	}
	st.rows.prepare, st.rows.add = rows.prepare, false
	st.rows.run(m, st)
	return nil
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
