package tokenizer

import (
	"sort"
	"sync"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm is NFD, NFC, NFKD or NFKC. It is written out here and not left to x/text, whose Append and
// String break long runs of combining marks with U+034F and know no origins; x/text supplies the tables and
// the quick test. Reference: unicode-normalization-alignments 0.1, which knows an older Unicode.
type unicodeForm struct{ compat, compose bool }

func (u unicodeForm) form() norm.Form {
	switch {
	case u.compat && u.compose:
		return norm.NFKC
	case u.compat:
		return norm.NFKD
	case u.compose:
		return norm.NFC
	}
	return norm.NFD
}

func (u unicodeForm) normalize(p *piece) error {
	if p.align == nil && u.form().QuickSpanString(p.text) == len(p.text) {
		return nil
	}
	out := u.decompose(p.text)
	if u.compose {
		out = recompose(out)
	}
	return p.transform(marked(out), 0)
}

// classed is a change with the canonical combining class of its character.
type classed struct {
	change
	ccc uint8
}

func marked(in []classed) []change {
	out := make([]change, len(in))
	for i, c := range in {
		out[i] = c.change
	}
	return out
}

// decompose replaces each character by its decomposition and sorts runs of marks by class.
func (u unicodeForm) decompose(text string) []classed {
	form := norm.NFD
	if u.compat {
		form = norm.NFKD
	}
	out := make([]classed, 0, len(text))
	ready := 0 // out[:ready] is in its final order
	push := func(r rune, n int) {
		ccc := combiningClass(r)
		if ccc == 0 {
			sortMarks(out[ready:])
			ready = len(out) + 1
		}
		out = append(out, classed{change{r, n}, ccc})
	}
	keep := ucd().sets["nodecomp"]
	for _, r := range text {
		d := ""
		switch {
		case hangulBase <= r && r < hangulBase+hangulCount: // x/text has these by rule, not in its tables
			d = decomposeHangul(r)
		case r >= 0xA0 && !keep.has(r):
			d = string(form.PropertiesString(string(r)).Decomposition())
		}
		if d == "" {
			push(r, 0)
			continue
		}
		for i, c := range d {
			push(c, min(i, 1))
		}
	}
	sortMarks(out[min(ready, len(out)):])
	return out
}

func sortMarks(marks []classed) {
	if len(marks) > 1 {
		sort.SliceStable(marks, func(i, j int) bool { return marks[i].ccc < marks[j].ccc })
	}
}

func combiningClass(r rune) uint8 {
	if r < 0x300 {
		return 0
	}
	ccc := norm.NFD.PropertiesString(string(r)).CCC()
	if ccc != 0 && ucd().sets["ccc0"].has(r) {
		return 0
	}
	return ccc
}

// recompose joins starters with the marks after them that are not blocked. A joined pair takes one character
// less from the old text, unless its second half came from a decomposition.
func recompose(in []classed) []classed {
	out := in[:0]
	starter := -1
	last := uint8(0) // class of the last mark kept since the starter
	kept := false
	for _, c := range in {
		if starter >= 0 && (!kept || last < c.ccc) {
			s := &out[starter]
			if r, ok := composePair(s.r, c.r); ok {
				s.r = r
				s.n += c.n - 1
				continue
			}
		}
		if c.ccc == 0 {
			starter, kept = len(out), false
		} else {
			kept = true
		}
		last = c.ccc
		out = append(out, c)
	}
	return out
}

const (
	hangulBase, hangulCount = 0xAC00, 11172
	jamoL, jamoV, jamoT     = 0x1100, 0x1161, 0x11A7
	jamoLs, jamoVs, jamoTs  = 19, 21, 28
)

func decomposeHangul(r rune) string {
	s := r - hangulBase
	out := []rune{jamoL + s/(jamoVs*jamoTs), jamoV + s%(jamoVs*jamoTs)/jamoTs}
	if t := s % jamoTs; t != 0 {
		out = append(out, jamoT+t)
	}
	return string(out)
}

func composePair(a, b rune) (rune, bool) {
	switch {
	case jamoL <= a && a < jamoL+jamoLs && jamoV <= b && b < jamoV+jamoVs:
		return hangulBase + ((a-jamoL)*jamoVs+(b-jamoV))*jamoTs, true
	case hangulBase <= a && a < hangulBase+hangulCount && (a-hangulBase)%jamoTs == 0 && jamoT < b && b < jamoT+jamoTs:
		return a + b - jamoT, true
	}
	r, ok := compositions()[[2]rune{a, b}]
	return r, ok
}

// compositions holds the primary composites, made once and never written again.
var compositions = sync.OnceValue(func() map[[2]rune]rune {
	m := map[[2]rune]rune{}
	keep := ucd().sets["nodecomp"]
	for _, area := range []runeRange{{0xC0, 0x30FF}, {0x11000, 0x11FFF}} {
		for r := area.lo; r <= area.hi; r++ {
			d := []rune(string(norm.NFD.PropertiesString(string(r)).Decomposition()))
			if len(d) < 2 || keep.has(r) || norm.NFC.String(string(r)) != string(r) {
				continue
			}
			front := []rune(norm.NFC.String(string(d[:len(d)-1])))
			if len(front) == 1 {
				m[[2]rune{front[0], d[len(d)-1]}] = r
			}
		}
	}
	return m
})
