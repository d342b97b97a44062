package trace

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
)

// ErrFormat is returned for a file that is no trace, or one that contradicts itself.
var ErrFormat = errors.New("no readable trace")

// Reader reads a trace piece by piece, in memory that does not grow with its length. It is not safe for concurrent use.
type Reader struct {
	Path     string
	Tokens   int   // T
	K        int   // places for experts of a token
	Layers   []int // [L] the model's layer of each column
	Gates    []moe.GateSpec
	Offsets  []int32  // [S+1] sequence i is tokens Offsets[i]:Offsets[i+1]
	Labels   []string // [S]
	Metadata map[string]string

	file *loader.File
	raw  *os.File
	cols []column
	e    int // columns of router_logits
}

// column is a tensor of the file with a row a token.
type column struct {
	name  string
	at    int64 // of row 0
	width int   // elements a row
	dtype tensor.DType
}

// Open opens a trace and checks its header, shapes and sequences; the routing itself is checked as it is read. Errors wrap
// [ErrFormat] or the loader's.
func Open(path string) (*Reader, error) {
	file, err := loader.OpenFile(path)
	if err != nil {
		return nil, err
	}
	r := &Reader{Path: path, file: file, Metadata: file.Metadata()}
	if err = r.open(); err == nil {
		r.raw, err = os.Open(path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return r, nil
}

// Close closes the file.
func (r *Reader) Close() error { return errors.Join(r.raw.Close(), r.file.Close()) }

func (r *Reader) fault(field, want string, found any) error {
	return fmt.Errorf("%s: %w: %s: want %s, found %v", r.Path, ErrFormat, field, want, found)
}

func (r *Reader) open() error {
	if got := r.Metadata["format"]; got != Format {
		return r.fault("format", strconv.Quote(Format), strconv.Quote(got))
	}
	for _, step := range []func() error{r.shapes, r.readLayers, r.readSequences, r.optional} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// need is a tensor of this dtype and shape; -1 allows any size.
func (r *Reader) need(name string, shape tensor.Shape, dtypes ...tensor.DType) (*tensor.Tensor, error) {
	t, ok := r.file.Tensor(name)
	if !ok {
		return nil, r.fault(name, "a tensor", "none")
	}
	if !slices.Contains(dtypes, t.DType) {
		return nil, r.fault(name, fmt.Sprintf("dtype %v", dtypes[0]), t.DType)
	}
	fits := len(t.Shape) == len(shape)
	for i := range min(len(shape), len(t.Shape)) {
		fits = fits && (shape[i] < 0 || shape[i] == t.Shape[i])
	}
	if !fits {
		return nil, r.fault(name, "shape "+wanted(shape), t.Shape)
	}
	return t, nil
}

func wanted(s tensor.Shape) string {
	out := "["
	for i, d := range s {
		if i > 0 {
			out += " "
		}
		if d < 0 {
			out += "any"
			continue
		}
		out += strconv.Itoa(d)
	}
	return out + "]"
}

func (r *Reader) shapes() error {
	ids, err := r.need("topk_ids", tensor.Shape{-1, -1, -1}, tensor.U16)
	if err != nil {
		return err
	}
	t, l, k := ids.Shape[0], ids.Shape[1], ids.Shape[2]
	if t < 1 || l < 1 || k < 1 {
		return r.fault("topk_ids", "at least one token, layer and expert", ids.Shape)
	}
	r.Tokens, r.K, r.Layers = t, k, make([]int, l)
	r.add("topk_ids", ids)
	for _, c := range []struct {
		name  string
		dtype tensor.DType
		shape tensor.Shape
	}{{"topk_weights", tensor.F32, tensor.Shape{t, l, k}}, {"token_ids", tensor.I32, tensor.Shape{t}}} {
		x, err := r.need(c.name, c.shape, c.dtype)
		if err != nil {
			return err
		}
		r.add(c.name, x)
	}
	return nil
}

func (r *Reader) add(name string, t *tensor.Tensor) {
	at, _ := r.file.Place(name)
	r.cols = append(r.cols, column{name, at, t.Elems() / r.Tokens, t.DType})
}

// readLayers reads which layers the columns are, and their gates.
func (r *Reader) readLayers() error {
	t, err := r.need("moe_layer_index", tensor.Shape{len(r.Layers)}, tensor.I32)
	if err != nil {
		return err
	}
	var gates map[string]moe.GateSpec
	if err := json.Unmarshal([]byte(r.Metadata["gate"]), &gates); err != nil {
		return r.fault("metadata gate", "the gate of every layer as JSON", err)
	}
	for c, l := range t.I32s() {
		r.Layers[c] = int(l)
		if l < 0 || c > 0 && int(l) <= r.Layers[c-1] {
			return r.fault("moe_layer_index", "rising layers", t.I32s())
		}
		g, ok := gates[strconv.Itoa(int(l))]
		if !ok || g.Slots() > empty {
			return r.fault("metadata gate", fmt.Sprintf("layer %d with 1 to %d experts", l, empty), g.Slots())
		}
		if err := g.Validate(); err != nil {
			return fmt.Errorf("%s: %w: metadata gate: layer %d: %w", r.Path, ErrFormat, l, err)
		}
		r.Gates = append(r.Gates, g)
		r.e = max(r.e, g.Slots())
	}
	return nil
}

func (r *Reader) readSequences() error {
	t, err := r.need("seq_offsets", tensor.Shape{-1}, tensor.I32)
	if err != nil {
		return err
	}
	r.Offsets = slices.Clone(t.I32s())
	n := len(r.Offsets) - 1
	if n < 1 || r.Offsets[0] != 0 || int(r.Offsets[n]) != r.Tokens {
		return r.fault("seq_offsets", fmt.Sprintf("0 to %d", r.Tokens), fmt.Sprintf("%d entries that do not", n+1))
	}
	for i := range n {
		if r.Offsets[i] >= r.Offsets[i+1] {
			return r.fault("seq_offsets", "rising offsets", fmt.Sprintf("%d, then %d", r.Offsets[i], r.Offsets[i+1]))
		}
	}
	if err := json.Unmarshal([]byte(r.Metadata["labels"]), &r.Labels); err != nil || len(r.Labels) != n {
		return r.fault("metadata labels", fmt.Sprintf("a JSON array of %d labels", n), fmt.Sprintf("%d", len(r.Labels)))
	}
	return nil
}

// optional notes which of the tensors on request are there.
func (r *Reader) optional() error {
	t, l := r.Tokens, len(r.Layers)
	for _, c := range []struct {
		name   string
		shape  tensor.Shape
		dtypes []tensor.DType
	}{
		{"router_logits", tensor.Shape{t, l, -1}, []tensor.DType{tensor.F32, tensor.F16}},
		{"gate_entropy", tensor.Shape{t, l}, []tensor.DType{tensor.F32}},
		{"expert_out_norm", tensor.Shape{t, l, r.K}, []tensor.DType{tensor.F32}},
		{"lookahead_ids", tensor.Shape{t, l, r.K}, []tensor.DType{tensor.U16}},
		{"next_token_logprob", tensor.Shape{t}, []tensor.DType{tensor.F32}},
		{"predicted_ids", tensor.Shape{t}, []tensor.DType{tensor.I32}},
	} {
		if _, ok := r.file.Tensor(c.name); !ok {
			continue
		}
		x, err := r.need(c.name, c.shape, c.dtypes...)
		if err != nil {
			return err
		}
		if c.name == "router_logits" {
			if r.e > x.Shape[2] {
				return r.fault(c.name, fmt.Sprintf("at least %d logits a layer", r.e), x.Shape[2])
			}
			r.e = x.Shape[2]
		}
		r.add(c.name, x)
	}
	return nil
}

// Has says whether the trace holds one of the tensors on request.
func (r *Reader) Has(name string) bool {
	return slices.ContainsFunc(r.cols, func(c column) bool { return c.name == name })
}

// read fills buf, which is grown, with rows [a, a+n) of a column.
func (r *Reader) read(c *column, a, n int, buf *tensor.Tensor) error {
	size := c.width * c.dtype.Size()
	if cap(buf.Data) < n*size {
		*buf = *tensor.New(c.dtype, n, c.width)
	}
	buf.DType, buf.Shape, buf.Data = c.dtype, tensor.Shape{n, c.width}, buf.Data[:n*size]
	if _, err := r.raw.ReadAt(buf.Data, c.at+int64(a)*int64(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("%s: %w: %s: %w", r.Path, ErrFormat, c.name, err)
	}
	return nil
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }
