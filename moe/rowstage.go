package moe

import "fmt"

// staged is span over all tokens, one step of the rule after the other, with a hook between them. Its results are the
// same where the hook changes nothing.
func (r *rows) staged(c Call, w *scratch) error {
	n, slots := r.logits.Rows, r.spec.Slots()
	scores, choices := r.scores.mat(n, r.spec.Logits()), r.choices.mat(n, slots)
	r.skips = sized(r.skips, n*slots)
	skipping := false
	for t := range n {
		if !r.begin(t, w) {
			return nil // the caller says which token
		}
		copy(scores.Row(t), w.score)
		clear(choices.Row(t))
		copy(choices.Row(t), w.choice)
		skipping = w.skipping
		copy(r.skips[t*slots:(t+1)*slots], w.skip)
	}
	c.stage.view.Scores, c.stage.view.Choice = scores, choices
	if err := c.stage.at(PointScores, c); err != nil {
		return err
	}
	again := func(t int) {
		r.load(t, w)
		copy(w.score, scores.Row(t))
		w.choice, w.skipping = append(w.choice[:0], choices.Row(t)...), skipping
		copy(w.skip, r.skips[t*slots:(t+1)*slots])
	}
	for t := range n {
		again(t)
		r.pick(t, w)
	}
	c.stage.view.Routing = r.dst
	if err := c.stage.at(PointSelection, c); err != nil {
		return err
	}
	for t := range n {
		again(t)
		if err := r.chosen(t, c.Layer); err != nil {
			return err
		}
		ids, _ := r.dst.Of(t)
		k := 0
		for k < len(ids) && ids[k] >= 0 {
			k++
		}
		r.weigh(t, k, w)
	}
	return nil
}

// chosen moves the experts of token t that a hook has left to the front, and refuses what is none.
func (r *rows) chosen(t, layer int) error {
	ids, _ := r.dst.Of(t)
	n := 0
	for _, e := range ids {
		if int(e) >= r.spec.Slots() {
			return fmt.Errorf("%w: layer %d token %d: a hook chose expert %d, want 0 to %d, or -1", ErrGate, layer, t, e, r.spec.Slots()-1)
		}
		if e >= 0 {
			ids[n] = e
			n++
		}
	}
	for ; n < len(ids); n++ {
		ids[n] = -1
	}
	return nil
}
