package grammar

import (
	"regexp/syntax"
	"slices"
	"unicode"
)

const (
	maxPattern = 1024
	maxRunes   = 0x10ffff
)

// formats are the values of "format" that are written, as patterns.
func formats() map[string]string {
	const (
		date  = `[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])`
		clock = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]`
		octet = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	)
	return map[string]string{
		"date":      `^` + date + `$`,
		"time":      `^` + clock + `Z$`,
		"date-time": `^` + date + `T` + clock + `Z$`,
		"uuid":      `^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`,
		"ipv4":      `^` + octet + `\.` + octet + `\.` + octet + `\.` + octet + `$`,
		"email":     `^[a-z0-9]{1,24}(\.[a-z0-9]{1,24})?@[a-z0-9]{1,32}(\.[a-z0-9]{1,32})?\.[a-z]{2,8}$`,
		"hostname":  `^[a-z0-9]{1,32}(\.[a-z0-9]{1,32}){1,3}$`,
	}
}

// pattern is a string that matches a regular expression, which may match anywhere in it unless anchored.
func (b *builder) pattern(text string) *node {
	if len(text) > maxPattern {
		b.fail("pattern: want at most %d bytes, found %d", maxPattern, len(text))
		return b.empty()
	}
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		b.fail("pattern %q: %v", text, err)
		return b.empty()
	}
	return b.seq(b.lit(`"`), b.anchored(re), b.lit(`"`))
}

// anchored puts any text before and behind what is not anchored.
func (b *builder) anchored(re *syntax.Regexp) *node {
	switch re.Op {
	case syntax.OpAlternate:
		alts := make([]*node, len(re.Sub))
		for i, s := range re.Sub {
			alts[i] = b.anchored(s)
		}
		return b.alt(alts...)
	case syntax.OpCapture:
		return b.anchored(re.Sub[0])
	}
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = slices.Clone(re.Sub)
	}
	begins, ends := false, false
	for len(parts) > 0 && parts[0].Op == syntax.OpBeginText {
		parts, begins = parts[1:], true
	}
	for len(parts) > 0 && parts[len(parts)-1].Op == syntax.OpEndText {
		parts, ends = parts[:len(parts)-1], true
	}
	var kids []*node
	if !begins {
		kids = append(kids, b.repeat(b.char(), 0, -1))
	}
	for _, p := range parts {
		kids = append(kids, b.regexp(p))
	}
	if !ends {
		kids = append(kids, b.repeat(b.char(), 0, -1))
	}
	return b.seq(kids...)
}

// regexp is an expression within a JSON string.
func (b *builder) regexp(re *syntax.Regexp) *node {
	kids := func() []*node {
		out := make([]*node, len(re.Sub))
		for i, s := range re.Sub {
			out[i] = b.regexp(s)
		}
		return out
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return b.empty()
	case syntax.OpLiteral:
		out := make([]*node, len(re.Rune))
		for i, r := range re.Rune {
			out[i] = b.literal(r, re.Flags&syntax.FoldCase != 0)
		}
		return b.seq(out...)
	case syntax.OpCharClass:
		return b.charClass(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return b.charClass([]rune{' ', maxRunes}) // a subset: no control characters
	case syntax.OpCapture, syntax.OpConcat:
		return b.seq(kids()...)
	case syntax.OpAlternate:
		return b.alt(kids()...)
	case syntax.OpStar:
		return b.repeat(kids()[0], 0, -1)
	case syntax.OpPlus:
		return b.repeat(kids()[0], 1, -1)
	case syntax.OpQuest:
		return b.opt(kids()[0])
	case syntax.OpRepeat:
		return b.repeat(kids()[0], re.Min, re.Max)
	}
	b.fail("pattern: %s is supported neither here nor in this place", re)
	return b.empty()
}

func (b *builder) literal(r rune, fold bool) *node {
	set := []rune{r, r}
	for f := unicode.SimpleFold(r); fold && f != r; f = unicode.SimpleFold(f) {
		set = append(set, f, f)
	}
	return b.charClass(set)
}

// charClass is one character of the ranges, as JSON writes it.
func (b *builder) charClass(ranges []rune) *node {
	var alts []*node
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], min(ranges[i+1], maxRunes)
		for r := lo; r < ' ' && r <= hi; r++ {
			alts = append(alts, b.lit(quoted(r)))
		}
		lo = max(lo, ' ')
		for _, special := range []rune{'"', '\\'} {
			if lo <= special && special <= hi {
				alts = append(alts, b.lit(quoted(special)))
				if lo < special {
					alts = append(alts, b.runes(lo, special-1))
				}
				lo = special + 1
			}
		}
		if lo <= hi {
			alts = append(alts, b.runes(lo, hi))
		}
	}
	return b.alt(alts...)
}

// quoted is a character within a JSON string.
func quoted(r rune) string {
	q := quote(string(r))
	return q[1 : len(q)-1]
}
