package tokenizer

// preTokenizer cuts a piece into the pieces that the model may not join. It calls emit for each, in order.
type preTokenizer interface {
	split(p piece, emit func(piece) error) error
}

// behavior says what becomes of the matches of a pattern that text is split by.
type behavior uint8

const (
	isolated behavior = iota
	removed
	mergedWithPrevious
	mergedWithNext
	contiguous
)

func readBehavior(f *field, key string) behavior {
	switch f.string(key) {
	case "Isolated":
		return isolated
	case "Removed":
		return removed
	case "MergedWithPrevious":
		return mergedWithPrevious
	case "MergedWithNext":
		return mergedWithNext
	case "Contiguous":
		return contiguous
	}
	f.fail(key, "Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous")
	return isolated
}

// splitter splits by a pattern. Reference: tokenizers, tokenizer/normalizer.rs, split.
type splitter struct {
	find   finder
	how    behavior
	invert bool // what lies between the matches counts as the match
}

// segment is a part of a text that is a match or lies between two.
type segment struct {
	i, j  int
	match bool
}

// segments cuts text into matches and the parts between, without gaps.
func (s *splitter) segments(text string, each func(segment) error) error {
	done := 0
	err := s.find.matches(text, func(i, j int) error {
		if done < i {
			if err := each(segment{done, i, s.invert}); err != nil {
				return err
			}
		}
		done = j
		return each(segment{i, j, !s.invert})
	})
	if err == nil && done < len(text) {
		err = each(segment{done, len(text), s.invert})
	}
	return err
}

func (s *splitter) split(p piece, emit func(piece) error) error {
	if p.text == "" {
		return nil
	}
	if s.how == isolated || s.how == removed {
		return s.segments(p.text, func(g segment) error {
			if g.i == g.j || g.match && s.how == removed {
				return nil
			}
			return emit(p.slice(g.i, g.j))
		})
	}
	var all []segment
	err := s.segments(p.text, func(g segment) error {
		all = append(all, g)
		return nil
	})
	if err != nil {
		return err
	}
	for _, g := range s.join(all) {
		if g.i < g.j {
			if err := emit(p.slice(g.i, g.j)); err != nil {
				return err
			}
		}
	}
	return nil
}

// join merges segments as the behaviour asks.
func (s *splitter) join(all []segment) []segment {
	if s.how == mergedWithNext {
		return joinNext(all)
	}
	var out []segment
	before := false
	for _, g := range all {
		joins := g.match && !before
		if s.how == contiguous {
			joins = g.match == before
		}
		if joins && len(out) > 0 {
			out[len(out)-1].j = g.j
		} else {
			out = append(out, g)
		}
		before = g.match
	}
	return out
}

// joinNext goes from the end: a match joins what follows it, unless that is a match.
func joinNext(all []segment) []segment {
	at := len(all) // all[at:] is joined
	before := false
	for k := len(all) - 1; k >= 0; k-- {
		g := all[k]
		if g.match && !before && at < len(all) {
			all[at].i = g.i
		} else {
			at--
			all[at] = g
		}
		before = g.match
	}
	return all[at:]
}
