package tokenizer

// vocab maps tokens to ids and back. It is written while the file is read and never afterwards.
type vocab struct {
	ids   map[string]int32
	dense []string // token by id; valid where known[id]
	known []bool
	rest  map[int32]string // ids too high for the dense table
	top   int32            // highest id, -1 when empty
}

func newVocab(size int) *vocab {
	return &vocab{ids: make(map[string]int32, size), top: -1}
}

// set records a token; of equal tokens the last counts, as in the reference.
func (v *vocab) set(tok string, id int32) {
	v.ids[tok] = id
	v.top = max(v.top, id)
}

// index builds the way back. A file with few tokens and huge ids must not size a table.
func (v *vocab) index() {
	limit := int32(min(4*len(v.ids)+1<<16, int(v.top)+1))
	v.dense, v.known = make([]string, limit), make([]bool, limit)
	for tok, id := range v.ids {
		if id < limit {
			v.dense[id], v.known[id] = tok, true
			continue
		}
		if v.rest == nil {
			v.rest = map[int32]string{}
		}
		v.rest[id] = tok
	}
}

func (v *vocab) id(tok string) (int32, bool) {
	id, ok := v.ids[tok]
	return id, ok
}

func (v *vocab) token(id int32) (string, bool) {
	if uint32(id) < uint32(len(v.dense)) {
		return v.dense[id], v.known[id]
	}
	tok, ok := v.rest[id]
	return tok, ok
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
