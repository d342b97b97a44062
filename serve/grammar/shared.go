package grammar

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// States that differ in the counts of repetitions alone, as the characters of a string or the items of an array, allow the
// same short tokens as long as no bound is near. Those of one kind share a mask; only long tokens are looked at for each.

// short is the most bytes of a token that a shared mask tells of.
const short = 16

// shared is the mask of short tokens, and what it was made from.
type shared struct {
	mask   []uint64
	worst  int
	leasts []int // of the frames, in the order of the key
}

// near is at, as far as tokens of short bytes can tell: of repetitions how far the bounds are, where they can be reached.
func (n *node) near(at int) int {
	if n.kind != kindRepeat || n.kids[0].least == 0 || n.kids[0].least >= never { // an empty round would count without a byte
		return at
	}
	const far = short + 1
	lo, hi := min(max(n.lo-at, 0), far), far
	if n.hi >= 0 {
		hi = min(n.hi-at, far)
	}
	return lo*(far+1) + hi
}

// kind is the key under which a state shares its mask, and the frames in its order; "" where it does not.
func (s *state) kind() (string, []*frame) {
	const most = 64 // states of many frames may have lost some
	if len(s.frames) == 0 || len(s.frames) > most {
		return "", nil
	}
	list := slices.Clone(s.frames)
	slices.SortFunc(list, func(x, y *frame) int { return cmp.Compare(x.like, y.like) })
	key := make([]byte, 0, 4*len(list)+1)
	for i, f := range list {
		if i > 0 && f.like == list[i-1].like {
			return "", nil
		}
		key = binary.LittleEndian.AppendUint32(key, f.like)
	}
	if s.accept {
		key = append(key, 1)
	}
	return string(key), list
}

// fill makes a state's mask, that of short tokens from states of its kind.
func (g *Grammar) fill(s *state, words int) {
	key, frames := s.kind()
	s.mask = make([]uint64, words)
	if m := g.a.masks[key]; m != nil {
		if by, ok := m.shift(frames); ok {
			copy(s.mask, m.mask)
			s.worst = max(g.walk(g.v.long, s, s.mask, never), m.worst+by)
			return
		}
	}
	s.worst = g.walk(g.v.trie, s, s.mask, never)
	if key != "" {
		m := &shared{mask: slices.Clone(s.mask), worst: s.worst}
		for _, f := range frames {
			m.leasts = append(m.leasts, f.least)
		}
		g.a.masks[key] = m
	}
	s.worst = max(s.worst, g.walk(g.v.long, s, s.mask, never))
}

// shift is how much longer the shortest ends are than those that the mask was made from, if all by the same.
func (m *shared) shift(frames []*frame) (by int, ok bool) {
	for i, f := range frames {
		if f.least >= never || m.leasts[i] >= never || i > 0 && f.least-m.leasts[i] != by {
			return 0, false
		}
		by = f.least - m.leasts[i]
	}
	return by, true
}
