package tokenizer

import "strings"

// frag is a part of a token on its way through the decoder. A token is one or more frags, the first and the
// last of them marked; the text of one frag never ends inside of a character.
type frag struct {
	text        string
	first, last bool
}

// stage is one decoder at work on one stream of tokens. It hands on what has become certain.
type stage interface {
	push(f frag, out func(frag))
	// close hands on the rest; nothing is pushed afterwards.
	close(out func(frag))
}

// stageMaker starts a stage for a new stream.
type stageMaker func() stage

// newDecoder builds the stages of the component named by v.type; spaced is true where there is none.
func newDecoder(v jsonValue) (stages []stageMaker, spaced bool, err error) {
	if v.absent() {
		return []stageMaker{perToken(func(i int, s string) (string, bool) {
			if i > 0 {
				s = " " + s
			}
			return s, true
		})}, true, nil
	}
	f := &field{of: "decoder", obj: v}
	stages, err = buildDecoder(f, f.string("type"))
	if f.err != nil {
		err = f.err
	}
	return stages, false, err
}

func buildDecoder(f *field, kind string) ([]stageMaker, error) {
	one := func(m stageMaker) ([]stageMaker, error) { return []stageMaker{m}, nil }
	switch kind {
	case "Sequence":
		var all []stageMaker
		for _, item := range f.array("decoders") {
			stages, none, err := newDecoder(item)
			if err != nil {
				return nil, err
			}
			if none {
				return nil, badf("decoder.decoders: null")
			}
			all = append(all, stages...)
		}
		return all, nil
	case "ByteLevel":
		return one(func() stage { return &byteLevelStage{} })
	case "ByteFallback":
		return one(func() stage { return &byteFallbackStage{} })
	case "Fuse":
		return one(func() stage { return &fuseStage{} })
	case "Strip":
		content, start, stop := f.rune("content"), f.size("start"), f.size("stop")
		return one(func() stage { return &stripStage{content: content, start: start, stop: stop} })
	case "Replace":
		x, err := newReplace(f)
		return []stageMaker{perToken(func(_ int, s string) (string, bool) {
			if t, err := x.apply(s); err == nil {
				s = t
			}
			return s, true
		})}, err
	case "Metaspace":
		m, err := newMetaspace(f)
		return []stageMaker{perToken(func(i int, s string) (string, bool) { return m.decode(i, s), true })}, err
	case "WordPiece":
		prefix, tidy := f.string("prefix"), f.bool("cleanup")
		return one(perToken(func(i int, s string) (string, bool) { return decodeWordPiece(i, s, prefix, tidy), true }))
	case "CTC":
		return one(newCTC(f))
	case "BPEDecoder":
		suffix := f.string("suffix")
		return one(func() stage { return &suffixStage{suffix: suffix} })
	}
	return nil, unsupportedf("decoder.type %q", kind)
}

// decode writes marks as spaces; those of the first token were put there by the pre-tokenizer.
func (m *metaspace) decode(i int, s string) string {
	if i == 0 && m.scheme != "never" {
		return strings.ReplaceAll(s, m.mark, "")
	}
	return strings.ReplaceAll(s, m.mark, " ")
}

func decodeWordPiece(i int, s, prefix string, tidy bool) string {
	if i > 0 {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			s = rest
		} else {
			s = " " + s
		}
	}
	if tidy {
		s = cleanup(s)
	}
	return s
}

// cleanup takes out spaces that tokenization put before English punctuation, rule after rule.
func cleanup(s string) string {
	for _, rule := range [...][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
		{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	} {
		s = strings.ReplaceAll(s, rule[0], rule[1])
	}
	return s
}

// newCTC drops repeats and pads.
func newCTC(f *field) stageMaker {
	pad, delim, tidy := f.string("pad_token"), f.string("word_delimiter_token"), f.bool("cleanup")
	return func() stage {
		before, any := "", false
		return &tokenStage{fn: func(_ int, s string) (string, bool) {
			if any && s == before {
				return "", false
			}
			before, any = s, true
			s = strings.ReplaceAll(s, pad, "")
			if tidy {
				s = strings.ReplaceAll(cleanup(s), delim, " ")
			}
			return s, s != ""
		}}
	}
}
