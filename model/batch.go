package model

import (
	"fmt"

	"github.com/seed2fbf7788/switchyard/tensor"
)

// Span is one sequence's share of a batch: tokens that follow what the sequence holds. Out says which logits are
// wanted: no rows (none), one row (of the last token), or a row for each token; it belongs to the caller, [rows, V].
// Gate, which may be nil, is the gate that these tokens follow; a text keeps its bits only where all its spans have the
// same.
//
// Draw, in place of Out, is called with the logits [V] behind the last token and the id of their largest, the lowest of
// equals. It is called once the step has succeeded, before Step returns, on one of the workers, beside those of other
// spans; the logits are the step's and not valid later. It must not call the model.
type Span struct {
	Seq    *Sequence
	Tokens []int32
	Out    tensor.Mat
	Draw   func(logits []float32, top int32)
	Gate   *GateOverride
}

// Batch is any number of spans, each of another sequence: prefill, decode and many users at once are the same call.
type Batch []Span

// check refuses what the forward pass could not survive.
func (m *Model) check(b Batch) error {
	for i := range b {
		sp := &b[i]
		if n := sp.Out.Rows; n != 0 && n != 1 && n != len(sp.Tokens) {
			return fmt.Errorf("%w: span %d wants %d rows of logits for %d tokens", ErrOption, i, n, len(sp.Tokens))
		}
		if sp.Out.Rows > 0 && sp.Draw != nil {
			return fmt.Errorf("%w: span %d wants its logits and draws from them, want one of both", ErrOption, i)
		}
		if sp.Out.Rows > 0 && sp.Out.Cols != m.spec.Vocab {
			return fmt.Errorf("%w: span %d has room for %d logits a row, want %d", ErrOption, i, sp.Out.Cols, m.spec.Vocab)
		}
		if sp.Seq == nil || sp.Seq.pool != &m.pool {
			return fmt.Errorf("%w: span %d: want a sequence that this model made", ErrOption, i)
		}
		if err := m.checkGate(i, sp.Gate); err != nil {
			return err
		}
		if len(sp.Tokens) == 0 {
			return fmt.Errorf("%w: span %d has no tokens", ErrPrompt, i)
		}
		if err := m.CheckIDs(sp.Tokens); err != nil {
			return err
		}
		if n := sp.Seq.Len() + len(sp.Tokens); n > m.Context() {
			return fmt.Errorf("%w: %d tokens, the model has room for %d", ErrContext, n, m.Context())
		}
		for j := range i {
			if b[j].Seq == sp.Seq {
				return fmt.Errorf("%w: spans %d and %d are of one sequence", ErrOption, j, i)
			}
		}
	}
	return nil
}

// extend makes what a step has computed part of its sequences, and lets the spans draw.
func (m *Model) extend(b Batch) {
	for i := range b {
		b[i].Seq.tokens = append(b[i].Seq.tokens, b[i].Tokens...)
	}
	m.state.head.draw()
}

// CheckIDs refuses ids outside the vocabulary.
func (m *Model) CheckIDs(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= m.spec.Vocab {
			return fmt.Errorf("%w: %d at position %d, want 0 to %d", ErrToken, id, i, m.spec.Vocab-1)
		}
	}
	return nil
}
