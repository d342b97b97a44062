package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/seed2fbf7788/switchyard/kernels"
	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// Encoder is an open checkpoint that reads a text both ways and gives vectors instead of a continuation: embeddings of
// texts, and classes where it has a classification head. It is safe for concurrent use: calls take turns.
type Encoder struct {
	opts    Options
	spec    *EncoderSpec
	ckpt    *loader.Checkpoint
	claims  []loader.Claim // of the files
	inUse   []loader.Claim // the same, or as they were quantised
	weights encoderWeights
	text    text
	pool    *pooling

	mu     sync.Mutex // guards everything below
	closed bool
	eng    *kernels.Engine
	state  encoderState
	free   func() error // gives back the quantised weights; may be nil
}

// OpenEncoder opens a Hugging Face folder of an encoder, sentence-transformers' files (modules.json, 1_Pooling) included
// where it has them. Of the options, Level, Threads, Context, Quant and Progress count.
func OpenEncoder(dir string, o Options) (*Encoder, error) {
	ckpt, err := loader.Open(dir)
	if err != nil {
		return nil, err
	}
	return newEncoder(ckpt, os.DirFS(dir), o)
}

// OpenEncoderFS opens an encoder that lies in a file system.
func OpenEncoderFS(fsys fs.FS, o Options) (*Encoder, error) {
	ckpt, err := loader.OpenFS(fsys)
	if err != nil {
		return nil, err
	}
	return newEncoder(ckpt, fsys, o)
}

func newEncoder(ckpt *loader.Checkpoint, fsys fs.FS, o Options) (*Encoder, error) {
	e := &Encoder{opts: o, ckpt: ckpt, text: readText(fsys)}
	if err := e.load(fsys); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Encoder) load(fsys fs.FS) error {
	spec, fam, err := readEncoderSpec(e.ckpt)
	if err != nil {
		return err
	}
	e.spec = spec
	if err := e.opts.check(); err != nil {
		return err
	}
	scheme, err := schemeOf(e.opts.Quant, "")
	if err != nil {
		return err
	}
	if e.pool, err = readPooling(fsys, spec); err != nil {
		return err
	}
	e.weights.Layers = make([]encoderLayerWeights, len(spec.Layers))
	b := &binder{Binder: loader.NewBinder(e.ckpt)}
	fam.bind(b, spec, &e.weights)
	if err := errors.Join(append(b.faults, b.Done())...); err != nil {
		return err
	}
	e.claims = b.Claims()
	e.inUse = e.claims
	if e.eng, err = e.opts.engine(); err != nil {
		return err
	}
	e.state.eng = e.eng
	return e.quantise(scheme)
}

// quantise puts the layers' matrices into the form of a scheme, "" for none.
func (e *Encoder) quantise(scheme string) (err error) {
	if scheme == "" {
		return nil
	}
	list := e.weights.quantisable()
	if e.free, err = newPacker(context.Background(), e.eng, e.ckpt, e.opts.Progress).quantise(list, scheme); err != nil {
		return err
	}
	e.inUse = packedClaims(e.claims, list)
	return nil
}

// Close frees the mapping and stops the workers. It waits for a running call; calls after it return ErrClosed.
func (e *Encoder) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	if e.eng != nil {
		e.eng.Close()
	}
	e.weights = encoderWeights{}
	if e.free == nil {
		return e.ckpt.Close()
	}
	return errors.Join(e.free(), e.ckpt.Close())
}

// Spec is the resolved configuration; it must not be changed.
func (e *Encoder) Spec() *EncoderSpec { return e.spec }

// Claims lists every tensor in use.
func (e *Encoder) Claims() []loader.Claim { return slices.Clone(e.inUse) }

// Level is the instruction-set level in use.
func (e *Encoder) Level() string { return e.eng.Level() }

// Context is how many tokens of a text are read, special ones included: the model's positions, or fewer where
// max_seq_length or Options.Context say so.
func (e *Encoder) Context() int {
	n := e.spec.Context
	for _, limit := range []int{e.pool.maxTokens, e.opts.Context} {
		if limit > 0 {
			n = min(n, limit)
		}
	}
	return n
}

// Tokenizer is the encoder's tokenizer, or an error that wraps ErrNoTokenizer.
func (e *Encoder) Tokenizer() (*tokenizer.Tokenizer, error) { return e.text.tok, e.text.err }

// Encoded is what an encoder makes of one text.
type Encoded struct {
	Hidden tensor.Mat // [T,H] the last hidden state
	Logits []float32  // [C] of the classification head; nil without one
}

// Encode runs texts given as ids, special ones included, in one flat batch. The bits of a text's result do not depend on the other
// texts, nor on the number of threads. Errors: [ErrPrompt] for a text of no ids, [ErrToken], [ErrContext], [ErrNumbers].
func (e *Encoder) Encode(ctx context.Context, texts [][]int32) ([]Encoded, error) {
	for i, ids := range texts {
		if err := e.check(ids); err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	out := make([]Encoded, 0, len(texts))
	for from := 0; from < len(texts); {
		to, tokens := from, 0
		for to < len(texts) && (to == from || tokens+len(texts[to]) <= encoderBatch) {
			tokens += len(texts[to])
			to++
		}
		part, err := e.forward(ctx, texts[from:to])
		if err != nil {
			return nil, err
		}
		out, from = append(out, part...), to
	}
	return out, nil
}

// encoderBatch is how many tokens are computed at once: what they need fits the caches, and a product has rows enough.
const encoderBatch = 512

func (e *Encoder) check(ids []int32) error {
	if len(ids) == 0 {
		return fmt.Errorf("%w: it has no tokens", ErrPrompt)
	}
	if len(ids) > e.spec.Context {
		return fmt.Errorf("%w: %d tokens, the model has room for %d", ErrContext, len(ids), e.spec.Context)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= e.spec.Vocab {
			return fmt.Errorf("%w: %d at position %d, want 0 to %d", ErrToken, id, i, e.spec.Vocab-1)
		}
	}
	return nil
}
