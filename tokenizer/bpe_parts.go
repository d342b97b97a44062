package tokenizer

import "unicode/utf8"

// junctions tells where a long text may be cut without changing its tokens: between two known characters that
// no merge has at its seam. Vocabularies without a pre-tokenizer fall into words that way, and a cache helps.
type junctions struct {
	usable bool
	ascii  [utf8.RuneSelf][utf8.RuneSelf]bool // joins
	known  [utf8.RuneSelf]bool
	others pairTable // pairs with a character beyond ASCII; rune and -1 where the rune is known
}

// newJunctions looks at the ends of all merges.
func newJunctions(b *bpe) *junctions {
	j := &junctions{}
	if b.prefix != "" || b.suffix != "" || b.ignoreMerges || b.raw || b.voc.shared {
		return j
	}
	others := map[uint64]struct{}{}
	type ends struct{ first, last rune } // of a token; -1 where characters do not tell what merges
	byID := make([]ends, len(b.voc.dense))
	for _, t := range b.voc.toks {
		first, n := utf8.DecodeRuneInString(t.text)
		if n == 0 || uint32(t.id) >= uint32(len(byID)) {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(t.text)
		byID[t.id] = ends{first, last}
		switch {
		case n != len(t.text):
		case first < utf8.RuneSelf:
			j.known[first] = true
		default:
			others[pairKey(first, -1)] = struct{}{}
		}
	}
	opaque := b.bytes[:] // tokens that are no text of their own
	if b.hasUnk {
		opaque = append(opaque[:len(opaque):len(opaque)], b.unkID)
	}
	for _, id := range opaque {
		if uint32(id) < uint32(len(byID)) {
			byID[id] = ends{-1, -1}
		}
	}
	for _, s := range b.merges.slots {
		if s.key == 0 {
			continue
		}
		left, right := int32((s.key-1)>>32), int32(uint32(s.key-1))
		if int(max(left, right)) >= len(byID) {
			return j
		}
		x, y := byID[left].last, byID[right].first
		switch {
		case x < 0 || y < 0:
			return j
		case x < utf8.RuneSelf && y < utf8.RuneSelf:
			j.ascii[x][y] = true
		default:
			others[pairKey(x, y)] = struct{}{}
		}
	}
	j.others.init(len(others))
	for key := range others {
		j.others.set(int32(key>>32), int32(uint32(key)), 0, 0)
	}
	j.usable = true
	return j
}

// separate reports whether text may be cut between x and y.
func (j *junctions) separate(x, y rune) bool {
	if x < utf8.RuneSelf && y < utf8.RuneSelf {
		return !j.ascii[x][y] && j.known[x] && j.known[y]
	}
	return j.others.get(x, y) == noMerge && j.knows(x) && j.knows(y)
}

func (j *junctions) knows(r rune) bool {
	if r < utf8.RuneSelf {
		return j.known[r]
	}
	return j.others.get(r, -1) != noMerge
}

// parts calls each for the parts of text that merge by themselves.
func (j *junctions) parts(text string, each func(part string) error) error {
	from, last := 0, rune(-1)
	for i := 0; i < len(text); {
		r, n := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(text[i:])
		}
		if last >= 0 && j.separate(last, r) {
			if err := each(text[from:i]); err != nil {
				return err
			}
			from = i
		}
		last = r
		i += n
	}
	return each(text[from:])
}
