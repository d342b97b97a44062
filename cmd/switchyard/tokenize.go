package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/seed2fbf7788/switchyard/model/builtin"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// tokenizeFlags are the flags of `tokenize`.
type tokenizeFlags struct {
	dir                                         string
	decode, jsonl, offsets, special, skip, json bool
}

func (f *tokenizeFlags) parse(s stdio, args []string) ([]string, error) {
	fs := newFlags(s, "tokenize", "[-m DIR] [--decode] [TEXT]   (TEXT - or none reads stdin)")
	fs.StringVar(&f.dir, "m", "", "`folder` that holds tokenizer.json (default: the built-in model's)")
	fs.BoolVar(&f.decode, "decode", false, "TEXT is ids 1,2,3: print what they say")
	fs.BoolVar(&f.jsonl, "jsonl", false, "stdin has one JSON value a line, a string or with --decode an array of ids; so has stdout")
	fs.BoolVar(&f.offsets, "offsets", false, "also print each token's [start,end) in characters of the text")
	fs.BoolVar(&f.special, "special", true, "add the special tokens of the post-processor; --special=false adds none")
	fs.BoolVar(&f.skip, "skip-special", false, "with --decode: leave special tokens out")
	fs.BoolVar(&f.json, "json", false, "print JSON")
	return parse(fs, args)
}

func tokenizeCommand(ctx context.Context, s stdio, args []string) error {
	var f tokenizeFlags
	rest, err := f.parse(s, args)
	if err != nil {
		return err
	}
	if f.jsonl && len(rest) > 0 {
		return fmt.Errorf("%w: --jsonl reads stdin, found the argument %q", errUsage, rest[0])
	}
	tok, err := f.tokenizer()
	if err != nil {
		return err
	}
	if f.jsonl {
		return f.lines(ctx, s, tok)
	}
	text := strings.Join(rest, " ")
	if len(rest) == 0 || text == "-" {
		data, err := io.ReadAll(s.in)
		if err != nil {
			return err
		}
		text = string(data)
	}
	return f.one(s, tok, text)
}

func (f *tokenizeFlags) tokenizer() (*tokenizer.Tokenizer, error) {
	if f.dir != "" {
		return tokenizer.Open(f.dir)
	}
	data, err := fs.ReadFile(builtin.FS(), "tokenizer.json")
	if err != nil {
		return nil, err
	}
	return tokenizer.Parse(data)
}

// one answers a text, or a list of ids, of the command line.
func (f *tokenizeFlags) one(s stdio, tok *tokenizer.Tokenizer, text string) error {
	if f.decode {
		ids, err := idList(strings.Trim(strings.TrimSpace(text), "[]"))
		if err != nil {
			return err
		}
		out, err := tok.Decode(ids, f.skip)
		if err != nil {
			return err
		}
		if f.json {
			return encode(s.out, out)
		}
		_, err = fmt.Fprintln(s.out, out)
		return err
	}
	v, err := f.encoded(tok, text)
	if err != nil || f.json || f.offsets {
		return errors.Join(err, encodeIf(err == nil, s.out, v))
	}
	line, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintln(s.out, strings.Trim(string(line), "[]"))
	}
	return err
}

// encoded is the answer to one text: ids, or ids and offsets.
func (f *tokenizeFlags) encoded(tok *tokenizer.Tokenizer, text string) (any, error) {
	e, err := tok.Encode(text, tokenizer.EncodeOptions{NoSpecial: !f.special})
	if err != nil {
		return nil, err
	}
	if e.IDs == nil {
		e.IDs = []int32{}
	}
	if !f.offsets {
		return e.IDs, nil
	}
	if e.Offsets == nil {
		e.Offsets = [][2]int{}
	}
	return struct {
		IDs     []int32  `json:"ids"`
		Offsets [][2]int `json:"offsets"`
	}{e.IDs, e.Offsets}, nil
}

// lines answers stdin line by line, in order. An error names its line.
func (f *tokenizeFlags) lines(ctx context.Context, s stdio, tok *tokenizer.Tokenizer) error {
	out := bufio.NewWriter(s.out)
	in := bufio.NewReader(s.in)
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, out.Flush())
		}
		line, readErr := in.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			v, err := f.line(tok, line)
			if err == nil {
				err = encode(out, v)
			}
			if err != nil {
				return errors.Join(fmt.Errorf("line %d: %w", n, err), out.Flush())
			}
		}
		if readErr == io.EOF {
			return out.Flush()
		}
		if readErr != nil {
			return errors.Join(readErr, out.Flush())
		}
	}
}

func (f *tokenizeFlags) line(tok *tokenizer.Tokenizer, line []byte) (any, error) {
	if f.decode {
		var ids []int32
		if err := json.Unmarshal(line, &ids); err != nil {
			return nil, fmt.Errorf("want a JSON array of ids: %w", err)
		}
		return tok.Decode(ids, f.skip)
	}
	var text string
	if err := json.Unmarshal(line, &text); err != nil {
		return nil, fmt.Errorf("want a JSON string: %w", err)
	}
	return f.encoded(tok, text)
}

// encode writes one JSON value and a line end; HTML characters stay as they are.
func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func encodeIf(ok bool, w io.Writer, v any) error {
	if !ok {
		return nil
	}
	return encode(w, v)
}
