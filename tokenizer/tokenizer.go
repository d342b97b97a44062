package tokenizer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"
)

// Tokenizer turns text into ids and back exactly as the tokenizer.json that it was read from says. It is
// safe for concurrent use and does not change after Parse, but for a pool of working memory.
type Tokenizer struct {
	model      model
	added      *addedVocab
	norm       normalizer    // nil: none
	pre        preTokenizer  // nil: none
	post       postProcessor // nil: none
	decoder    []stageMaker  // nil: tokens are joined by spaces
	spaced     bool          // no decoder in the file
	truncation *truncation
	padding    *padding
	direct     *direct // nil: none
	sliced     bool    // pre only cuts, and does not look at origins
	size       int
	pool       sync.Pool // *scratch
}

// maxFile bounds the size of a tokenizer.json; the largest in use have some 35 MB.
const maxFile = 512 << 20

// Open reads DIR/tokenizer.json; nothing else in the folder is looked at. Errors name the file.
func Open(dir string) (*Tokenizer, error) {
	path := filepath.Join(dir, "tokenizer.json")
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s: %w: %d bytes, at most %d", path, ErrNotTokenizer, info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse reads the bytes of a tokenizer.json, which are not kept. Errors wrap ErrNotTokenizer or
// ErrUnsupported and name the field.
func Parse(data []byte) (*Tokenizer, error) {
	if !utf8.Valid(data) {
		return nil, badf("the text is not UTF-8")
	}
	r := &jsonReader{src: string(data)}
	t := &Tokenizer{pool: sync.Pool{New: func() any { return new(scratch) }}}
	top := jsonValue{kind: jsonObject}
	err := r.object(func(key string) error {
		if key == "model" && r.peek() == '{' {
			var err error
			t.model, err = readModel(r)
			return err
		}
		v, err := r.value()
		top.keys, top.list = append(top.keys, key), append(top.list, v)
		return err
	})
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	return t, t.assemble(top)
}

// assemble builds the components around the model.
func (t *Tokenizer) assemble(top jsonValue) error {
	if t.model == nil {
		return badf("model: missing")
	}
	if v := top.get("version"); v.kind != jsonMissing && v.text != "1.0" {
		return unsupportedf("version %q", v.text)
	}
	steps := []func() error{
		func() (err error) { t.norm, err = newNormalizer(top.get("normalizer")); return },
		func() (err error) { t.pre, err = newPreTokenizer(top.get("pre_tokenizer")); return },
		func() (err error) { t.post, err = newPostProcessor(top.get("post_processor")); return },
		func() (err error) { t.decoder, t.spaced, err = newDecoder(top.get("decoder")); return },
		func() (err error) { t.truncation, err = newTruncation(top.get("truncation")); return },
		func() (err error) { t.padding, err = newPadding(top.get("padding")); return },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	toks, err := readAdded(top.get("added_tokens"))
	if err != nil {
		return err
	}
	if t.added, err = newAddedVocab(toks, t.model, t.norm); err != nil {
		return err
	}
	voc, _ := t.model.vocabulary()
	t.size = int(max(voc.top, t.added.top)) + 1
	t.shortenBytes()
	t.sliced = onlyCuts(t.pre)
	return nil
}

// shortenBytes lets byte-level BPE work on plain bytes where that is the same.
func (t *Tokenizer) shortenBytes() {
	b, ok := t.model.(*bpe)
	if !ok {
		return
	}
	defer func() { t.direct = newDirect(t.pre, b) }()
	last := t.pre
	for {
		seq, ok := last.(splitSequence)
		if !ok || len(seq) == 0 {
			break
		}
		last = seq[len(seq)-1]
	}
	if level, ok := last.(*byteLevel); ok && b.useRaw() {
		level.raw = true
	}
}

// VocabSize returns the highest id + 1, added tokens included.
func (t *Tokenizer) VocabSize() int { return t.size }

// ID returns the id of a token as it is written in the file.
func (t *Tokenizer) ID(token string) (int32, bool) {
	if id, ok := t.added.ids[token]; ok {
		return id, true
	}
	voc, _ := t.model.vocabulary()
	return voc.id(token)
}

// Token returns the token of an id as it is written in the file.
func (t *Tokenizer) Token(id int32) (string, bool) {
	if a, ok := t.added.byID[id]; ok {
		return a.content, true
	}
	voc, _ := t.model.vocabulary()
	return voc.token(id)
}

// decodeToken returns what the decoder sees for an id.
func (t *Tokenizer) decodeToken(id int32) (string, bool) {
	if s, ok := t.added.shown[id]; ok {
		return s, true
	}
	return t.Token(id)
}

// IsSpecial reports whether Decode with skipSpecial leaves the id out.
func (t *Tokenizer) IsSpecial(id int32) bool {
	s, ok := t.decodeToken(id)
	return ok && t.added.special[s]
}

// Decode turns ids back into text. Ids outside of the vocabulary are left out, as in the reference.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	s := t.NewStream(skipSpecial)
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(s.Next(id))
	}
	b.WriteString(s.Flush())
	return b.String(), nil
}
