package grammar

import (
	"math"
	"math/bits"
)

// kind of a node.
type kind uint8

const (
	kindLit    kind = iota // the bytes of text
	kindClass              // one byte of set
	kindSeq                // kids in order
	kindAlt                // one of kids
	kindRepeat             // the kid lo to hi times; hi < 0: any number
	kindRef                // kid, which is set later: recursion
)

// never is more tokens than any text has: the node cannot be ended.
const never = math.MaxInt32

// node is a set of byte strings. It does not change once the grammar is built.
type node struct {
	id     uint32
	kind   kind
	text   string
	rest   []int32 // [len(text)+1] fewest tokens that write text[i:]
	set    [4]uint64
	kids   []*node
	lo, hi int
	least  int // fewest tokens that write one of its strings
}

// builder makes the nodes of one grammar for one vocabulary.
type builder struct {
	v     *Vocab
	nodes []*node
	err   error
	named map[string]*node // of $ref, by pointer
	value *node            // any JSON value
	chr   *node            // one character of a string
}

// maxNodes bounds a grammar.
const maxNodes = 50000

func (b *builder) add(n *node) *node {
	if len(b.nodes) >= maxNodes {
		b.fail("the schema is too large: it takes more than %d nodes", maxNodes)
		return b.nodes[0]
	}
	n.id = uint32(len(b.nodes) + 1)
	n.least = never
	b.nodes = append(b.nodes, n)
	return n
}

func (b *builder) lit(text string) *node {
	n := b.add(&node{kind: kindLit, text: text})
	if n.text == text {
		n.rest = b.v.fewest(text)
	}
	return n
}

// class is one byte of the ranges, given as pairs.
func (b *builder) class(pairs ...byte) *node {
	n := &node{kind: kindClass}
	for i := 0; i < len(pairs); i += 2 {
		for c := int(pairs[i]); c <= int(pairs[i+1]); c++ {
			n.set[c/64] |= 1 << (c % 64)
		}
	}
	return b.add(n)
}

func (b *builder) seq(kids ...*node) *node { return b.add(&node{kind: kindSeq, kids: kids}) }
func (b *builder) alt(kids ...*node) *node { return b.add(&node{kind: kindAlt, kids: kids}) }
func (b *builder) empty() *node            { return b.seq() }
func (b *builder) opt(n *node) *node       { return b.alt(n, b.empty()) }

func (b *builder) repeat(n *node, lo, hi int) *node {
	return b.add(&node{kind: kindRepeat, kids: []*node{n}, lo: lo, hi: hi})
}

// weigh computes least of every node: the smallest solution, from above.
func (b *builder) weigh() {
	for changed := true; changed; {
		changed = false
		for _, n := range b.nodes {
			if l := n.weight(b.v); l < n.least {
				n.least, changed = l, true
			}
		}
	}
}

func (n *node) weight(v *Vocab) int {
	switch n.kind {
	case kindLit:
		return int(n.rest[0])
	case kindClass:
		for i := range n.set {
			if n.set[i]&v.single[i] != 0 {
				return 1
			}
		}
		return never
	case kindSeq:
		sum := 0
		for _, k := range n.kids {
			sum = plus(sum, k.least)
		}
		return sum
	case kindAlt:
		least := never
		for _, k := range n.kids {
			least = min(least, k.least)
		}
		return least
	case kindRepeat:
		return times(n.kids[0].least, n.lo)
	}
	if len(n.kids) == 0 {
		return never
	}
	return n.kids[0].least
}

func plus(a, b int) int { return min(a+b, never) }

func times(a, n int) int {
	if n <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(a), uint64(n))
	if hi > 0 || lo > never {
		return never
	}
	return int(lo)
}
