package trace

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// NPZ writes a trace as a numpy archive: each tensor as NAME.npy, the metadata as metadata.json.
func NPZ(w io.Writer, f *loader.File) error {
	z := zip.NewWriter(w)
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		out, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate})
		if err != nil {
			return err
		}
		if err := npy(out, t); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	out, err := z.Create("metadata.json")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(f.Metadata()); err != nil {
		return err
	}
	return z.Close()
}

// npy writes one array in version 1.0 of numpy's format: magic, a Python dict padded to 64 bytes, the numbers.
func npy(w io.Writer, t *tensor.Tensor) error {
	kind, ok := map[tensor.DType]string{tensor.I32: "<i4", tensor.F32: "<f4", tensor.U16: "<u2", tensor.U8: "|u1"}[t.DType]
	if !ok {
		return fmt.Errorf("%w: no numpy type for %v", ErrTrace, t.DType)
	}
	dims := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		dims[i] = fmt.Sprintf("%d,", d)
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", kind, strings.Join(dims, " "))
	pad := (64 - (10+len(head)+1)%64) % 64
	head += strings.Repeat(" ", pad) + "\n"
	magic := binary.LittleEndian.AppendUint16([]byte("\x93NUMPY\x01\x00"), uint16(len(head)))
	if _, err := w.Write(append(magic, head...)); err != nil {
		return err
	}
	_, err := w.Write(t.Data)
	return err
}

// line is one token of a JSONL trace.
type line struct {
	Seq     int      `json:"seq"`
	Label   string   `json:"label"`
	Pos     int      `json:"pos"`
	Token   int32    `json:"token"`
	Layers  []layer  `json:"layers"`
	LogProb *float32 `json:"next_token_logprob,omitempty"`
	Entropy numbers  `json:"gate_entropy,omitempty"`
}

type layer struct {
	Layer   int32     `json:"layer"`
	Experts []uint16  `json:"experts"`
	Weights []float32 `json:"weights"`
	Norms   []float32 `json:"expert_out_norm,omitempty"`
	Logits  numbers   `json:"router_logits,omitempty"`
}

// JSONL writes a trace as a line a token: sequence, label, position, token id, and the experts and weights of each layer.
func JSONL(w io.Writer, f *loader.File) error {
	var labels []string
	if err := json.Unmarshal([]byte(f.Metadata()["labels"]), &labels); err != nil {
		return fmt.Errorf("%w: labels: %w", ErrTrace, err)
	}
	v, err := views(f)
	if err != nil {
		return err
	}
	buf := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(buf)
	for t := range v.tokens {
		s := sort.Search(len(v.offsets), func(i int) bool { return int(v.offsets[i]) > t }) - 1
		l := line{Seq: s, Pos: t - int(v.offsets[s]), Token: v.tokens[t], Layers: v.token(t)}
		if s < len(labels) {
			l.Label = labels[s]
		}
		if v.logProb != nil && v.logProb[t] == v.logProb[t] {
			l.LogProb = &v.logProb[t]
		}
		if v.entropy != nil {
			n := len(v.index)
			l.Entropy = v.entropy[t*n : (t+1)*n]
		}
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	return buf.Flush()
}

// view is the tensors of a trace, as slices.
type view struct {
	tokens, offsets, index []int32
	k                      int
	ids                    []uint16
	weights                []float32
	logProb, entropy       []float32 // or nil
	norms, logits          []float32 // or nil
}

func views(f *loader.File) (v view, err error) {
	need := func(name string, d tensor.DType) *tensor.Tensor {
		t, ok := f.Tensor(name)
		if !ok || t.DType != d {
			err = fmt.Errorf("%w: %s: want a %v tensor", ErrTrace, name, d)
			return tensor.New(d, 0, 0, 0)
		}
		return t
	}
	v.tokens, v.offsets, v.index = need("token_ids", tensor.I32).I32s(), need("seq_offsets", tensor.I32).I32s(), need("moe_layer_index", tensor.I32).I32s()
	ids := need("topk_ids", tensor.U16)
	v.ids, v.weights = ids.U16s(), need("topk_weights", tensor.F32).F32s()
	if err == nil && (len(ids.Shape) != 3 || len(v.ids) != len(v.weights)) {
		err = fmt.Errorf("%w: topk_ids: want [T,L,K], found %v", ErrTrace, ids.Shape)
	}
	if err == nil {
		v.k = ids.Shape[2]
	}
	for name, to := range map[string]*[]float32{
		"next_token_logprob": &v.logProb, "gate_entropy": &v.entropy, "expert_out_norm": &v.norms, "router_logits": &v.logits,
	} {
		if t, ok := f.Tensor(name); ok {
			*to = t.F32s()
		}
	}
	return v, err
}

// token lists the experts of one token, layer by layer.
func (v *view) token(t int) []layer {
	out := make([]layer, len(v.index))
	for c := range out {
		at := (t*len(v.index) + c) * v.k
		n := 0
		for n < v.k && v.ids[at+n] != empty {
			n++
		}
		out[c] = layer{Layer: v.index[c], Experts: v.ids[at : at+n], Weights: v.weights[at : at+n]}
		if v.norms != nil {
			out[c].Norms = v.norms[at : at+n]
		}
		if e := len(v.logits) / max(len(v.tokens)*len(out), 1); e > 0 {
			i := (t*len(out) + c) * e
			out[c].Logits = v.logits[i : i+e]
		}
	}
	return out
}

// numbers are null in JSON where they are not finite: no router, or no such expert.
type numbers []float32

// MarshalJSON implements json.Marshaler.
func (n numbers) MarshalJSON() ([]byte, error) {
	out := make([]*float32, len(n))
	for i, v := range n {
		if v-v == 0 {
			out[i] = &n[i]
		}
	}
	return json.Marshal(out)
}
