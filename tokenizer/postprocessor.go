package tokenizer

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// part is a run of tokens on its way through the post-processors. offs and texts are nil where not wanted.
type part struct {
	ids   []int32
	offs  [][2]int
	texts []string
}

// postProcessor adds special tokens and trims offsets.
type postProcessor interface {
	process(parts []part, special bool) ([]part, error)
	// added returns how many special tokens a single sequence gets: truncation leaves room for them.
	added() int
	// trims reports whether process reads the texts of tokens.
	trims() bool
}

type postSequence []postProcessor

func (s postSequence) process(parts []part, special bool) ([]part, error) {
	var err error
	for _, p := range s {
		if parts, err = p.process(parts, special); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

func (s postSequence) added() (n int) {
	for _, p := range s {
		n += p.added()
	}
	return n
}

func (s postSequence) trims() bool {
	for _, p := range s {
		if p.trims() {
			return true
		}
	}
	return false
}

// newPostProcessor builds the component named by v.type; nil for null.
func newPostProcessor(v jsonValue) (postProcessor, error) {
	if v.absent() {
		return nil, nil
	}
	f := &field{of: "post_processor", obj: v}
	p, err := buildPostProcessor(f, f.string("type"))
	if f.err != nil {
		return nil, f.err
	}
	return p, err
}

func buildPostProcessor(f *field, kind string) (postProcessor, error) {
	switch kind {
	case "Sequence":
		seq := postSequence{}
		for _, item := range f.array("processors") {
			p, err := newPostProcessor(item)
			if err != nil {
				return nil, err
			}
			if p == nil {
				return nil, badf("post_processor.processors: null")
			}
			seq = append(seq, p)
		}
		return seq, nil
	case "ByteLevel":
		return trimmer{on: f.bool("trim_offsets"), prefixSpace: f.bool("add_prefix_space")}, nil
	case "BertProcessing":
		return frame{sep: f.namedID("sep"), cls: f.namedID("cls")}, nil
	case "RobertaProcessing":
		t := trimmer{on: f.bool("trim_offsets"), prefixSpace: f.bool("add_prefix_space")}
		return postSequence{t, frame{sep: f.namedID("sep"), cls: f.namedID("cls"), roberta: true}}, nil
	case "TemplateProcessing":
		return newTemplate(f)
	}
	return nil, unsupportedf("post_processor.type %q", kind)
}

// namedID reads ["token", id].
func (f *field) namedID(key string) specialPart {
	v := f.array(key)
	if len(v) != 2 || v[0].kind != jsonString {
		f.fail(key, "a token and its id")
		return specialPart{}
	}
	id, err := strconv.ParseUint(v[1].text, 10, 31)
	if err != nil {
		f.fail(key, "a token and its id")
	}
	return specialPart{[]int32{int32(id)}, []string{v[0].text}}
}

// specialPart is a run of special tokens.
type specialPart struct {
	ids   []int32
	texts []string
}

// part gives special tokens the offsets 0,0.
func (s specialPart) part(like part) part {
	p := part{ids: s.ids}
	if like.offs != nil {
		p.offs = make([][2]int, len(s.ids))
	}
	if like.texts != nil {
		p.texts = s.texts
	}
	return p
}

// frame puts cls before the first sequence and sep after each. Reference: tokenizers, processors/bert.rs, roberta.rs.
type frame struct {
	sep, cls specialPart
	roberta  bool
}

func (f frame) added() int  { return 2 }
func (f frame) trims() bool { return false }

func (f frame) process(parts []part, special bool) ([]part, error) {
	if !special {
		return parts, nil
	}
	out := make([]part, 0, len(parts))
	for i, p := range parts {
		sep := f.sep.part(p)
		switch {
		case i == 0:
			out = append(out, join([]part{f.cls.part(p), p, sep}))
		case f.roberta:
			out = append(out, join([]part{sep, p, sep}))
		default:
			out = append(out, join([]part{p, sep}))
		}
	}
	return out, nil
}

// join makes one part of several.
func join(parts []part) part {
	if len(parts) == 1 {
		return parts[0]
	}
	var out part
	for _, p := range parts {
		out.ids = append(out.ids, p.ids...)
		out.offs = append(out.offs, p.offs...)
		out.texts = append(out.texts, p.texts...)
	}
	return out
}

// trimmer takes white space at the ends of tokens out of their offsets. Reference: tokenizers,
// pre_tokenizers/byte_level.rs, process_offsets.
type trimmer struct{ on, prefixSpace bool }

func (t trimmer) added() int  { return 0 }
func (t trimmer) trims() bool { return t.on }

func (t trimmer) process(parts []part, _ bool) ([]part, error) {
	if !t.on {
		return parts, nil
	}
	for _, p := range parts {
		if p.texts == nil {
			continue
		}
		for i := range p.offs {
			t.trim(&p.offs[i], p.texts[i], i == 0)
		}
	}
	return parts, nil
}

func (t trimmer) trim(o *[2]int, text string, first bool) {
	lead, trail := 0, 0
	for rest := text; rest != ""; lead++ {
		r, n := utf8.DecodeRuneInString(rest)
		if !blank(r) {
			break
		}
		rest = rest[n:]
	}
	for rest := text; rest != ""; trail++ {
		r, n := utf8.DecodeLastRuneInString(rest)
		if !blank(r) {
			break
		}
		rest = rest[:len(rest)-n]
	}
	if lead > 0 {
		if (first || o[0] == 0) && t.prefixSpace && lead == 1 {
			lead = 0 // the space was put there by the pre-tokenizer
		}
		o[0] = min(o[0]+lead, o[1])
	}
	if trail > 0 && o[1] >= trail {
		o[1] = max(o[1]-trail, o[0])
	}
}

func blank(r rune) bool { return r == byteRunes[' '] || unicode.IsSpace(r) }
