package grammar

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// frame is what is left to write: a node from some point on, then the rest. Equal frames are one frame.
type frame struct {
	id    uint32
	n     *node
	at    int // bytes of a literal that are written; repetitions that are done
	rest  *frame
	least int    // fewest tokens to the end of everything
	like  uint32 // equal of frames that only counts apart: see [node.near]
}

type frameKey struct {
	node uint32
	at   int
	rest uint32
}

// state is a set of frames, each beginning with bytes; nil among them is the end. Equal states are one state.
type state struct {
	frames []*frame
	accept bool
	least  int
	next   []*state // by class of the next byte, as far as known: unknown, nil (dead) or the state
	mask   []uint64 // of the vocabulary, once it was needed
	worst  int      // the largest least behind an allowed token
}

// unknown stands where nobody has stepped yet.
var unknown = &state{}

const (
	maxFrames = 512  // of one state; more are dropped, those with the longest ways first
	maxStates = 4096 // that are remembered
)

// automaton makes frames and states as they are needed. It needs a lock.
type automaton struct {
	likes  map[frameKey]uint32
	masks  map[string]*shared
	class  *[256]uint8 // of bytes: no node tells those of one class apart
	count  int         // of classes
	frames map[frameKey]*frame
	states map[string]*state
	serial uint32
}

func (a *automaton) reset() {
	a.frames, a.states = map[frameKey]*frame{}, map[string]*state{}
	a.likes, a.masks = map[frameKey]uint32{}, map[string]*shared{}
}

// push is a frame of n on top of rest.
func (a *automaton) push(n *node, at int, rest *frame) *frame {
	k := frameKey{n.id, at, 0}
	below := 0
	if rest != nil {
		k.rest, below = rest.id, rest.least
	}
	if f := a.frames[k]; f != nil {
		return f
	}
	a.serial++
	f := &frame{id: a.serial, n: n, at: at, rest: rest, least: plus(n.left(at), below)}
	f.like = a.alike(f)
	a.frames[k] = f
	return f
}

// alike numbers the frames that short tokens do not tell apart.
func (a *automaton) alike(f *frame) uint32 {
	k := frameKey{f.n.id, f.n.near(f.at), 0}
	if f.rest != nil {
		k.rest = f.rest.like
	}
	id, ok := a.likes[k]
	if !ok {
		id = uint32(len(a.likes) + 1)
		a.likes[k] = id
	}
	return id
}

// left is least from a point within the node.
func (n *node) left(at int) int {
	switch n.kind {
	case kindLit:
		return int(n.rest[at])
	case kindRepeat:
		return times(n.kids[0].least, n.lo-at)
	}
	return n.least
}

// collector gathers the frames that begin with bytes.
type collector struct {
	a    *automaton
	seen map[uint32]bool
	list []*frame
	end  bool
}

// expand follows a frame down to those that begin with bytes.
func (c *collector) expand(f *frame) {
	if f == nil {
		c.end = true
		return
	}
	if f.least >= never || c.seen[f.id] {
		return
	}
	c.seen[f.id] = true
	switch n := f.n; n.kind {
	case kindClass:
		c.list = append(c.list, f)
	case kindLit:
		if f.at == len(n.text) {
			c.expand(f.rest)
			return
		}
		c.list = append(c.list, f)
	case kindSeq:
		rest := f.rest
		for i := len(n.kids) - 1; i >= 0; i-- {
			rest = c.a.push(n.kids[i], 0, rest)
		}
		c.expand(rest)
	case kindAlt, kindRef:
		for _, k := range n.kids {
			c.expand(c.a.push(k, 0, f.rest))
		}
	case kindRepeat:
		c.repeat(f)
	}
}

// repeat ends a repetition or goes round once more.
func (c *collector) repeat(f *frame) {
	n := f.n
	if f.at >= n.lo {
		c.expand(f.rest)
	}
	if n.hi >= 0 && f.at >= n.hi {
		return
	}
	done := f.at + 1
	if n.hi < 0 {
		done = min(done, n.lo) // beyond it all counts are alike
	}
	c.expand(c.a.push(n.kids[0], 0, c.a.push(n, done, f.rest)))
}

// state is the one that the collected frames make; nil where there are none.
func (c *collector) state() *state {
	if len(c.list) == 0 && !c.end {
		return nil
	}
	if len(c.list) > maxFrames {
		slices.SortFunc(c.list, func(x, y *frame) int { return cmp.Or(cmp.Compare(x.least, y.least), cmp.Compare(x.id, y.id)) })
		c.list = c.list[:maxFrames]
	}
	slices.SortFunc(c.list, func(x, y *frame) int { return cmp.Compare(x.id, y.id) })
	key := make([]byte, 0, 4*len(c.list)+1)
	for _, f := range c.list {
		key = binary.LittleEndian.AppendUint32(key, f.id)
	}
	if c.end {
		key = append(key, 1)
	}
	if s := c.a.states[string(key)]; s != nil {
		return s
	}
	s := &state{frames: c.list, accept: c.end, least: never, next: slices.Repeat([]*state{unknown}, c.a.count)}
	for _, f := range s.frames {
		s.least = min(s.least, f.least)
	}
	if s.accept {
		s.least = 0
	}
	c.a.states[string(key)] = s
	return s
}

// first is the state before anything is written.
func (a *automaton) first(root *node) *state {
	c := collector{a: a, seen: map[uint32]bool{}}
	c.expand(a.push(root, 0, nil))
	return c.state()
}

// step is the state behind one more byte; nil where no text goes on so.
func (a *automaton) step(s *state, b byte) *state {
	if t := s.next[a.class[b]]; t != unknown {
		return t
	}
	return a.make(s, b)
}

// make is step where nobody has gone before.
func (a *automaton) make(s *state, b byte) *state {
	c := collector{a: a, seen: map[uint32]bool{}}
	for _, f := range s.frames {
		switch n := f.n; {
		case n.kind == kindLit && n.text[f.at] == b:
			c.expand(a.push(n, f.at+1, f.rest))
		case n.kind == kindClass && n.set[b/64]>>(b%64)&1 == 1:
			c.expand(f.rest)
		}
	}
	t := c.state()
	s.next[a.class[b]] = t
	return t
}
