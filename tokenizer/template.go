package tokenizer

import "strconv"

// template lays special tokens around the sequences. Reference: tokenizers, processors/template.rs.
type template struct {
	single, pair []templatePiece
}

// templatePiece is a sequence (0 or 1) or, where sequence is -1, special tokens.
type templatePiece struct {
	sequence int
	special  specialPart
}

func newTemplate(f *field) (*template, error) {
	specials := map[string]specialPart{}
	obj := f.obj.get("special_tokens")
	if obj.kind != jsonObject {
		return nil, badf("%s.special_tokens: want an object", f.of)
	}
	for i, name := range obj.keys {
		s := &field{of: f.of + ".special_tokens." + name, obj: obj.list[i]}
		var sp specialPart
		for _, v := range s.array("ids") {
			id, err := strconv.ParseUint(v.text, 10, 31)
			if err != nil {
				s.fail("ids", "token ids")
			}
			sp.ids = append(sp.ids, int32(id))
		}
		for _, v := range s.array("tokens") {
			sp.texts = append(sp.texts, v.text)
		}
		if len(sp.ids) != len(sp.texts) {
			s.fail("ids", "as many as tokens")
		}
		if s.err != nil {
			return nil, s.err
		}
		specials[name] = sp
	}
	t := &template{single: readTemplate(f, "single", specials), pair: readTemplate(f, "pair", specials)}
	for _, p := range t.single {
		if p.sequence == 1 {
			f.fail("single", "sequence A only")
		}
	}
	return t, nil
}

func readTemplate(f *field, key string, specials map[string]specialPart) []templatePiece {
	var out []templatePiece
	for _, v := range f.array(key) {
		if s := v.get("Sequence"); s.kind == jsonObject {
			switch s.get("id").text {
			case "A":
				out = append(out, templatePiece{sequence: 0})
			case "B":
				out = append(out, templatePiece{sequence: 1})
			default:
				f.fail(key, "sequences A or B")
			}
			continue
		}
		sp, ok := specials[v.get("SpecialToken").get("id").text]
		if !ok {
			f.fail(key, "only special tokens that special_tokens lists")
		}
		out = append(out, templatePiece{sequence: -1, special: sp})
	}
	return out
}

func (t *template) added() (n int) {
	for _, p := range t.single {
		n += len(p.special.ids)
	}
	return n
}

func (t *template) trims() bool { return false }

func (t *template) process(parts []part, special bool) ([]part, error) {
	layout := t.single
	switch len(parts) {
	case 1:
	case 2:
		layout = t.pair
	default:
		return nil, unsupportedf("post_processor: a template of %d parts", len(parts))
	}
	var out []part
	for _, p := range layout {
		switch {
		case p.sequence >= 0:
			out = append(out, parts[p.sequence].clone())
		case special:
			out = append(out, p.special.part(parts[0]))
		}
	}
	return out, nil
}

// clone copies what later steps write to.
func (p part) clone() part {
	p.offs = append([][2]int(nil), p.offs...)
	return p
}
