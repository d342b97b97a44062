package model

// attnJob runs the two parallel regions of attention: first every token is prepared and stored, then every token
// attends. A chunk owns whole (token, KV head) pairs, so no result depends on who computes it.
type attnJob struct {
	st     *state
	a      *gqa
	offset int
	attend bool
	tile   int // tokens of a chunk
	scores [][]float32
}

// targetWork is about how many multiply-adds a chunk of attention should hold: some tens of microseconds.
const targetWork = 1 << 19

func (j *attnJob) run(st *state, a *gqa, layer int) {
	j.st, j.a, j.offset = st, a, st.layout.offset[layer]
	for len(j.scores) < st.eng.Threads() {
		j.scores = append(j.scores, make([]float32, pageTokens))
	}
	t := len(st.ids)
	j.attend, j.tile = false, 8
	st.eng.Run((t+j.tile-1)/j.tile, j)

	j.attend, j.tile = true, j.attendTile()
	st.eng.Run((t+j.tile-1)/j.tile*a.spec.KVHeads, j)
}

// attendTile picks how many tokens a chunk takes, from the longest sequence of the batch.
func (j *attnJob) attendTile() int {
	longest := 0
	for _, p := range j.st.pos {
		longest = max(longest, int(p)+1)
	}
	s := j.a.spec
	return max(1, targetWork/(2*longest*s.HeadDim*(s.Heads/s.KVHeads)))
}

// Do is one chunk: tokens [a,b), and in the second region one KV head of them.
func (j *attnJob) Do(worker, chunk int) {
	kv := j.a.spec.KVHeads
	tile, group := chunk, 0
	if j.attend {
		tile, group = chunk/kv, chunk%kv
	}
	a, b := tile*j.tile, min((tile+1)*j.tile, len(j.st.ids))
	for t := a; t < b; t++ {
		if !j.attend {
			j.a.prepare(j.st, t, j.offset)
			continue
		}
		j.heads(worker, t, group)
	}
}

// heads attends with all query heads of one KV head.
func (j *attnJob) heads(worker, t, group int) {
	s := j.a.spec
	per := s.Heads / s.KVHeads
	for h := group * per; h < (group+1)*per; h++ {
		out := j.st.mixed.Row(t)[h*s.HeadDim : (h+1)*s.HeadDim]
		j.a.attend(j.st, t, h, j.offset, j.scores[worker], out)
	}
}
