package tokenizer

import "hash/maphash"

// vocab maps tokens to ids and back. It is written while the file is read and never afterwards.
//
// The way in is an open-addressing table of positions in toks, at most half full; the way back is a table by
// id. Both are far smaller and quicker to fill than maps of the language.
type vocab struct {
	toks   []vocabToken
	slots  []vocabSlot
	mask   uint32
	seed   maphash.Seed
	size   int             // different tokens
	dense  []int32         // by id: position in toks + 1, 0 where none
	rest   map[int32]int32 // the same for ids too high for the dense table
	top    int32           // highest id, -1 when empty
	shared bool            // two tokens have one id
}

// vocabToken is one entry of the file; id is -1 where a later entry has the same text.
type vocabToken struct {
	text string
	id   int32
}

// vocabSlot holds the position + 1, 0 while free.
type vocabSlot struct {
	hash uint32
	at   int32
}

// newVocab makes a vocabulary for at most n entries.
func newVocab(n int) *vocab {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return &vocab{
		toks: make([]vocabToken, 0, n), slots: make([]vocabSlot, size), mask: uint32(size - 1),
		seed: maphash.MakeSeed(), top: -1,
	}
}

// slot returns the slot of tok, or the free one where it belongs, and its hash.
func (v *vocab) slot(tok string) (*vocabSlot, uint32) {
	h := maphash.String(v.seed, tok)
	low := uint32(h)
	for i := uint32(h>>32) & v.mask; ; i = (i + 1) & v.mask {
		s := &v.slots[i]
		if s.at == 0 || s.hash == low && v.toks[s.at-1].text == tok {
			return s, low
		}
	}
}

// set records a token; of equal tokens the last counts, as in the reference.
func (v *vocab) set(tok string, id int32) {
	s, hash := v.slot(tok)
	if s.at != 0 {
		v.toks[s.at-1].id = -1
	} else {
		v.size++
	}
	v.toks = append(v.toks, vocabToken{tok, id})
	*s = vocabSlot{hash, int32(len(v.toks))}
	v.top = max(v.top, id)
}

// index builds the way back. A file with few tokens and huge ids must not size a table.
func (v *vocab) index() {
	limit := int32(min(4*v.size+1<<16, int(v.top)+1))
	v.dense = make([]int32, limit)
	for i, t := range v.toks {
		switch {
		case t.id < 0:
		case t.id < limit:
			v.shared = v.shared || v.dense[t.id] != 0
			v.dense[t.id] = int32(i + 1)
		default:
			if v.rest == nil {
				v.rest = map[int32]int32{}
			}
			v.shared = v.shared || v.rest[t.id] != 0
			v.rest[t.id] = int32(i + 1)
		}
	}
}

func (v *vocab) id(tok string) (int32, bool) {
	s, _ := v.slot(tok)
	if s.at == 0 {
		return 0, false
	}
	return v.toks[s.at-1].id, true
}

func (v *vocab) token(id int32) (string, bool) {
	at := int32(0)
	if uint32(id) < uint32(len(v.dense)) {
		at = v.dense[id]
	} else if v.rest != nil {
		at = v.rest[id]
	}
	if at == 0 {
		return "", false
	}
	return v.toks[at-1].text, true
}

// readVocab reads {"token": id, …}. Tokens are gathered in one block so that the file's text is not kept.
func readVocab(r *jsonReader) (*vocab, error) {
	type entry struct {
		end int
		id  int32
	}
	var entries []entry
	var arena []byte
	err := r.object(func(tok string) error {
		id, err := r.id()
		arena = append(arena, tok...)
		entries = append(entries, entry{len(arena), id})
		return err
	})
	if err != nil {
		return nil, err
	}
	v, text, from := newVocab(len(entries)), string(arena), 0
	for _, e := range entries {
		v.set(text[from:e.end], e.id)
		from = e.end
	}
	v.index()
	return v, nil
}
