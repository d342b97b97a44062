package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// bpe is byte-pair encoding: a piece starts as its characters and the adjacent pair of lowest rank is merged,
// the leftmost first, until no pair has a rank. Reference: tokenizers, models/bpe/model.rs and word.rs.
type bpe struct {
	voc       *vocab
	merges    pairTable
	junctions func() *junctions // made when first needed

	prefix, suffix string // put before every character but the first, after the last
	unk            string
	unkID          int32 // -1 where unk is set but not in the vocabulary
	hasUnk         bool
	fuseUnk        bool
	byteFallback   bool
	ignoreMerges   bool
	ascii          [utf8.RuneSelf]int32 // ids of single characters, -1 where missing
	bytes          [256]int32           // ids of <0x00>…<0xFF>, -1 where missing

	raw     bool       // pieces arrive as plain bytes, not in the byte alphabet
	rawByte [256]int32 // raw: id of each byte
}

type mergePair struct{ left, right string }

// readMerges reads ["a b", …] or [["a","b"], …].
func readMerges(r *jsonReader) ([]mergePair, error) {
	quotes := 2 // of one merge; all that follow in the file are counted, to make the list in one piece
	if strings.HasPrefix(strings.TrimLeft(r.src[r.pos+1:], " \n\r\t"), "[") {
		quotes = 4
	}
	out := make([]mergePair, 0, strings.Count(r.src[r.pos:], `"`)/quotes)
	err := r.array(func() error {
		var m mergePair
		if r.peek() == '[' {
			n := 0
			err := r.array(func() error {
				s, err := r.str()
				if n++; n == 1 {
					m.left = s
				} else {
					m.right = s
				}
				return err
			})
			if err == nil && n != 2 {
				err = badf("model.merges[%d]: want 2 parts, got %d", len(out), n)
			}
			out = append(out, m)
			return err
		}
		s, err := r.str()
		if err != nil || strings.HasPrefix(s, "#version") {
			return err
		}
		var ok bool
		if m.left, m.right, ok = strings.Cut(s, " "); !ok || strings.Contains(m.right, " ") {
			return badf("model.merges[%d]: want two parts with one space between", len(out))
		}
		out = append(out, m)
		return nil
	})
	return out, err
}

