package tokenizer

import "slices"

// truncation shortens sequences. Reference: tokenizers, utils/truncation.rs; overflowing parts are not kept.
type truncation struct {
	max, stride int
	left        bool
	strategy    string
}

func newTruncation(v jsonValue) (*truncation, error) {
	if v.absent() {
		return nil, nil
	}
	f := field{of: "truncation", obj: v}
	t := &truncation{max: f.size("max_length"), stride: f.size("stride"), strategy: f.string("strategy")}
	if d := v.get("direction"); d.kind != jsonMissing {
		switch f.string("direction") {
		case "Left":
			t.left = true
		case "Right":
		default:
			f.fail("direction", "Left or Right")
		}
	}
	if !slices.Contains([]string{"LongestFirst", "OnlyFirst", "OnlySecond"}, t.strategy) {
		f.fail("strategy", "LongestFirst, OnlyFirst or OnlySecond")
	}
	return t, f.err
}

// apply leaves room for special tokens.
func (t *truncation) apply(p part, room int) (part, error) {
	n, keep := len(p.ids), t.max-room
	if keep < 0 {
		return p, encodef("truncation.max_length %d leaves no room for %d special tokens", t.max, room)
	}
	if n <= keep {
		return p, nil
	}
	if keep > 0 && t.strategy == "OnlySecond" {
		return p, encodef("truncation.strategy OnlySecond with one sequence of %d tokens, at most %d", n, keep)
	}
	if keep > 0 && t.stride >= keep {
		return p, encodef("truncation.stride %d is not below the %d tokens kept", t.stride, keep)
	}
	from := 0
	if t.left {
		from = n - keep
	}
	cut := part{ids: p.ids[from : from+keep]}
	if p.offs != nil {
		cut.offs = p.offs[from : from+keep]
	}
	if p.texts != nil {
		cut.texts = p.texts[from : from+keep]
	}
	return cut, nil
}

// padding fills encodings up. Reference: tokenizers, utils/padding.rs.
type padding struct {
	fixed    int // -1: the longest of the batch
	multiple int
	left     bool
	id       int32
}

// maxPad bounds a fixed length that the file asks for.
const maxPad = 1 << 24

func newPadding(v jsonValue) (*padding, error) {
	if v.absent() {
		return nil, nil
	}
	f := field{of: "padding", obj: v}
	p := &padding{fixed: -1, id: int32(f.size("pad_id"))}
	f.string("pad_token")
	f.size("pad_type_id")
	switch s := v.get("strategy"); {
	case s.kind == jsonString && s.text == "BatchLongest":
	case s.kind == jsonObject && !s.get("Fixed").absent():
		fixed := field{of: "padding.strategy", obj: s}
		if p.fixed = fixed.size("Fixed"); fixed.err != nil || p.fixed > maxPad {
			f.fail("strategy", "Fixed of at most 2^24")
		}
	default:
		f.fail("strategy", `"BatchLongest" or {"Fixed":n}`)
	}
	if !v.get("pad_to_multiple_of").absent() {
		if p.multiple = f.size("pad_to_multiple_of"); p.multiple > maxPad {
			f.fail("pad_to_multiple_of", "at most 2^24")
		}
	}
	switch f.string("direction") {
	case "Left":
		p.left = true
	case "Right":
	default:
		f.fail("direction", "Left or Right")
	}
	return p, f.err
}

// length returns the length to pad to when the longest has n tokens.
func (p *padding) length(n int) int {
	if p.fixed >= 0 {
		n = p.fixed
	}
	if p.multiple > 0 && n%p.multiple > 0 {
		n += p.multiple - n%p.multiple
	}
	return n
}

func (p *padding) apply(e *Encoding, n int) {
	fill := n - len(e.IDs)
	if fill <= 0 {
		return
	}
	ids, offs := slices.Repeat([]int32{p.id}, fill), make([][2]int, fill)
	if p.left {
		e.IDs = append(ids, e.IDs...)
	} else {
		e.IDs = append(e.IDs, ids...)
	}
	switch {
	case e.Offsets == nil && len(e.IDs) > fill:
	case p.left:
		e.Offsets = append(offs, e.Offsets...)
	default:
		e.Offsets = append(e.Offsets, offs...)
	}
}
