package moe

// Plan groups the (token, slot) pairs of a Routing by expert: a stable counting sort. Rows are places in that order;
// expert e owns rows Offset[e]:Offset[e+1], its tokens in ascending order. Pairs of null experts have no row.
type Plan struct {
	Offset []int32   // [E+1]
	Token  []int32   // [rows] token of a row
	Weight []float32 // [rows]
	Row    []int32   // [N] row of a pair, -1 for a null expert's
	next   []int32
}

// Build sorts the pairs of r over experts ids below e.
func (p *Plan) Build(r *Routing, e int) {
	p.Offset = grow(p.Offset[:0], e+1)[:e+1]
	clear(p.Offset)
	for _, x := range r.Expert {
		if int(x) < e {
			p.Offset[x+1]++
		}
	}
	for i := range e {
		p.Offset[i+1] += p.Offset[i]
	}
	rows := int(p.Offset[e])
	p.Token, p.Weight = grow(p.Token[:0], rows)[:rows], grow(p.Weight[:0], rows)[:rows]
	p.Row = grow(p.Row[:0], len(r.Expert))[:len(r.Expert)]
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
	p.Row[pair], p.Token[row], p.Weight[row] = row, token, weight
}

// Of is the range of rows of an expert.
func (p *Plan) Of(e int) (a, b int) { return int(p.Offset[e]), int(p.Offset[e+1]) }
