package tokenizer

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// unigram chooses the split of a piece with the highest sum of scores. Reference: tokenizers,
// models/unigram/model.rs, encode_optimized.
type unigram struct {
	voc      *vocab
	size     int
	scores   []float64
	pieces   trie
	unkID    int32 // -1 where there is none
	unkScore float64
	fallback bool
	bytes    [256]int32
}

// unknownPenalty is what an unknown character costs below the lowest score.
const unknownPenalty = 10

type scoredToken struct {
	text  string
	score float64
}

// pathNode is the best way to split the text up to one byte.
type pathNode struct {
	score float64
	from  int32 // where the last token begins, -1 while not reached
	id    int32
}

// readScored reads [["token", score], …].
func readScored(r *jsonReader) ([]scoredToken, error) {
	var out []scoredToken
	err := r.array(func() error {
		var t scoredToken
		n := 0
		err := r.array(func() error {
			var err error
			if n++; n == 1 {
				t.text, err = r.str()
				return err
			}
			num, err := r.number()
			ok := err == nil
			if ok {
				t.score, ok = scoreFloat(num)
			}
			if !ok {
				return badf("model.vocab[%d]: want a score", len(out))
			}
			return nil
		})
		if err == nil && n != 2 {
			err = badf("model.vocab[%d]: want a token and a score, got %d values", len(out), n)
		}
		out = append(out, t)
		return err
	})
	return out, err
}

func newUnigram(m *modelFields) (*unigram, error) {
	f := field{of: "model", obj: m.small}
	u := &unigram{voc: newVocab(len(m.scored)), size: len(m.scored), unkID: -1}
	u.fallback = f.optBool("byte_fallback", false)
	if !m.small.get("unk_id").absent() {
		u.unkID = int32(f.size("unk_id"))
		if int(u.unkID) >= u.size {
			f.fail("unk_id", fmt.Sprintf("less than the %d tokens", u.size))
		}
	}
	if f.err != nil {
		return nil, f.err
	}
	arena, lowest := []byte(nil), math.Inf(1)
	for _, t := range m.scored {
		arena = append(arena, t.text...)
	}
	text, from := string(arena), 0
	for id, t := range m.scored {
		own := text[from : from+len(t.text)]
		from += len(t.text)
		u.voc.set(own, int32(id))
		u.scores = append(u.scores, t.score)
		if own != "" {
			u.pieces.insert(own, int32(id))
		}
		lowest = min(lowest, t.score)
	}
	u.voc.index()
	for id := range m.scored { // equal tokens: each id still reads as its own text
		u.voc.dense[id] = int32(id + 1)
	}
	u.unkScore = lowest - unknownPenalty
	for i := range u.bytes {
		u.bytes[i] = -1
		if id, ok := u.voc.id(fmt.Sprintf("<0x%02X>", i)); ok {
			u.bytes[i] = id
		}
	}
	return u, nil
}

func (u *unigram) vocabulary() (*vocab, int) { return u.voc, u.size }

// value is the text itself: unknown and byte tokens have no white space at their ends to be trimmed either way.
func (u *unigram) value(text string, t token) string { return text[t.from:t.to] }

func (u *unigram) tokenize(sc *scratch, text string) error { return sc.cached(text, u.split) }

func (u *unigram) split(sc *scratch, text string) error {
	paths, err := u.search(sc, text)
	if err != nil {
		return err
	}
	first := len(sc.toks)
	for end := int32(len(text)); end > 0; {
		n := paths[end]
		from := n.from
		// Unknown characters beside each other become one token.
		for n.id == u.unkID && from > 0 && paths[from].id == u.unkID {
			from = paths[from].from
		}
		id := n.id
		if id == u.unkID {
			id = -1
		}
		sc.toks = append(sc.toks, token{id, from, end})
		end = from
	}
	reverse(sc.toks[first:])
	return u.resolve(sc, text, first)
}

func reverse(toks []token) {
	for i, j := 0, len(toks)-1; i < j; i, j = i+1, j-1 {
		toks[i], toks[j] = toks[j], toks[i]
	}
}

// search finds the best split up to every byte. Of equal scores the one that begins first wins.
func (u *unigram) search(sc *scratch, text string) ([]pathNode, error) {
	paths := sc.paths[:0]
	for range len(text) + 1 {
		paths = append(paths, pathNode{from: -1})
	}
	sc.paths = paths
	for at := 0; at < len(text); {
		base := paths[at].score
		_, size := utf8.DecodeRuneInString(text[at:])
		single := false
		node := int32(0)
		for end := at; end < len(text); {
			if node = u.pieces.child(node, text[end]); node == 0 {
				break
			}
			end++
			id := u.pieces.ids[node]
			if id < 0 {
				continue
			}
			single = single || end-at == size
			reach(&paths[end], u.scores[id]+base, at, id)
		}
		if !single {
			if u.unkID < 0 && better(&paths[at+size], u.unkScore+base) {
				return nil, encodef("%q is unknown and model.unk_id is missing", text[at:at+size])
			}
			reach(&paths[at+size], u.unkScore+base, at, u.unkID)
		}
		at += size
	}
	return paths, nil
}

func better(p *pathNode, score float64) bool { return p.from < 0 || score > p.score }

func reach(p *pathNode, score float64, from int, id int32) {
	if better(p, score) {
		*p = pathNode{score, int32(from), id}
	}
}

// resolve gives ids to the unknown stretches in sc.toks[first:]: a token that reads the same, bytes, or unk.
func (u *unigram) resolve(sc *scratch, text string, first int) error {
	unknown := false
	for _, t := range sc.toks[first:] {
		unknown = unknown || t.id < 0
	}
	if !unknown {
		return nil
	}
	old := append([]token(nil), sc.toks[first:]...)
	sc.toks = sc.toks[:first]
	for _, t := range old {
		if t.id >= 0 {
			sc.toks = append(sc.toks, t)
			continue
		}
		part := text[t.from:t.to]
		if id, ok := u.voc.id(part); ok {
			sc.toks = append(sc.toks, token{id, t.from, t.to})
		} else if !u.fallback || !u.appendBytes(sc, part, t) {
			sc.toks = append(sc.toks, token{u.unkID, t.from, t.to})
		}
	}
	return nil
}

func (u *unigram) appendBytes(sc *scratch, part string, t token) bool {
	for i := 0; i < len(part); i++ {
		if u.bytes[part[i]] < 0 {
			return false
		}
	}
	for i := 0; i < len(part); i++ {
		sc.toks = append(sc.toks, token{u.bytes[part[i]], t.from, t.to})
	}
	return true
}
