package trace_test

import (
	"context"
	"iter"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/model/trace"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// A reader gives back what was written: in order, in pieces that end with their sequences.
func TestReaderGivesTheTrace(t *testing.T) {
	f, _ := traced(t, model.Options{Gate: "layers=2;topk=2"}, trace.Options{Logits: true, Entropy: true, LogProb: true},
		trace.Text{Label: "a", IDs: ids(300, 37)}, trace.Text{Label: "b", IDs: ids(7, 11)})
	r, err := trace.Open(f.Name())
	require.NoError(t, err)
	defer r.Close()
	assert.Equal(t, 307, r.Tokens)
	assert.Equal(t, 4, r.K)
	assert.Equal(t, []string{"a", "b"}, r.Labels)
	assert.Equal(t, 2, r.Gates[2].TopK)
	assert.True(t, r.Has("router_logits") && !r.Has("expert_out_norm"))
	topk, _ := f.Tensor("topk_ids")
	logits, _ := f.Tensor("router_logits")
	entropy, _ := f.Tensor("gate_entropy")
	at, ends := 0, 0
	for p, err := range r.Pieces(context.Background()) {
		require.NoError(t, err)
		require.Equal(t, at, p.At)
		for i := range p.IDs {
			for l := range 6 {
				got, _ := p.Routing[l].Of(i)
				for j, e := range got {
					require.Equal(t, topk.U16s()[((at+i)*6+l)*4+j], uint16(e))
				}
				require.Len(t, got, map[bool]int{true: 2, false: 4}[l == 2])
				row := ((at+i)*6 + l) * 16
				require.Equal(t, logits.F32s()[row:row+16], p.Routing[l].Logits.Row(i))
				require.Equal(t, entropy.F32s()[(at+i)*6+l], p.Entropy[i*6+l])
			}
		}
		if p.Last() {
			ends++
			require.Equal(t, int32(-1), p.Next[len(p.Next)-1])
		}
		require.Equal(t, p.IDs[1], p.Next[0])
		at += len(p.IDs)
	}
	assert.Equal(t, []int{307, 2}, []int{at, ends})
}

// changed is a trace of three tokens with something wrong.
func changed(t *testing.T, change func(tensors map[string]*tensor.Tensor, meta map[string]string)) string {
	f, _ := traced(t, model.Options{}, trace.Options{}, trace.Text{Label: "x", IDs: ids(3, 5)})
	all, meta := map[string]*tensor.Tensor{}, f.Metadata()
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		own := tensor.New(x.DType, x.Shape...)
		copy(own.Data, x.Data)
		all[name] = own
	}
	change(all, meta)
	var list []loader.Named
	for _, name := range f.Names() {
		if all[name] != nil {
			list = append(list, loader.Named{Name: name, Tensor: all[name]})
		}
	}
	path := filepath.Join(t.TempDir(), "bad.safetensors")
	require.NoError(t, loader.Write(path, list, meta))
	return path
}

func TestReaderRefuses(t *testing.T) {
	type tensors = map[string]*tensor.Tensor
	type meta = map[string]string
	for want, change := range map[string]func(x tensors, m meta){
		`want "switchyard-trace-1", found "switchyard-trace-9"`: func(_ tensors, m meta) { m["format"] = "switchyard-trace-9" },
		"topk_ids: want a tensor, found none":                   func(x tensors, _ meta) { delete(x, "topk_ids") },
		"topk_ids: want dtype U16, found F16":                   func(x tensors, _ meta) { x["topk_ids"].DType = tensor.F16 },
		"topk_weights: want shape [3 6 4]":                      func(x tensors, _ meta) { x["topk_weights"].Shape = tensor.Shape{3, 4, 6} },
		"token_ids: want shape [3], found [2]":                  func(x tensors, _ meta) { x["token_ids"] = tensor.New(tensor.I32, 2) },
		"experts from 0 to 15":                                  func(x tensors, _ meta) { x["topk_ids"].U16s()[30] = 16 },
		"then empty places":                                     func(x tensors, _ meta) { x["topk_ids"].U16s()[30] = 0xFFFF },
		"want distinct experts":                                 func(x tensors, _ meta) { x["topk_ids"].U16s()[29] = x["topk_ids"].U16s()[28] },
		"finite weights":                                        func(x tensors, _ meta) { x["topk_weights"].F32s()[5] = float32(math.NaN()) },
		"ids from 0":                                            func(x tensors, _ meta) { x["token_ids"].I32s()[1] = -4 },
		"seq_offsets: want 0 to 3":                              func(x tensors, _ meta) { x["seq_offsets"].I32s()[1] = 2 },
		"rising layers":                                         func(x tensors, _ meta) { x["moe_layer_index"].I32s()[1] = 0 },
		"metadata gate: want the gate of every layer":           func(_ tensors, m meta) { m["gate"] = "{" },
		"layer 0 with 1 to 65535 experts":                       func(_ tensors, m meta) { m["gate"] = "{}" },
		"a JSON array of 1 labels":                              func(_ tensors, m meta) { m["labels"] = `["a","b"]` },
	} {
		r, err := trace.Open(changed(t, change))
		if err == nil {
			_, err = last(r.Pieces(context.Background()))
			r.Close()
		}
		require.ErrorIs(t, err, trace.ErrFormat, want)
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "\n")
	}
}

func TestReaderRefusesTruncated(t *testing.T) {
	path := changed(t, func(map[string]*tensor.Tensor, map[string]string) {})
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, n := range []int{0, 7, 100, len(data) / 2, len(data) - 1} {
		require.NoError(t, os.WriteFile(path, data[:n], 0o600))
		_, err := trace.Open(path)
		assert.Error(t, err, "%d bytes", n)
	}
	_, err = trace.Open("../../testdata/goldens/mixtral/model.safetensors")
	assert.ErrorIs(t, err, trace.ErrFormat, "a checkpoint is no trace")
}

func TestReaderStops(t *testing.T) {
	r, err := trace.Open(changed(t, func(map[string]*tensor.Tensor, map[string]string) {}))
	require.NoError(t, err)
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = last(r.Pieces(ctx))
	assert.ErrorIs(t, err, context.Canceled)
}

// last is the last piece, or the error that ends them.
func last(seq iter.Seq2[*trace.Piece, error]) (p *trace.Piece, err error) {
	for p, err = range seq {
	}
	return p, err
}
