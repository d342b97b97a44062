package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/seed2fbf7788/switchyard/loader"
	"github.com/seed2fbf7788/switchyard/tokenizer"
	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
)

// text is what a model knows of text: the tokenizer, and whether a prompt begins with the begin-of-text token.
type text struct {
	tok    *tokenizer.Tokenizer
	err    error // why there is no tokenizer; wraps ErrNoTokenizer
	addBOS bool
	hash   string // SHA-256 of tokenizer.json

	chat    *chat.Template // nil where chatErr says why
	chatErr error
}

// readText reads tokenizer.json, and add_bos_token of tokenizer_config.json. A model without them still takes ids.
func readText(fsys fs.FS) text {
	data, err := fs.ReadFile(fsys, "tokenizer.json")
	if err != nil {
		return text{err: fmt.Errorf("%w: %w", ErrNoTokenizer, err)}
	}
	tok, err := tokenizer.Parse(data)
	if err != nil {
		return text{err: fmt.Errorf("%w: tokenizer.json: %w", ErrNoTokenizer, err)}
	}
	sum := sha256.Sum256(data)
	t := text{tok: tok, hash: hex.EncodeToString(sum[:])}
	data, err = fs.ReadFile(fsys, "tokenizer_config.json")
	if errors.Is(err, fs.ErrNotExist) {
		return t
	}
	var f *loader.Fields
	if err == nil {
		f, err = loader.ParseFields("tokenizer_config.json", data)
	}
	if err == nil {
		t.addBOS = f.BoolOr("add_bos_token", false)
		err = f.Err()
	}
	if err != nil {
		return text{err: fmt.Errorf("%w: %w", ErrNoTokenizer, err)}
	}
	return t
}

// ReadTokenizer reads the tokenizer of a folder without its weights, and gives the hash that [Model.TokenizerHash] gives.
func ReadTokenizer(fsys fs.FS) (*tokenizer.Tokenizer, string, error) {
	t := readText(fsys)
	return t.tok, t.hash, t.err
}

// EncodePrompt turns a prompt into ids as Generate does at the beginning of a text: the special tokens of the tokenizer's
// post-processor, and the begin-of-text token where tokenizer_config.json asks for it and the post-processor has not put it there.
func (m *Model) EncodePrompt(prompt string) ([]int32, error) {
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, err
	}
	enc, err := tok.Encode(prompt, tokenizer.EncodeOptions{NoOffsets: true})
	if err != nil {
		return nil, err
	}
	ids := enc.IDs
	if bos := m.spec.BOS; m.text.addBOS && len(bos) > 0 && (len(ids) == 0 || ids[0] != bos[0]) {
		ids = slices.Insert(ids, 0, bos[0])
	}
	return ids, nil
}

// encode turns text into ids: a prompt at the beginning of a text, plain text behind it or where plain is asked for.
func (m *Model) encode(prompt string, plain bool) ([]int32, error) {
	if !plain {
		return m.EncodePrompt(prompt)
	}
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, err
	}
	enc, err := tok.Encode(prompt, tokenizer.EncodeOptions{NoSpecial: true, NoOffsets: true})
	return enc.IDs, err
}
