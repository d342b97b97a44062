package model

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tensor"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// pooling says how the hidden states of a text become one vector: sentence-transformers' modules.json, 1_Pooling/config.json and
// sentence_bert_config.json. Without those files: the mean over the tokens, length 1.
type pooling struct {
	mean, cls, max, last bool // several of them are concatenated in the order cls, max, mean, last
	normalise            bool
	maxTokens            int // 0: as many as the model has positions for
	lower                bool
}

// readPooling reads the files; a module or a mode that is not known is refused by name.
func readPooling(fsys fs.FS, s *EncoderSpec) (*pooling, error) {
	p := &pooling{mean: true, normalise: true}
	data, err := fs.ReadFile(fsys, "modules.json")
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	modules, err := readModules(data)
	if err != nil {
		return nil, err
	}
	p.normalise = false
	for i, m := range modules {
		switch kind := m.kind[strings.LastIndexByte(m.kind, '.')+1:]; {
		case kind == "Transformer" && i == 0:
			err = p.readLimits(fsys, m.dir)
		case kind == "Pooling" && i == 1:
			err = p.readModes(fsys, m.dir, s.Hidden)
		case kind == "Normalize" && i == 2:
			p.normalise = true
		default:
			err = fmt.Errorf("%w: modules.json: module %d: want Transformer, Pooling and Normalize in this order, found %q", ErrSpec, i, m.kind)
		}
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

type module struct{ kind, dir string }

// readModules reads the list of modules.json, which is an array and so no object that Fields could read.
func readModules(data []byte) ([]module, error) {
	f, err := loader.ParseFields("modules.json", append(append([]byte(`{"modules":`), data...), '}'))
	if err != nil {
		return nil, err
	}
	var out []module
	for _, o := range f.Objects("modules") {
		m := module{kind: o.String("type"), dir: o.StringOr("path", "")}
		if m.dir != "" && !fs.ValidPath(m.dir) {
			o.Fail("path", "a folder inside the model's", m.dir)
		}
		out = append(out, m)
	}
	return out, f.Err()
}

func (p *pooling) readLimits(fsys fs.FS, dir string) error {
	f, err := fieldsIf(fsys, path.Join(dir, "sentence_bert_config.json"))
	if f == nil {
		return err
	}
	p.maxTokens = f.IntOr("max_seq_length", 0, 1, maxContext)
	p.lower = f.BoolOr("do_lower_case", false)
	return f.Err()
}

func (p *pooling) readModes(fsys fs.FS, dir string, hidden int) error {
	f, err := fieldsIf(fsys, path.Join(dir, "config.json"))
	if err != nil {
		return err
	}
	if f == nil {
		return fmt.Errorf("%w: %s/config.json: %w", ErrSpec, dir, fs.ErrNotExist)
	}
	if n := f.IntOr("word_embedding_dimension", hidden, 1, maxDim); n != hidden {
		f.Fail("word_embedding_dimension", fmt.Sprint("the model's hidden size ", hidden), fmt.Sprint(n))
	}
	p.cls, p.max = f.BoolOr("pooling_mode_cls_token", false), f.BoolOr("pooling_mode_max_tokens", false)
	p.mean, p.last = f.BoolOr("pooling_mode_mean_tokens", false), f.BoolOr("pooling_mode_lasttoken", false)
	for _, other := range []string{"pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens"} {
		if f.BoolOr(other, false) {
			f.Fail(other, "false (mean, cls, max and lasttoken are known)", "true")
		}
	}
	if !p.cls && !p.max && !p.mean && !p.last {
		f.Fail("pooling_mode_mean_tokens", "one of the pooling modes", "none")
	}
	return f.Err()
}

// fieldsIf reads a JSON file; nil where there is none.
func fieldsIf(fsys fs.FS, name string) (*loader.Fields, error) {
	data, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return loader.ParseFields(name, data)
}

// vector pools the hidden states [T,H] of one text.
func (p *pooling) vector(h tensor.Mat) []float32 {
	var out []float32
	add := func(on bool, f func(dst []float32)) {
		if on {
			out = append(out, make([]float32, h.Cols)...)
			f(out[len(out)-h.Cols:])
		}
	}
	add(p.cls, func(dst []float32) { copy(dst, h.Row(0)) })
	add(p.max, func(dst []float32) { maxRows(dst, h) })
	add(p.mean, func(dst []float32) { meanRows(dst, h) })
	add(p.last, func(dst []float32) { copy(dst, h.Row(h.Rows-1)) })
	if p.normalise {
		unit(out)
	}
	return out
}

func meanRows(dst []float32, h tensor.Mat) {
	for i := range dst {
		sum := 0.0
		for t := range h.Rows {
			sum += float64(h.Row(t)[i])
		}
		dst[i] = float32(sum / float64(h.Rows))
	}
}

func maxRows(dst []float32, h tensor.Mat) {
	copy(dst, h.Row(0))
	for t := 1; t < h.Rows; t++ {
		for i, v := range h.Row(t) {
			dst[i] = max(dst[i], v)
		}
	}
}

// unit makes a vector's length 1; one that is shorter than 1e-12 is divided by that, as in the reference.
func unit(v []float32) {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	length := max(math.Sqrt(sum), 1e-12)
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
}

// Dim is the length of an embedding.
func (e *Encoder) Dim() int {
	n := 0
	for _, on := range []bool{e.pool.cls, e.pool.max, e.pool.mean, e.pool.last} {
		if on {
			n += e.spec.Hidden
		}
	}
	return n
}

// Embed gives the embedding of each text: its hidden states pooled as the folder's files say. Texts longer than Context
// are cut.
func (e *Encoder) Embed(ctx context.Context, texts []string) ([][]float32, error) {
	ids, err := e.encodeTexts(texts)
	if err != nil {
		return nil, err
	}
	return e.EmbedIDs(ctx, ids)
}

// EmbedIDs is [Encoder.Embed] of texts given as ids, which are taken as they are: special ones are the caller's to put in.
func (e *Encoder) EmbedIDs(ctx context.Context, texts [][]int32) ([][]float32, error) {
	out := make([][]float32, 0, len(texts))
	err := e.each(ctx, texts, func(r Encoded) { out = append(out, e.pool.vector(r.Hidden)) })
	return out, err
}

// each hands on the result of each text, some at a time: those of many long texts would not fit memory together.
func (e *Encoder) each(ctx context.Context, texts [][]int32, f func(Encoded)) error {
	for i, ids := range texts {
		if err := e.check(ids); err != nil {
			return fmt.Errorf("text %d: %w", i, err)
		}
	}
	for part := range slices.Chunk(texts, encodeAtOnce) {
		list, err := e.Encode(ctx, part)
		if err != nil {
			return err
		}
		for _, r := range list {
			f(r)
		}
	}
	return nil
}

const encodeAtOnce = 64

// Class is what a classification head says of a text.
type Class struct {
	Label  string
	Score  float32
	Scores []float32 // [C] in the order of Spec().Head.Labels
}

// Classify gives the classes of each text: the softmax of the head's logits, or their sigmoids where a text may have several
// labels. An encoder without a head gives an error that wraps [ErrOption].
func (e *Encoder) Classify(ctx context.Context, texts []string) ([]Class, error) {
	if e.spec.Head == nil {
		return nil, fmt.Errorf("%w: this %s has no classification head; use embed", ErrOption, e.spec.Family)
	}
	ids, err := e.encodeTexts(texts)
	if err != nil {
		return nil, err
	}
	out := make([]Class, 0, len(ids))
	err = e.each(ctx, ids, func(r Encoded) { out = append(out, e.spec.Head.class(r.Logits)) })
	return out, err
}

func (h *ClassHead) class(logits []float32) Class {
	best, z := 0, 0.0
	for i, l := range logits {
		if l > logits[best] {
			best = i
		}
	}
	scores := make([]float32, len(logits))
	for _, l := range logits {
		z += math.Exp(float64(l - logits[best]))
	}
	for i, l := range logits {
		if h.MultiLabel {
			scores[i] = float32(1 / (1 + math.Exp(-float64(l))))
		} else {
			scores[i] = float32(math.Exp(float64(l-logits[best])) / z)
		}
	}
	return Class{Label: h.Labels[best], Score: scores[best], Scores: scores}
}

func (e *Encoder) encodeTexts(texts []string) ([][]int32, error) {
	ids := make([][]int32, len(texts))
	for i, t := range texts {
		var err error
		if ids[i], err = e.EncodeText(t); err != nil {
			return nil, fmt.Errorf("text %d: %w", i, err)
		}
	}
	return ids, nil
}

// EncodeText turns a text into ids with the special tokens of the tokenizer, at most Context of them.
func (e *Encoder) EncodeText(t string) ([]int32, error) {
	tok, err := e.Tokenizer()
	if err != nil {
		return nil, err
	}
	if e.pool.lower {
		t = strings.ToLower(t)
	}
	enc, err := tok.Encode(t, tokenizer.EncodeOptions{NoOffsets: true, MaxTokens: e.Context()})
	return enc.IDs, err
}
