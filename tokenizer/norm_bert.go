package tokenizer

import "unicode"

// bertNormalizer cleans text as BERT did. Reference: tokenizers, normalizers/bert.rs.
type bertNormalizer struct {
	clean, cjk, accents, lower bool
	removed, marks             runeSet
}

func newBertNormalizer(f *field) normalizer {
	b := bertNormalizer{
		clean: f.bool("clean_text"), cjk: f.bool("handle_chinese_chars"), lower: f.bool("lowercase"),
		removed: ucd().sets["bertremoved"], marks: ucd().sets["Mn8"],
	}
	b.accents = f.optBool("strip_accents", b.lower)
	return b
}

func (b bertNormalizer) normalize(p *piece) error {
	if b.clean {
		if err := b.cleanText(p); err != nil {
			return err
		}
	}
	if b.cjk {
		if err := spaceIdeographs(p); err != nil {
			return err
		}
	}
	if b.accents {
		if err := (unicodeForm{}).normalize(p); err != nil {
			return err
		}
		if err := p.filter(func(r rune) bool { return r < 0x80 || !b.marks.has(r) }); err != nil {
			return err
		}
	}
	if b.lower {
		return p.lowercase()
	}
	return nil
}

func (b bertNormalizer) cleanText(p *piece) error {
	err := p.filter(func(r rune) bool {
		if ' ' <= r && r < 0x7F {
			return true
		}
		return !b.removed.has(r)
	})
	if err != nil {
		return err
	}
	return p.mapRunes(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	})
}

// spaceIdeographs puts a space on both sides of each Chinese character.
func spaceIdeographs(p *piece) error {
	if p.align == nil && allRunes(p.text, func(r rune) bool { return !isIdeograph(r) }) {
		return nil
	}
	out := make([]change, 0, len(p.text))
	for _, r := range p.text {
		if isIdeograph(r) {
			out = append(out, change{' ', 0}, change{r, 1}, change{' ', 1})
			continue
		}
		out = append(out, change{r, 0})
	}
	return p.transform(out, 0)
}

func isIdeograph(r rune) bool {
	if r < 0x3400 {
		return false
	}
	switch {
	case 0x4E00 <= r && r <= 0x9FFF, 0x3400 <= r && r <= 0x4DBF, 0x20000 <= r && r <= 0x2A6DF,
		0x2A700 <= r && r <= 0x2B73F, 0x2B740 <= r && r <= 0x2B81F, 0x2B920 <= r && r <= 0x2CEAF,
		0xF900 <= r && r <= 0xFAFF, 0x2F800 <= r && r <= 0x2FA1F:
		return true
	}
	return false
}
