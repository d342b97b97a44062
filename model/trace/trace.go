package trace

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// ErrTrace is returned for texts that cannot be traced.
var ErrTrace = errors.New("cannot trace")

// Text is one sequence of a trace.
type Text struct {
	Label string
	IDs   []int32
}

// Options say what is recorded beside ids and weights.
type Options struct {
	Logits, Entropy, LogProb bool
	Norms, Choice            bool                  // of expert outputs; choice scores
	Lookahead, Predicted     bool                  // what each gate chooses a layer early; the likeliest next token
	Progress                 func(done, total int) // tokens; may be nil
}

// empty stands in topk_ids where a token has fewer experts than K.
const empty = moe.NoExpert

// chunkTokens is how much of a text is computed and written at once.
const chunkTokens = 256

// writer is one trace being written.
type writer struct {
	m      *model.Model
	o      Options
	out    *loader.Stream
	layers []int // mixture layers of the model
	column []int // layer → column, -1
	k, e   int
	slots  bool // the order of choice may differ from that of weights
	rec    record
	logits []float32 // [chunk,V]
	done   int
	total  int
}

// Write runs every text through the model, each as a sequence of its own (a text longer than the model's context is cut into
// sequences of that length), and writes the trace to path. After an error nothing is left.
func Write(ctx context.Context, m *model.Model, path string, texts []Text, o Options) error {
	texts, err := split(texts, m.Context())
	if err != nil {
		return err
	}
	w := &writer{m: m, o: o, layers: m.Spec().MoELayers()}
	if err := w.measure(texts); err != nil {
		return err
	}
	meta, err := metadata(m, texts)
	if err != nil {
		return err
	}
	if w.out, err = loader.Create(path, w.plan(len(texts)), meta); err != nil {
		return err
	}
	defer w.out.Abort()
	if err := w.index(texts); err != nil {
		return err
	}
	for _, t := range texts {
		if err := w.text(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.Label, err)
		}
	}
	return w.out.Commit()
}

// split cuts long texts and refuses empty ones.
func split(texts []Text, context int) ([]Text, error) {
	var out []Text
	for _, t := range texts {
		if len(t.IDs) == 0 {
			return nil, fmt.Errorf("%w: %q has no tokens", ErrTrace, t.Label)
		}
		for a := 0; a < len(t.IDs); a += context {
			out = append(out, Text{t.Label, t.IDs[a:min(a+context, len(t.IDs))]})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no texts", ErrTrace)
	}
	return out, nil
}

// measure finds the dimensions.
func (w *writer) measure(texts []Text) error {
	if len(w.layers) == 0 {
		return fmt.Errorf("%w: %s has no mixture layers", ErrTrace, w.m.Spec().Family)
	}
	w.column = make([]int, len(w.m.Spec().Layers))
	w.rec.w = w
	if w.o.Lookahead {
		w.rec.lookAhead()
	}
	for i, l := range w.layers {
		v := w.m.Gates(nil)[l]
		w.column[l], w.k, w.e = i, max(w.k, v.MaxK), max(w.e, v.Spec.Slots())
		w.slots = w.slots || v.Edits != "" || !v.Spec.FallingWeights()
	}
	w.slots = w.slots && w.k <= 256
	if w.e > empty {
		return fmt.Errorf("%w: want at most %d experts, found %d", ErrTrace, empty, w.e)
	}
	for _, t := range texts {
		if err := w.m.CheckIDs(t.IDs); err != nil {
			return err
		}
		w.total += len(t.IDs)
	}
	if w.total > math.MaxInt32 {
		return fmt.Errorf("%w: want at most %d tokens, found %d", ErrTrace, math.MaxInt32, w.total)
	}
	return nil
}

// index writes what is known before anything is computed.
func (w *writer) index(texts []Text) error {
	offsets := []int32{0}
	for _, t := range texts {
		at := int(offsets[len(offsets)-1])
		if err := w.put("token_ids", at, tensor.FromI32(t.IDs, len(t.IDs))); err != nil {
			return err
		}
		offsets = append(offsets, int32(at+len(t.IDs)))
	}
	layers := make([]int32, len(w.layers))
	for i, l := range w.layers {
		layers[i] = int32(l)
	}
	return errors.Join(w.put("seq_offsets", 0, tensor.FromI32(offsets, len(offsets))),
		w.put("moe_layer_index", 0, tensor.FromI32(layers, len(layers))))
}

func (w *writer) put(name string, row int, t *tensor.Tensor) error {
	return w.out.Put(name, row, t.Data)
}

// text computes one sequence, a chunk at a time; as one chunk where its gate decides about whole texts.
func (w *writer) text(ctx context.Context, t Text) error {
	seq := w.m.NewSequence()
	defer seq.Free()
	seq.Announce(len(t.IDs))
	size := chunkTokens
	if w.m.WholeText(nil) {
		size = len(t.IDs)
	}
	for a := 0; a < len(t.IDs); a += size {
		b := min(a+size, len(t.IDs))
		if err := w.chunk(ctx, seq, t.IDs, a, b); err != nil {
			return err
		}
		w.done += b - a
		if w.o.Progress != nil {
			w.o.Progress(w.done, w.total)
		}
	}
	return nil
}

// chunk computes tokens [a,b) of a sequence and writes their rows.
func (w *writer) chunk(ctx context.Context, seq *model.Sequence, ids []int32, a, b int) error {
	w.rec.begin(b - a)
	sp := model.Span{Seq: seq, Tokens: ids[a:b]}
	if v := w.m.Spec().Vocab; w.o.LogProb || w.o.Predicted {
		w.logits = sized(w.logits, (b-a)*v)
		sp.Out = tensor.MatOf(w.logits, b-a, v)
	}
	if err := w.m.Step(ctx, model.Batch{sp}, &w.rec); err != nil {
		return err
	}
	if w.rec.err != nil {
		return w.rec.err
	}
	if w.o.LogProb {
		p := logProbs(sp.Out, ids[min(a+1, len(ids)):])
		if err := w.put("next_token_logprob", w.done, tensor.FromF32(p, len(p))); err != nil {
			return err
		}
	}
	if w.o.Predicted {
		p := predicted(sp.Out)
		if err := w.put("predicted_ids", w.done, tensor.FromI32(p, len(p))); err != nil {
			return err
		}
	}
	return w.rows()
}
