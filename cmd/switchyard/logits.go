package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// logitsFlags are the flags of `logits`.
type logitsFlags struct {
	modelFlags
	ids, out      string
	greedy, chunk int
}

func (f *logitsFlags) parse(s stdio, args []string) error {
	fs := newFlags(s, "logits", "-m DIR --ids 1,2,3 -o F.safetensors")
	f.modelFlags.add(fs)
	fs.StringVar(&f.ids, "ids", "", "token `ids` 1,2,3")
	fs.StringVar(&f.out, "o", "", "`file` to write: input_ids, logits, and the routing of every mixture layer")
	fs.IntVar(&f.greedy, "greedy", 0, "continue greedily by exactly `N` tokens, written as generated_ids")
	fs.IntVar(&f.chunk, "chunk", 0, "read the ids `N` at a time (default 512); the numbers do not change")
	rest, err := parse(fs, args)
	switch {
	case err != nil:
		return err
	case len(rest) > 0:
		return fmt.Errorf("%w: want no arguments, found %q", errUsage, rest[0])
	case f.ids == "":
		return fmt.Errorf("%w: --ids is missing", errUsage)
	case f.out == "":
		return fmt.Errorf("%w: -o is missing", errUsage)
	case f.greedy < 0:
		return fmt.Errorf("%w: --greedy: want 0 or more, found %d", errUsage, f.greedy)
	case f.chunk < 0:
		return fmt.Errorf("%w: --chunk: want 0 or more, found %d", errUsage, f.chunk)
	}
	return nil
}

func logitsCommand(ctx context.Context, s stdio, args []string) error {
	var f logitsFlags
	if err := f.parse(s, args); err != nil {
		return err
	}
	ids, err := idList(f.ids)
	if err != nil {
		return err
	}
	if f.isEncoder() {
		return encoderLogits(ctx, s, &f, ids)
	}
	m, err := f.open(ctx, s, f.chunk)
	if err != nil {
		return err
	}
	defer m.Close()
	tensors, err := forward(ctx, m, ids, f.greedy)
	if err != nil {
		return err
	}
	return loader.Write(f.out, tensors, map[string]string{"family": m.Spec().Family, "level": m.Level()})
}

// forward computes everything that the file holds.
func forward(ctx context.Context, m *model.Model, ids []int32, greedy int) ([]loader.Named, error) {
	if err := m.CheckIDs(ids); err != nil { // before logits [T,V] are made room for
		return nil, err
	}
	if n := len(ids) + max(greedy-1, 0); n > m.Context() {
		return nil, fmt.Errorf("%w: %d tokens, the model has room for %d", model.ErrContext, n, m.Context())
	}
	rec := moe.NewRecorder(moe.RecordLogits)
	seq := m.NewSequence()
	defer seq.Free()
	logits := tensor.NewMat(len(ids), m.Spec().Vocab)
	if err := m.Prefill(ctx, seq, ids, logits, rec); err != nil {
		return nil, err
	}
	out := []loader.Named{
		{Name: "input_ids", Tensor: tensor.FromI32(ids, len(ids))},
		{Name: "logits", Tensor: tensor.FromF32(logits.Data, len(ids), m.Spec().Vocab)},
	}
	for _, layer := range m.Spec().MoELayers() {
		out = append(out, routing(rec, layer, len(ids))...)
	}
	if greedy == 0 {
		return out, nil
	}
	generated, err := continueGreedily(ctx, m, seq, logits.Row(len(ids)-1), greedy)
	if err != nil {
		return nil, err
	}
	return append(out, loader.Named{Name: "generated_ids", Tensor: tensor.FromI32(generated, greedy)}), nil
}

// routing is what one layer decided: raw router logits, and the experts of each token by falling weight.
func routing(rec *moe.Recorder, layer, tokens int) []loader.Named {
	r := rec.Layer(layer)
	k := r.MaxK()
	ids, weights := r.Sorted(k)
	name := func(what string) string { return what + "." + strconv.Itoa(layer) }
	return []loader.Named{
		{Name: name("router_logits"), Tensor: tensor.FromF32(r.Logits, tokens, r.E)},
		{Name: name("topk_ids"), Tensor: tensor.FromI32(ids, tokens, k)},
		{Name: name("topk_weights"), Tensor: tensor.FromF32(weights, tokens, k)},
	}
}

// continueGreedily generates exactly n ids; an end-of-text id is one like any other.
func continueGreedily(ctx context.Context, m *model.Model, seq *model.Sequence, last []float32, n int) ([]int32, error) {
	sampler := model.NewSampler(model.Sampling{})
	out := make([]int32, 0, n)
	logits := tensor.NewMat(1, m.Spec().Vocab)
	copy(logits.Data, last)
	for {
		out = append(out, sampler.Sample(logits.Row(0)))
		if len(out) == n {
			return out, nil
		}
		sp := model.Span{Seq: seq, Tokens: out[len(out)-1:], Out: logits}
		if err := m.Step(ctx, model.Batch{sp}, nil); err != nil {
			return nil, err
		}
	}
}
