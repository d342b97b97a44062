package moe

// Plan groups the (token, slot) pairs of a Routing by expert: a stable counting sort. Rows are places in that order;
// expert e owns rows Offset[e]:Offset[e+1], its tokens in ascending order. Pairs of null experts have no row. Buffers
// are used again; a Plan belongs to one caller at a time.
type Plan struct {
	Offset []int32   // [E+1]
	Token  []int32   // [rows] token of a row
	Pair   []int32   // [rows] pair of a row: index into Routing.Expert
	Weight []float32 // [rows]
	Row    []int32   // [N] row of a pair, -1 for a null expert's
	next   []int32   // [E]
}

// Build sorts the pairs of r over expert ids below e.
func (p *Plan) Build(r *Routing, e int) {
	p.Offset = sized(p.Offset, e+1)
	clear(p.Offset)
	for _, x := range r.Expert {
		if int(x) < e {
			p.Offset[x+1]++
		}
	}
	for i := range e {
		p.Offset[i+1] += p.Offset[i]
	}
	n := int(p.Offset[e])
	p.Token, p.Pair, p.Weight = sized(p.Token, n), sized(p.Pair, n), sized(p.Weight, n)
	p.Row = sized(p.Row, len(r.Expert))
	p.next = append(p.next[:0], p.Offset[:e]...)
	for t := range r.Tokens() {
		for i := r.Start[t]; i < r.Start[t+1]; i++ {
			p.place(i, r.Expert[i], int32(t), r.Weight[i], e)
		}
	}
}

func (p *Plan) place(pair, expert, token int32, weight float32, e int) {
	if int(expert) >= e {
		p.Row[pair] = -1
		return
	}
	row := p.next[expert]
	p.next[expert]++
	p.Row[pair], p.Token[row], p.Pair[row], p.Weight[row] = row, token, pair, weight
}

// Of is the range of rows of an expert.
func (p *Plan) Of(e int) (a, b int) { return int(p.Offset[e]), int(p.Offset[e+1]) }
