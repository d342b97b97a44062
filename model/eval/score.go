package eval

import (
	"context"
	"math"
	"sync"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// Options say how a text is read; the zero value works.
type Options struct {
	Window   int                 // tokens that a window reads; 0: the model's context, at most 4096
	Stride   int                 // tokens from one window to the next; 0: as many as the window
	Gate     *model.GateOverride // of this model; nil: its own gates
	Loss     func(Loss) error    // is given every scored token, in order; may be nil
	Progress func(done, of int)  // windows; may be nil
}

// Loss is one scored token.
type Loss struct {
	Index int     // in the text
	ID    int32   // the token
	Loss  float64 // in nats
}

// Score is how well a text was predicted.
type Score struct {
	Tokens int     `json:"tokens"` // scored
	NLL    float64 `json:"nll"`    // Σ loss in nats
}

// Mean is the mean loss in nats a token.
func (s Score) Mean() float64 { return s.NLL / float64(max(1, s.Tokens)) }

// Perplexity is exp of the mean loss.
func (s Score) Perplexity() float64 { return math.Exp(s.Mean()) }

// BitsPerByte is the loss by the bytes of the text.
func (s Score) BitsPerByte(bytes int) float64 { return s.NLL / math.Ln2 / float64(max(1, bytes)) }

// Text scores ids. The same bits come out for any number of threads.
func Text(ctx context.Context, m *model.Model, ids []int32, o Options) (Score, error) {
	r, err := newReader(m, ids, o)
	if err != nil {
		return Score{}, err
	}
	return r.score(ctx, o, plain{r})
}

// reader scores one text under one gate after another.
type reader struct {
	m    *model.Model
	ids  []int32
	list []window
	size int // of a window
	rows int // tokens whose logits are in memory at once
	lp   []float32
	out  tensor.Mat
}

// logitRoom bounds logits in memory: values.
const logitRoom = 1 << 22

func newReader(m *model.Model, ids []int32, o Options) (*reader, error) {
	size, stride, err := o.sizes(m.Context(), len(ids))
	if err != nil {
		return nil, err
	}
	if err := m.CheckIDs(ids); err != nil {
		return nil, err
	}
	r := &reader{m: m, ids: ids, list: windows(len(ids), size, stride), size: size}
	r.rows = max(16, min(512, logitRoom/m.Spec().Vocab))
	return r, nil
}

// stepper runs tokens [a,b) of the text, which follow what seq holds and belong to window w.
type stepper interface {
	step(ctx context.Context, w int, sp model.Span, a int) error
}

// plain runs all layers.
type plain struct{ r *reader }

func (p plain) step(ctx context.Context, _ int, sp model.Span, _ int) error {
	return p.r.m.Step(ctx, model.Batch{sp}, nil)
}

// score reads all windows.
func (r *reader) score(ctx context.Context, o Options, s stepper) (Score, error) {
	var out Score
	for i, w := range r.list {
		if err := r.window(ctx, i, w, o, s, &out); err != nil {
			return out, err
		}
		if o.Progress != nil {
			o.Progress(i+1, len(r.list))
		}
	}
	return out, nil
}

// window reads one window in pieces: first what is scored already and serves as context, then what is to be scored.
func (r *reader) window(ctx context.Context, i int, w window, o Options, s stepper, out *Score) error {
	seq := r.m.NewSequence()
	defer seq.Free()
	seq.Announce(w.to - w.from)
	chunk, whole := r.rows, r.m.WholeText(o.Gate)
	if whole {
		chunk = w.to - w.from
	}
	for a := w.from; a < w.to; {
		b := min(a+chunk, w.to)
		if a < w.score-1 && !whole {
			b = min(b, w.score-1)
		}
		sp := model.Span{Seq: seq, Tokens: r.ids[a:b], Gate: o.Gate}
		if b > w.score-1 {
			sp.Out = r.logits(b - a)
		}
		if err := s.step(ctx, i, sp, a); err != nil {
			return err
		}
		if err := r.take(sp.Out, a, max(a, w.score-1), b, o, out); err != nil {
			return err
		}
		a = b
	}
	return nil
}

func (r *reader) logits(n int) tensor.Mat {
	if r.out.Rows < n {
		r.out = tensor.NewMat(n, r.m.Spec().Vocab)
	}
	return r.out.Slice(0, n)
}

// take counts the losses of the tokens behind rows [from,b) of logits, whose first row is token a.
func (r *reader) take(logits tensor.Mat, a, from, b int, o Options, out *Score) error {
	if logits.Rows == 0 {
		return nil
	}
	r.lp = append(r.lp[:0], make([]float32, b-from)...)
	r.logProbs(logits.Slice(from-a, b-a), r.ids[from+1:b+1])
	for i, lp := range r.lp {
		l := Loss{Index: from + 1 + i, ID: r.ids[from+1+i], Loss: -float64(lp)}
		out.Tokens++
		out.NLL += l.Loss
		if o.Loss != nil {
			if err := o.Loss(l); err != nil {
				return err
			}
		}
	}
	return nil
}

// logProbs fills r.lp on as many goroutines as the model has threads; each row is by itself, so bits do not depend on them.
func (r *reader) logProbs(logits tensor.Mat, next []int32) {
	n := max(1, min(r.m.Threads(), logits.Rows/16))
	var wait sync.WaitGroup
	for k := range n {
		wait.Go(func() {
			for t := k; t < logits.Rows; t += n {
				r.lp[t] = model.LogProb(logits.Row(t), next[t])
			}
		})
	}
	wait.Wait()
}
