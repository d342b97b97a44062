package tokenizer

import "strings"

// direct is the short way for callers that want ids only: BPE behind scanners, or behind nothing. Then only
// the bytes of the words matter, and no piece is made for each.
type direct struct {
	model *bpe
	cuts  []scanner // each cuts what the one before it leaves
	never []string  // texts with one of these go the long way
}

// newDirect returns the short way through pre and b, nil where there is none.
func newDirect(pre preTokenizer, b *bpe) *direct {
	d := &direct{model: b}
	if !d.add(pre) {
		return nil
	}
	return d
}

func (d *direct) add(pre preTokenizer) bool {
	switch p := pre.(type) {
	case nil:
		return true
	case splitSequence:
		for _, item := range p {
			if !d.add(item) {
				return false
			}
		}
		return true
	case *byteLevel:
		return p.raw && !p.prefixSpace && (p.cut == nil || d.add(p.cut))
	case *splitter:
		switch find := p.find.(type) {
		case scanner:
			d.cuts = append(d.cuts, find)
			return p.how == isolated
		case literal:
			d.never = append(d.never, string(find))
			return !p.invert
		}
		return false
	}
	return false
}

// takes reports whether a text can go this way.
func (d *direct) takes(text string) bool {
	for _, s := range d.never {
		if strings.Contains(text, s) {
			return false
		}
	}
	return true
}

// encode appends the ids of text, cut by d.cuts[level:].
func (d *direct) encode(sc *scratch, ids []int32, text string, level int) ([]int32, error) {
	if text == "" {
		return ids, nil
	}
	if level == len(d.cuts) {
		return d.model.appendIDs(sc, ids, text)
	}
	cut := d.cuts[level]
	t := classText{text, cut.table}
	done := 0
	var err error
	for i := 0; i < len(text); {
		j := cut.next(t, i)
		if j == i {
			_, n := t.at(i)
			i += n
			continue
		}
		if done < i {
			if ids, err = d.encode(sc, ids, text[done:i], level+1); err != nil {
				return ids, err
			}
		}
		if level+1 == len(d.cuts) {
			ids, err = d.model.appendIDs(sc, ids, text[i:j])
		} else {
			ids, err = d.encode(sc, ids, text[i:j], level+1)
		}
		if err != nil {
			return ids, err
		}
		i, done = j, j
	}
	return d.encode(sc, ids, text[done:], level+1)
}

// onlyCuts reports whether pre cuts a text without changing it or asking where it came from.
func onlyCuts(pre preTokenizer) bool {
	switch p := pre.(type) {
	case nil, *splitter:
		return true
	case *byteLevel:
		return p.raw && !p.prefixSpace
	case splitSequence:
		for _, item := range p {
			if !onlyCuts(item) {
				return false
			}
		}
		return true
	}
	return false
}
