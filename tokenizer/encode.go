package tokenizer

import (
	"math"
	"runtime"
	"sync"
	"unicode/utf8"
)

// EncodeOptions are the options of Encode. The zero value adds special tokens, gives offsets, and neither
// truncates nor pads.
type EncodeOptions struct {
	NoSpecial bool // leave out the special tokens that the post-processor adds
	NoOffsets bool // leave Encoding.Offsets nil, which is faster
	Truncate  bool // obey "truncation" of the file
	Pad       bool // obey "padding" of the file
	MaxTokens int  // cut the text on its right so that there are at most so many tokens, special ones included; 0: no limit
}

// Encoding is an encoded text. It belongs to the caller.
type Encoding struct {
	IDs []int32
	// Offsets[i] is the range of characters (Unicode scalar values) of the input that token i came from, as
	// the reference library counts; 0,0 for special tokens that were added.
	Offsets [][2]int
}

// maxText bounds a text so that byte positions fit 32 bits with room for what normalisation adds.
const maxText = math.MaxInt32 / 8

// run is one call of Encode.
type run struct {
	t     *Tokenizer
	sc    *scratch
	spans []span
	offs  bool
	trim  bool
	out   part
}

// Encode splits text into tokens. Bytes that are not UTF-8 count as U+FFFD each. The result depends on the
// file and the text only. It is safe for concurrent use.
func (t *Tokenizer) Encode(text string, opts EncodeOptions) (Encoding, error) {
	sc := t.pool.Get().(*scratch)
	defer t.pool.Put(sc)
	if !utf8.ValidString(text) {
		text = string([]rune(text))
	}
	if len(text) > maxText {
		return Encoding{}, encodef("text of %d bytes, at most %d are supported", len(text), maxText)
	}
	r := run{t: t, sc: sc, offs: !opts.NoOffsets}
	r.trim = r.offs && t.post != nil && t.post.trims()
	if r.trim {
		r.out.texts = []string{}
	}
	r.out.ids = make([]int32, 0, len(text)/3+4)
	if r.offs {
		r.spans = make([]span, 0, len(text)/3+4)
	}
	if err := r.text(text); err != nil {
		return Encoding{}, err
	}
	if r.offs {
		r.out.offs = charOffsets(text, r.spans)
	}
	return t.finish(r.out, opts)
}

// text cuts out the added tokens, first from the text as it is, then from what normalisation makes of it.
func (r *run) text(text string) error {
	t := r.t
	if text == "" {
		return nil
	}
	return t.added.split(&t.added.plain, wholePiece(text), r.addedToken, func(p piece) error {
		if !r.offs && t.sliced {
			if text, ok := normalizePlain(t.norm, p.text); ok {
				if t.direct != nil && t.direct.takes(text) {
					return r.direct(text)
				}
				return r.normalized(wholePiece(text))
			}
		}
		if t.norm != nil {
			if err := t.norm.normalize(&p); err != nil {
				return err
			}
		}
		if p.text == "" {
			return nil
		}
		return r.normalized(p)
	})
}

// normalized cuts out the added tokens that are looked for in the normalised text and encodes the rest.
func (r *run) normalized(p piece) error {
	t := r.t
	return t.added.split(&t.added.norm, p, r.addedToken, func(q piece) error {
		if t.pre == nil {
			return r.word(q)
		}
		return t.pre.split(q, r.word)
	})
}

// direct encodes a normalised text whose origins do not matter.
func (r *run) direct(text string) error {
	t := r.t
	return t.added.split(&t.added.norm, wholePiece(text), r.addedToken, func(q piece) (err error) {
		r.out.ids, err = t.direct.encode(r.sc, r.out.ids, q.text, 0)
		return err
	})
}

func (r *run) addedToken(p piece, id int32) error {
	if p.text == "" {
		return nil
	}
	r.out.ids = append(r.out.ids, id)
	if r.offs {
		r.spans = append(r.spans, p.source(0, len(p.text)))
	}
	if r.trim {
		r.out.texts = append(r.out.texts, p.text)
	}
	return nil
}

// word gives one piece to the model.
func (r *run) word(p piece) error {
	if p.text == "" {
		return nil
	}
	sc := r.sc
	sc.toks = sc.toks[:0]
	if err := r.t.model.tokenize(sc, p.text); err != nil {
		return err
	}
	for _, k := range sc.toks {
		r.out.ids = append(r.out.ids, k.id)
		if r.offs {
			r.spans = append(r.spans, p.source(int(k.from), int(k.to)))
		}
		if r.trim {
			r.out.texts = append(r.out.texts, r.t.model.value(p.text, k))
		}
	}
	return nil
}

// finish truncates, adds special tokens and pads.
func (t *Tokenizer) finish(p part, opts EncodeOptions) (Encoding, error) {
	var err error
	for _, limit := range t.limits(opts) {
		room := 0
		if t.post != nil && !opts.NoSpecial {
			room = t.post.added()
		}
		if p, err = limit.apply(p, room); err != nil {
			return Encoding{}, err
		}
	}
	parts := []part{p}
	if t.post != nil {
		if parts, err = t.post.process(parts, !opts.NoSpecial); err != nil {
			return Encoding{}, err
		}
	}
	p = join(parts)
	e := Encoding{IDs: p.ids, Offsets: p.offs}
	if opts.Pad && t.padding != nil {
		t.padding.apply(&e, t.padding.length(len(e.IDs)))
	}
	return e, nil
}

// limits are the truncations of one call: the file's, the caller's.
func (t *Tokenizer) limits(opts EncodeOptions) []*truncation {
	var list []*truncation
	if opts.Truncate && t.truncation != nil {
		list = append(list, t.truncation)
	}
	if opts.MaxTokens > 0 {
		list = append(list, &truncation{max: opts.MaxTokens, strategy: "LongestFirst"})
	}
	return list
}

// EncodeBatch encodes texts in parallel; the order is kept, and of several errors that of the first text is
// returned. Padding to the longest, where the file asks for it, looks at the whole batch.
func (t *Tokenizer) EncodeBatch(texts []string, opts EncodeOptions) ([]Encoding, error) {
	out, errs := make([]Encoding, len(texts)), make([]error, len(texts))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(texts)) {
		wg.Go(func() {
			for i := range next {
				out[i], errs[i] = t.Encode(texts[i], opts)
			}
		})
	}
	for i := range texts {
		next <- i
	}
	close(next)
	wg.Wait()
	longest := 0
	for i, err := range errs {
		if err != nil {
			return nil, err
		}
		longest = max(longest, len(out[i].IDs))
	}
	if opts.Pad && t.padding != nil {
		for i := range out {
			t.padding.apply(&out[i], t.padding.length(longest))
		}
	}
	return out, nil
}
