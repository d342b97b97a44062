package model

import "sync/atomic"

// attnJob runs attention in two parallel regions: every token is prepared and stored, then every token attends. The
// second works on units: some tokens of one sequence, all query heads of one KV head, and all segments of positions that
// they see. Units of long contexts are split by segments where there are too few for the threads; whoever ends the
// last part of such a unit merges the segments in order. No bit depends on how work was cut.
type attnJob struct {
	st      *state
	a       *gqa
	offset  int
	attend  bool
	tiles   []attnTile // of the region that runs
	parts   []attnPart // of tiles, for each KV head
	splits  []attnSplit
	partial []float32 // of splits
	workers []attnWorker
}

// attnTile is n tokens of the batch from t on: one sequence, positions within one aligned block, and so within a segment.
type attnTile struct{ t, n int }

// attnPart is a tile's segments [from,to).
type attnPart struct {
	attnTile
	from, to int
	split    int // first of the KV heads' splits, or -1: the part is all
}

// attnSplit collects the segments of a unit that is worked on in parts.
type attnSplit struct {
	left        atomic.Int32 // parts not yet done
	first, last int          // segments
	at          int          // of its partial results
}

const (
	// segmentPages is how many pages make a segment: softmax runs online over the pages of a segment (arXiv 1805.02867),
	// and segments are merged in ascending order. Both borders are absolute positions.
	segmentPages  = 4
	segmentTokens = segmentPages * pageTokens

	tileRows     = 128     // query rows of a tile that share a pass over keys and values; their pages come from far
	unitsEach    = 16      // least number of units for each thread before units are split
	partialLimit = 1 << 24 // most floats of partial results
)

func (j *attnJob) run(st *state, a *gqa, layer int) {
	j.st, j.a, j.offset = st, a, st.layout.offset[layer]
	for len(j.workers) < st.eng.Threads() {
		j.workers = append(j.workers, attnWorker{})
	}
	j.attend = false
	j.cut(kvBlock)
	st.eng.Run(len(j.tiles), j)

	j.attend = true
	j.cut(a.tileTokens())
	j.divide()
	st.eng.Run(len(j.parts)*a.spec.KVHeads, j)
}

// tileTokens is how many tokens make a tile: a power of two, at most two pages.
func (a *gqa) tileTokens() int {
	n := 1
	for 2*n*(a.spec.Heads/a.spec.KVHeads) <= tileRows {
		n *= 2
	}
	return n
}

// cut lists the tiles of the batch whose positions share a block of size positions, the last tokens first: they see most.
func (j *attnJob) cut(size int) {
	j.tiles = j.tiles[:0]
	pos, seqs := j.st.pos, j.st.seqs
	for end := len(pos); end > 0; {
		t := end - 1
		for t > 0 && seqs[t-1] == seqs[t] && int(pos[t-1])/size == int(pos[t])/size {
			t--
		}
		j.tiles = append(j.tiles, attnTile{t, end - t})
		end = t
	}
}

// cost is about how much work a tile is: rows times positions, where few rows cost as much as the memory they read.
func (j *attnJob) cost(t attnTile) int {
	pos := int(j.st.pos[t.t+t.n-1])
	rows := max(t.n*j.a.spec.Heads/j.a.spec.KVHeads, 16)
	return rows * (pos + 1 - j.a.first(pos))
}

// divide makes parts of the tiles, and splits those that cost more than their share.
func (j *attnJob) divide() {
	total := 0
	for _, t := range j.tiles {
		total += j.cost(t)
	}
	share := total*j.a.spec.KVHeads/(unitsEach*j.st.eng.Threads()) + 1
	j.parts, j.splits = j.parts[:0], j.splits[:0]
	used := 0
	for _, t := range j.tiles {
		first := j.a.first(int(j.st.pos[t.t])) / segmentTokens
		last := int(j.st.pos[t.t+t.n-1])/segmentTokens + 1
		n := min((j.cost(t)+share-1)/share, last-first)
		size := (last - first) * j.a.partialSize(t.n)
		if n <= 1 || j.st.eng.Threads() == 1 || used+size*j.a.spec.KVHeads > partialLimit {
			j.parts = append(j.parts, attnPart{attnTile: t, from: first, to: last, split: -1})
			continue
		}
		j.split(t, first, last, n, used)
		used += size * j.a.spec.KVHeads
	}
	if len(j.partial) < used {
		j.partial = make([]float32, used)
	}
}

// split cuts a tile's segments into n parts; partial results lie from at on, one KV head after the other.
func (j *attnJob) split(t attnTile, first, last, n, at int) {
	split := len(j.splits)
	for range j.a.spec.KVHeads {
		j.splits = append(j.splits, attnSplit{first: first, last: last, at: at})
		j.splits[len(j.splits)-1].left.Store(int32(n))
		at += (last - first) * j.a.partialSize(t.n)
	}
	for i := range n {
		from, to := first+i*(last-first)/n, first+(i+1)*(last-first)/n
		j.parts = append(j.parts, attnPart{attnTile: t, from: from, to: to, split: split})
	}
}

// Do is one chunk: a tile, or in the second region a part of a tile for one KV head.
func (j *attnJob) Do(worker, chunk int) {
	w := &j.workers[worker]
	if !j.attend {
		w.store(j, j.tiles[chunk])
		return
	}
	kv := j.a.spec.KVHeads
	w.begin(j, &j.parts[chunk/kv], chunk%kv)
	w.work()
}
