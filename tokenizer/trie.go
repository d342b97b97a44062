package tokenizer

// trie maps byte strings to ids and finds all entries that a text begins with. Edges lie in one hash table
// keyed by node and byte, so that memory grows with the entries only.
type trie struct {
	edges []trieEdge // open addressing, at most half full
	used  int
	first [256]int32 // children of the root, 0 where none: most lookups end here
	ids   []int32    // by node, -1 where no entry ends; node 0 is the root
}

// trieEdge leads from a node by a byte, key = node<<8 | byte, to next; 0 while free: the root has no edge here.
type trieEdge struct {
	key  uint64
	next int32
}

func edgeKey(node int32, b byte) uint64 { return uint64(node)<<8 | uint64(b) }

// edge returns the edge of a key, or the free one where it belongs.
func (t *trie) edge(key uint64) *trieEdge {
	mask := uint64(len(t.edges) - 1)
	for i := key * 0x9E3779B97F4A7C15 >> 20; ; i++ {
		if e := &t.edges[i&mask]; e.key == key || e.next == 0 {
			return e
		}
	}
}

func (t *trie) link(node int32, b byte, next int32) {
	if node == 0 {
		t.first[b] = next
		return
	}
	if t.used++; 2*t.used > len(t.edges) {
		old := t.edges
		t.edges = make([]trieEdge, max(64, 2*len(old)))
		for _, e := range old {
			if e.next != 0 {
				*t.edge(e.key) = e
			}
		}
	}
	*t.edge(edgeKey(node, b)) = trieEdge{edgeKey(node, b), next}
}

// insert adds an entry and reports whether it was new; an old one gets the new id.
func (t *trie) insert(s string, id int32) bool {
	if t.ids == nil {
		t.ids = []int32{-1}
	}
	node := int32(0)
	for i := 0; i < len(s); i++ {
		next := t.child(node, s[i])
		if next <= 0 {
			next = int32(len(t.ids))
			t.ids = append(t.ids, -1)
			t.link(node, s[i], next)
		}
		node = next
	}
	fresh := t.ids[node] < 0
	t.ids[node] = id
	return fresh
}

// child returns the node after one more byte, 0 when there is none.
func (t *trie) child(node int32, b byte) int32 {
	if node == 0 {
		return t.first[b]
	}
	if len(t.edges) == 0 {
		return 0
	}
	return t.edge(edgeKey(node, b)).next
}

// walk returns the node that s leads to from the root, 0 when there is none or s is empty.
func (t *trie) walk(s string) int32 {
	node := int32(0)
	for i := 0; i < len(s); i++ {
		if node = t.child(node, s[i]); node == 0 {
			return 0
		}
	}
	return node
}

// longest returns length and id of the longest entry that text begins with, 0 when there is none.
func (t *trie) longest(text string) (int, int32) { return t.longestFrom(0, text) }

// longestFrom is longest for the part of the trie below node.
func (t *trie) longestFrom(node int32, text string) (n int, id int32) {
	id = -1
	for i := 0; i < len(text); i++ {
		if node = t.child(node, text[i]); node == 0 {
			break
		}
		if t.ids[node] >= 0 {
			n, id = i+1, t.ids[node]
		}
	}
	return n, id
}
