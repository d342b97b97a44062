package tokenizer

// normalizer rewrites the text of a piece before it is split.
type normalizer interface {
	normalize(p *piece) error
}

// normalizerFunc is a normalizer without options.
type normalizerFunc func(p *piece) error

func (f normalizerFunc) normalize(p *piece) error { return f(p) }

type normalizerSequence []normalizer

func (s normalizerSequence) normalize(p *piece) error {
	for _, n := range s {
		if err := n.normalize(p); err != nil {
			return err
		}
	}
	return nil
}

// newNormalizer builds the component named by v.type; nil for null.
func newNormalizer(v jsonValue) (normalizer, error) {
	if v.absent() {
		return nil, nil
	}
	f := &field{of: "normalizer", obj: v}
	n, err := buildNormalizer(f, f.string("type"))
	if f.err != nil {
		return nil, f.err
	}
	return n, err
}

func buildNormalizer(f *field, kind string) (normalizer, error) {
	switch kind {
	case "Sequence":
		var seq normalizerSequence
		for _, item := range f.array("normalizers") {
			n, err := newNormalizer(item)
			if err != nil {
				return nil, err
			}
			if n == nil {
				return nil, badf("normalizer.normalizers: null")
			}
			seq = append(seq, n)
		}
		return seq, nil
	case "NFC", "NFD", "NFKC", "NFKD":
		return unicodeForm{compat: kind[2] == 'K', compose: kind[len(kind)-1] == 'C'}, nil
	case "Lowercase":
		return normalizerFunc((*piece).lowercase), nil
	case "StripAccents":
		marks := ucd().sets["combining9"]
		return normalizerFunc(func(p *piece) error {
			return p.filter(func(r rune) bool { return r < 0x80 || !marks.has(r) })
		}), nil
	case "Strip":
		left, right := f.bool("strip_left"), f.bool("strip_right")
		return normalizerFunc(func(p *piece) error { return stripEnds(p, left, right) }), nil
	case "Prepend":
		return prepend(f.string("prepend")), nil
	case "Replace":
		return newReplace(f)
	case "ByteLevel":
		return normalizerFunc((*piece).toByteRunes), nil
	case "Nmt":
		return normalizerFunc(normalizeNmt), nil
	case "BertNormalizer":
		return newBertNormalizer(f), nil
	case "Precompiled":
		return newCharsMap(f)
	}
	return nil, unsupportedf("normalizer.type %q", kind)
}

// stripEnds strips both ends at once or one after the other, which differ in the origins they leave.
func stripEnds(p *piece, left, right bool) error { return p.strip(left, right) }

// normalizeNmt is sentencepiece's nmt rule: control characters vanish, odd spaces become plain ones.
func normalizeNmt(p *piece) error {
	err := p.filter(func(r rune) bool {
		switch {
		case 0x01 <= r && r <= 0x08, r == 0x0B, 0x0E <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return false
		}
		return true
	})
	if err != nil {
		return err
	}
	return p.mapRunes(func(r rune) rune {
		switch {
		case r == 0x09, r == 0x0A, r == 0x0C, r == 0x0D, r == 0x1680, 0x200B <= r && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	})
}
