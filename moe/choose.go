package moe

import "math"

// choose writes the indices of the len(ids) largest scores into ids, by falling score, ties by lower index, and gives
// how many there were. An index with skip set is not there at all, whatever its score; skip may be nil. Scores must not
// be NaN.
func choose(ids []int32, score []float32, skip []bool) int {
	n := 0
	for e, s := range score {
		if skip != nil && skip[e] {
			continue
		}
		at := n
		if n == len(ids) {
			if at--; s <= score[ids[at]] {
				continue
			}
		} else {
			n++
		}
		for at > 0 && s > score[ids[at-1]] {
			ids[at] = ids[at-1]
			at--
		}
		ids[at] = int32(e)
	}
	return n
}

// limit applies the group limit to choice scores: it keeps the best groups, ties to the lower group, and marks the
// experts of the others in skip or sets their choice to 0. It gives skip, or nil where nothing is skipped. Null experts
// stand behind the groups and stay.
func (r *Groups) limit(choice []float32, experts int, w *scratch) []bool {
	size := experts / r.N
	w.groups = sized(w.groups, r.N)
	for g := range w.groups {
		w.groups[g] = r.score(choice[g*size : (g+1)*size])
	}
	w.best, w.skip = sized(w.best, r.Keep), sized(w.skip, len(choice))
	choose(w.best, w.groups, nil)
	for i := range w.skip {
		w.skip[i] = i < experts
	}
	for _, g := range w.best {
		clear(w.skip[int(g)*size : (int(g)+1)*size])
	}
	if !r.FillZero {
		return w.skip
	}
	for i, out := range w.skip {
		if out {
			choice[i] = 0
		}
	}
	return nil
}

// score is the score of one group: its largest choice score, or the sum of its two largest.
func (r *Groups) score(choice []float32) float32 {
	first, second := float32(math.Inf(-1)), float32(math.Inf(-1))
	for _, s := range choice {
		if s > first {
			first, second = s, first
		} else if s > second {
			second = s
		}
	}
	if r.Agg != GroupTop2Sum || len(choice) == 1 {
		return first
	}
	return first + second
}
