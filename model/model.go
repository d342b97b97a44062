package model

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/moe"
	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tokenizer"
	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
)

// Options of Open; the zero value works.
type Options struct {
	Level   string // instruction-set level of the kernels; "" takes SWITCHYARD_LEVEL, else the best that the CPU has
	Threads int    // 0: all cores
	Gate    string // overrides of the gates, such as "layers=4-8;topk=4;drop=3,5"; see moe.ParseGate
	Context int    // tokens that a sequence may hold; 0: what the model was made for
	Chunk   int    // tokens of a prompt that are computed at once; 0: 512
	Compute string // "" or "f32"; "bf16" rounds activations before products with bf16 weights, all but the router's; "bf16x3" see ComputeBF16x3
	KV      string // how keys and values are kept: "" or "f32", or "f16" in half the memory

	// Quant is the form of the large matrices: "" or "none" as the folder has them, "int8", "int4" or "mixed" (experts and
	// feed-forward in 4 bits, attention and head in 8). They are quantised while opening; router, norms, biases and
	// embeddings stay as they are. A folder that Quantize made has its own form, which needs no asking for.
	Quant string
	// Progress, where it is set, is told while weights are quantised how many bytes of them have been read. It is called on
	// the goroutine that opens the model.
	Progress func(done, total int64)
}

// Model is an open checkpoint, ready to run. It is safe for concurrent use: steps of several sessions take turns.
type Model struct {
	opts    Options
	spec    *Spec
	ckpt    *loader.Checkpoint
	claims  []loader.Claim // of the files
	inUse   []loader.Claim // the same with quantised weights in place of their sources
	scheme  string         // how the weights are quantised; empty for not at all
	weights Weights
	free    func() error // gives the memory of quantised weights back; may be nil
	sizes   []SchemeSize
	text    text

	program moe.Program     // Options.Gate
	routers []*moe.RouterOf // the checkpoint's gates; nil where a layer is dense
	gates   []*moe.Variant  // those in force
	whole   bool            // they decide about tokens together

	pool pages

	mu     sync.Mutex // guards everything below: one step at a time
	closed bool
	eng    *kernels.Engine
	state  state
	tables map[int]*ropeTable
}

// Open opens a Hugging Face folder. Weights stay in the mapped files; nothing is converted unless Options.Quant asks.
func Open(dir string, o Options) (*Model, error) { return OpenContext(context.Background(), dir, o) }

// OpenContext is Open that gives up when ctx is cancelled, also while it quantises.
func OpenContext(ctx context.Context, dir string, o Options) (*Model, error) {
	ckpt, err := loader.Open(dir)
	if err != nil {
		return nil, err
	}
	m, err := newModel(ctx, ckpt, os.DirFS(dir), o)
	if err != nil {
		return nil, err
	}
	m.text.chat, m.text.chatErr = chat.Open(dir)
	return m, nil
}

// OpenFS opens a checkpoint that lies in a file system, such as the built-in one.
func OpenFS(fsys fs.FS, o Options) (*Model, error) {
	ckpt, err := loader.OpenFS(fsys)
	if err != nil {
		return nil, err
	}
	return newModel(context.Background(), ckpt, fsys, o)
}

// OpenCheckpoint opens a checkpoint that lies in no folder, such as one of [loader.FromMemory]; it has no tokenizer. The
// model closes it, also where opening fails.
func OpenCheckpoint(ckpt *loader.Checkpoint, o Options) (*Model, error) {
	return newModel(context.Background(), ckpt, embed.FS{}, o)
}