func newBPE(m *modelFields) (*bpe, error) {
	if !m.merged {
		return nil, badf("model.merges: missing")
	}
	f := field{of: "model", obj: m.small}
	b := &bpe{voc: m.vocab}
	b.junctions = sync.OnceValue(func() *junctions { return newJunctions(b) })
	b.prefix, b.suffix = f.optString("continuing_subword_prefix"), f.optString("end_of_word_suffix")
	b.fuseUnk, b.byteFallback = f.optBool("fuse_unk", false), f.optBool("byte_fallback", false)
	b.ignoreMerges = f.optBool("ignore_merges", false)
	if unk := m.small.get("unk_token"); !unk.absent() {
		b.unk, b.hasUnk = f.string("unk_token"), true
		b.unkID = -1
		if id, ok := b.voc.id(b.unk); ok {
			b.unkID = id
		}
	}
	if d := m.small.get("dropout"); !d.absent() {
		p, err := strconv.ParseFloat(d.text, 64)
		if d.kind != jsonNumber || err != nil || p < 0 || p > 1 {
			f.fail("dropout", "a number from 0 to 1")
		} else if p > 0 {
			return nil, unsupportedf("model.dropout %s: encoding would be random", d.text)
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	for i := range b.ascii {
		b.ascii[i] = -1
		if id, ok := b.voc.id(string(rune(i))); ok {
			b.ascii[i] = id
		}
	}
	for i := range b.bytes {
		b.bytes[i] = -1
		if id, ok := b.voc.id(fmt.Sprintf("<0x%02X>", i)); ok {
			b.bytes[i] = id
		}
	}
	return b, b.rank(m.merges)
}

// rank builds the merge table; the rank of a pair is its place in the list.
func (b *bpe) rank(pairs []mergePair) error {
	b.merges.init(len(pairs))
	var buf []byte
	next := int32(0) // merges mostly stand in the order of what they make: a guess that spares a search
	for i, m := range pairs {
		l, okL := b.voc.id(m.left)
		r, okR := b.voc.id(m.right)
		if !okL || !okR || len(m.right) < len(b.prefix) {
			return badf("model.merges[%d]: %q or %q is not in the vocabulary", i, m.left, m.right)
		}
		buf = append(append(buf[:0], m.left...), m.right[len(b.prefix):]...)
		id := next - 1
		if tok, ok := b.voc.token(id); !ok || tok != string(buf) {
			id = next
			if tok, ok := b.voc.token(id); !ok || tok != string(buf) {
				var ok bool
				if id, ok = b.voc.id(string(buf)); !ok {
					return badf("model.merges[%d]: %q is not in the vocabulary", i, buf)
				}
			}
		}
		next = id + 1
		b.merges.set(l, r, int32(i), id)
	}
	return nil
}

// useRaw switches to pieces of plain bytes, which spares the way through the byte alphabet and back. It is
// exact only where every byte has a token of its own; it reports whether that is so.
func (b *bpe) useRaw() bool {
	if b.prefix != "" || b.suffix != "" {
		return false
	}
	for i := range b.rawByte {
		id, ok := b.voc.id(string(byteRunes[i]))
		if !ok {
			return false
		}
		b.rawByte[i] = id
	}
	b.raw = true
	return true
}

func (b *bpe) vocabulary() (*vocab, int) { return b.voc, b.voc.size }

func (b *bpe) value(_ string, t token) string {
	s, _ := b.voc.token(t.id)
	return s
}

func (b *bpe) tokenize(sc *scratch, text string) error {
	if len(text) <= shortWordN {
		lo, hi := wordKey(text)
		if s := sc.words.findShort(lo, hi, len(text)); s != nil {
			sc.toks = s.appendTo(sc.toks)
			return nil
		}
		from := len(sc.toks)
		if err := b.word(sc, text); err != nil {
			return err
		}
		sc.words.keepShort(lo, hi, len(text), sc.toks[from:])
		return nil
	}
	slot := sc.words.findLong(text)
	if slot == nil {
		return b.long(sc, text)
	}
	if string(slot.word) == text {
		sc.toks = append(sc.toks, slot.toks...)
		return nil
	}
	from := len(sc.toks)
	if err := b.word(sc, text); err != nil {
		return err
	}
	slot.keep(text, sc.toks[from:])
	return nil
}

// appendIDs is tokenize for callers that want nothing but ids.
func (b *bpe) appendIDs(sc *scratch, ids []int32, text string) ([]int32, error) {
	if len(text) <= shortWordN {
		lo, hi := wordKey(text)
		if s := sc.words.findShort(lo, hi, len(text)); s != nil {
			if s.n == 1 {
				return append(ids, s.ids[0]), nil
			}
			return append(ids, s.ids[:s.n]...), nil
		}
	}
	sc.toks = sc.toks[:0]
	err := b.tokenize(sc, text)
	for _, t := range sc.toks {
		ids = append(ids, t.id)
	}
	return ids, err
}

// worthCutting is the length in bytes from which a text pays for the table of junctions, which is made once.
const worthCutting = 256

// long is tokenize for a text that is too long for the cache: parts of it may not be.
func (b *bpe) long(sc *scratch, text string) error {
	if len(text) < worthCutting {
		return b.word(sc, text)
	}
	j := b.junctions()
	if !j.usable {
		return b.word(sc, text)
	}
	at := int32(0)
	return j.parts(text, func(part string) error {
		from := len(sc.toks)
		var err error
		if len(part) > cacheMaxWord {
			err = b.word(sc, part)
		} else {
			err = b.tokenize(sc, part)
		}
		for i := from; i < len(sc.toks); i++ {
			sc.toks[i].from += at
			sc.toks[i].to += at
		}
		if n := len(sc.toks); n > from {
			at = sc.toks[n-1].to
		}
		return err
	})
}

// word appends the tokens of a word that the cache does not know.
func (b *bpe) word(sc *scratch, text string) error {
	if id, ok := b.whole(&sc.bpe, text); ok {
		sc.toks = append(sc.toks, token{id, 0, int32(len(text))})
		return nil
	}
	if err := b.symbols(&sc.bpe, text); err != nil {
		return err
	}
	sc.toks = b.merge(&sc.bpe, sc.toks)
	return nil
}

// whole returns the token that is all of text, where merges do not matter then.
func (b *bpe) whole(sc *bpeScratch, text string) (int32, bool) {
	if !b.ignoreMerges {
		return 0, false
	}
	if !b.raw {
		return b.voc.id(text)
	}
	sc.written = sc.written[:0]
	for i := 0; i < len(text); i++ {
		sc.written = utf8.AppendRune(sc.written, byteRunes[text[i]])
	}
	return b.voc.id(string(sc.written))
}

// symbols splits a piece into the characters to start from.
func (b *bpe) symbols(sc *bpeScratch, text string) error {
	sc.syms = sc.syms[:0]
	if b.raw {
		for i := 0; i < len(text); i++ {
			sc.add(b.rawByte[text[i]], 1)
		}
		return nil
	}
	unkLen := int32(-1) // bytes of the unknown text not added yet, -1 when there is none
	flush := func() {
		if unkLen >= 0 {
			sc.add(b.unkID, unkLen)
			unkLen = -1
		}
	}
	bare := b.prefix == "" && b.suffix == ""
	for i := 0; i < len(text); {
		if c := text[i]; bare && c < utf8.RuneSelf && b.ascii[c] >= 0 {
			flush()
			sc.add(b.ascii[c], 1)
			i++
			continue
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		s := b.decorated(text, i, i+n)
		i += n
		if id, ok := b.voc.id(s); ok {
			flush()
			sc.add(id, int32(n))
			continue
		}
		// Here the reference does not flush the unknown text before it: the bytes overtake it.
		if b.byteFallback && b.addBytes(sc, s) {
			continue
		}
		if !b.hasUnk {
			continue // dropped in silence, as in the reference
		}
		if b.unkID < 0 {
			return encodef("model.unk_token %q is not in the vocabulary", b.unk)
		}
		if unkLen >= 0 && b.fuseUnk {
			unkLen += int32(n)
			continue
		}
		flush()
		unkLen = int32(n)
	}
	flush()
	return nil
}

// decorated returns text[i:j] with the prefix and suffix that its place in the word asks for.
func (b *bpe) decorated(text string, i, j int) string {
	s := text[i:j]
	if i > 0 && b.prefix != "" {
		s = b.prefix + s
	}
	if j == len(text) && b.suffix != "" {
		s += b.suffix
	}
	return s
}

func (b *bpe) addBytes(sc *bpeScratch, s string) bool {
	for i := 0; i < len(s); i++ {
		if b.bytes[s[i]] < 0 {
			return false
		}
	}
	for i := 0; i < len(s); i++ {
		sc.add(b.bytes[s[i]], 1)
	}
	return true
}