func newModel(ctx context.Context, ckpt *loader.Checkpoint, fsys fs.FS, o Options) (*Model, error) {
	m := &Model{opts: o, ckpt: ckpt, text: readText(fsys), tables: map[int]*ropeTable{}}
	if err := m.load(ctx); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// load binds the weights, starts the engine and quantises.
func (m *Model) load(ctx context.Context) error {
	packed, err := packedScheme(m.ckpt)
	if err != nil {
		return err
	}
	scheme, err := schemeOf(m.opts.Quant, packed)
	if err != nil {
		return err
	}
	list, err := m.bind(packed, scheme != "")
	if err != nil {
		return err
	}
	if err := m.start(); err != nil {
		return err
	}
	m.scheme, m.inUse = packed, m.claims
	if scheme == "" {
		if packed == "" {
			m.sizes = schemeSizes(m.claims, list)
		}
		return nil
	}
	m.scheme = scheme
	if m.free, err = newPacker(ctx, m.eng, m.ckpt, m.opts.Progress).quantise(list, scheme); err != nil {
		return err
	}
	m.inUse = packedClaims(m.claims, list)
	return nil
}

// bind resolves the Spec and binds every tensor. It gives the weights that schemes quantise; turned says to leave
// transposed ones as they lie.
func (m *Model) bind(packed string, turned bool) ([]weight, error) {
	spec, fam, err := readSpec(m.ckpt)
	if err != nil {
		return nil, err
	}
	m.spec = spec
	if err := m.opts.check(); err != nil {
		return nil, err
	}
	if m.program, err = moe.ParseProgram(m.opts.Gate); err != nil {
		return nil, err
	}
	m.weights.Layers = make([]LayerWeights, len(spec.Layers))
	b := &binder{Binder: loader.NewBinder(m.ckpt), packed: packed}
	if turned {
		b.LeaveTurned()
	}
	fam.bind(b, spec, &m.weights)
	if err := errors.Join(append(b.faults, b.Done())...); err != nil {
		return nil, err
	}
	m.claims = b.Claims()
	return b.weights, m.override()
}

// engine starts the kernels that the options ask for.
func (o *Options) engine() (*kernels.Engine, error) {
	level := o.Level
	if level == "" {
		var err error
		if level, err = kernels.LevelFromEnv(); err != nil {
			return nil, err
		}
	}
	return kernels.New(kernels.Options{Level: level, Threads: o.Threads, BF16: o.Compute == ComputeBF16, Parts: o.Compute == ComputeBF16x3})
}

func (m *Model) start() error {
	eng, err := m.opts.engine()
	if err != nil {
		return err
	}
	m.eng, m.state.eng = eng, eng
	m.state.layout = newLayout(m.weights.Layers, m.opts.KV == KVF16)
	m.pool.size = m.state.layout.floats()
	return nil
}

// The arithmetics of Options.Compute.
const (
	ComputeF32  = "f32"
	ComputeBF16 = "bf16"

	// ComputeBF16x3 is f32 where the level has tiles of bfloat16: activations in three exact parts (kernels.Options.Parts).
	// Elsewhere it is ComputeF32.
	ComputeBF16x3 = "bf16x3"
)

// The forms of Options.KV.
const (
	KVF32 = "f32"
	KVF16 = "f16" // rounded to IEEE half, ties to even; values beyond ±65504 become ±65504
)

func (o *Options) check() error {
	if o.KV != "" && o.KV != KVF32 && o.KV != KVF16 {
		return fmt.Errorf("%w: KV: want %s or %s, found %q", ErrOption, KVF32, KVF16, o.KV)
	}
	if o.Compute != "" && o.Compute != ComputeF32 && o.Compute != ComputeBF16 && o.Compute != ComputeBF16x3 {
		return fmt.Errorf("%w: Compute: want %s, %s or %s, found %q", ErrOption, ComputeF32, ComputeBF16, ComputeBF16x3, o.Compute)
	}
	for _, f := range []struct {
		name  string
		value int
	}{{"Threads", o.Threads}, {"Context", o.Context}, {"Chunk", o.Chunk}} {
		if f.value < 0 {
			return fmt.Errorf("%w: %s: want 0 or more, found %d", ErrOption, f.name, f.value)
		}
	}
	return nil
}

// Close frees the mapping and stops the workers. It waits for a running step; calls after it return ErrClosed.
func (m *Model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.eng != nil {
		m.eng.Close()
	}
	m.weights = Weights{}
	if m.free == nil {
		return m.ckpt.Close()
	}
	return errors.Join(m.free(), m.ckpt.Close())
}

// Spec is the resolved configuration; it must not be changed.
func (m *Model) Spec() *Spec { return m.spec }

// Claims lists every tensor in use: name, shape, dtype, and whether it is mapped or was repacked. Quantised weights stand
// under the names that a packed folder gives them.
func (m *Model) Claims() []loader.Claim { return slices.Clone(m.inUse) }

// Quant is the form of the large matrices: "none", "int8", "int4" or "mixed".
func (m *Model) Quant() string { return or(m.scheme, quantNone) }

// Level is the instruction-set level in use; Threads the number of workers.
func (m *Model) Level() string { return m.eng.Level() }

// Threads is the number of threads that a step uses.
func (m *Model) Threads() int { return m.eng.Threads() }

// Context is how many tokens a sequence may hold.
func (m *Model) Context() int {
	if m.opts.Context > 0 {
		return m.opts.Context
	}
	return m.spec.limit()
}

// Tokenizer is the model's tokenizer, or an error that wraps ErrNoTokenizer where the folder has none that works.
func (m *Model) Tokenizer() (*tokenizer.Tokenizer, error) {
	return m.text.tok, m.text.err
}

// NewSequence makes an empty sequence over the model's cache.
func (m *Model) NewSequence() *Sequence { return &Sequence{pool: &m.pool} }

// Logits computes the logits [T,V] of every position of ids.
func (m *Model) Logits(ctx context.Context, ids []int32) (tensor.Mat, error) {
	seq := m.NewSequence()
	defer seq.Free()
	out := tensor.NewMat(len(ids), m.spec.Vocab)
	return out, m.Prefill(ctx, seq, ids, out, nil)
}

// Prefill appends ids to a sequence, Options.Chunk tokens at a time. out receives the logits of the last token (one
// row) or of all (a row each); no rows: none. On an error, a part of ids may have been appended.
func (m *Model) Prefill(ctx context.Context, seq *Sequence, ids []int32, out tensor.Mat, watch moe.Observer) error {
	return m.PrefillSpan(ctx, Span{Seq: seq, Tokens: ids, Out: out}, watch)
}

// PrefillSpan is Prefill of a span, with its gate. Gates that decide about tokens together see all of it at once.
func (m *Model) PrefillSpan(ctx context.Context, all Span, watch moe.Observer) error {
	seq, ids, out := all.Seq, all.Tokens, all.Out
	if len(ids) == 0 {
		return fmt.Errorf("%w: it has no tokens", ErrPrompt)
	}
	if n := seq.Len() + len(ids); n > m.Context() {
		return fmt.Errorf("%w: %d tokens, the model has room for %d", ErrContext, n, m.Context())
	}
	seq.Announce(seq.Len() + len(ids))
	chunk := or(m.opts.Chunk, 512)
	if m.WholeText(all.Gate) {
		chunk = len(ids)
	}
	for a := 0; a < len(ids); a += chunk {
		b := min(a+chunk, len(ids))
		sp := Span{Seq: seq, Tokens: ids[a:b], Gate: all.Gate}
		switch {
		case out.Rows == len(ids):
			sp.Out = out.Slice(a, b)
		case b == len(ids):
			sp.Out = out
		}
		if err := m.Step(ctx, Batch{sp}, watch); err != nil {
			return err
		}
	}
	return nil
}
