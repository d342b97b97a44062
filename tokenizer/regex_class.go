package tokenizer

import (
	"strconv"
	"strings"
	"unicode"
)

// escape translates what follows a backslash outside of a class.
func (t *translator) escape() error {
	rest := t.in[t.pos:]
	if rest == "" {
		return unsupportedf("backslash at the end")
	}
	word := ucd().sets["word"]
	switch rest[0] {
	case 'A', 'z', 'Z', 'G':
		t.pos++
		t.out.WriteString(`\` + rest[:1])
		return nil
	case 'R':
		t.pos++
		t.out.WriteString(`(?>\r\n|[\n-\r\x85\u2028\u2029])`)
		return nil
	case 'b', 'B':
		t.pos++
		side := func(open string) {
			t.out.WriteString(open)
			t.set(word)
			t.out.WriteString(")")
		}
		behind, ahead := [2]string{"(?<=", "(?<!"}, [2]string{"(?!", "(?="}
		if rest[0] == 'B' {
			ahead = [2]string{"(?=", "(?!"}
		}
		t.out.WriteString("(?:")
		side(behind[0])
		side(ahead[0])
		t.out.WriteString("|")
		side(behind[1])
		side(ahead[1])
		t.out.WriteString(")")
		return nil
	}
	set, single, err := t.escaped()
	if err != nil {
		return err
	}
	if single {
		t.literal(set[0].lo)
		return nil
	}
	t.set(set)
	return nil
}

// escaped reads an escape that stands for characters; single is true where it stands for just one.
func (t *translator) escaped() (set runeSet, single bool, err error) {
	sets := ucd().sets
	r := t.next()
	switch r {
	case 'p', 'P':
		set, err = t.property(r == 'P')
		return set, false, err
	case 's':
		return sets["White_Space"], false, nil
	case 'S':
		return sets["White_Space"].not(), false, nil
	case 'd':
		return sets["Nd"], false, nil
	case 'D':
		return sets["Nd"].not(), false, nil
	case 'w':
		return sets["word"], false, nil
	case 'W':
		return sets["word"].not(), false, nil
	case 'h':
		return hexDigits(), false, nil
	case 'H':
		return hexDigits().not(), false, nil
	case 'x', 'u':
		r, err = t.hex(r == 'u')
		return runeSet{{r, r}}, true, err
	}
	if i := strings.IndexRune("tnrfvae", r); i >= 0 {
		r = rune("\t\n\r\f\v\a\x1b"[i])
	} else if r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return nil, false, unsupportedf(`escape \%c`, r)
	}
	return runeSet{{r, r}}, true, nil
}

func hexDigits() runeSet { return runeSet{{'0', '9'}, {'A', 'F'}, {'a', 'f'}} }

// hex reads \xHH, \x{H…} or \uHHHH.
func (t *translator) hex(four bool) (rune, error) {
	rest := t.in[t.pos:]
	digits, skip := "", 0
	switch end := strings.IndexByte(rest, '}'); {
	case four && len(rest) >= 4:
		digits, skip = rest[:4], 4
	case !four && strings.HasPrefix(rest, "{") && end > 0:
		digits, skip = rest[1:end], end+1
	case !four && len(rest) >= 2:
		digits, skip = rest[:2], 2
	}
	v, err := strconv.ParseUint(digits, 16, 32)
	if err != nil || v > unicode.MaxRune || !four && skip == 2 && v > 0x7F {
		return 0, unsupportedf("hexadecimal escape")
	}
	t.pos += skip
	return rune(v), nil
}

// property reads the braces of \p{Name}.
func (t *translator) property(not bool) (runeSet, error) {
	rest := t.in[t.pos:]
	end := strings.IndexByte(rest, '}')
	if !strings.HasPrefix(rest, "{") || end < 0 {
		return nil, unsupportedf(`\p without braces`)
	}
	t.pos += end + 1
	name := rest[1:end]
	if strings.HasPrefix(name, "^") {
		name, not = name[1:], !not
	}
	set := ucd().sets[name]
	if set == nil || name == "word" || strings.ToLower(name) == name {
		if set = posix(strings.ToLower(name)); set == nil {
			return nil, unsupportedf(`property \p{%s}`, name)
		}
	}
	if not {
		set = set.not()
	}
	return set, nil
}

// posix returns the set of a POSIX bracket name, nil for another.
func posix(name string) runeSet {
	sets := ucd().sets
	switch name {
	case "alpha", "alphabetic":
		return sets["Alphabetic"]
	case "digit":
		return sets["Nd"]
	case "alnum":
		return append(append(runeSet{}, sets["Alphabetic"]...), sets["Nd"]...).normal()
	case "space", "white_space":
		return sets["White_Space"]
	case "upper", "uppercase":
		return sets["Uppercase"]
	case "lower", "lowercase":
		return sets["Lowercase"]
	case "punct":
		return sets["posixpunct"]
	case "word":
		return sets["posixword"]
	case "graph":
		return sets["posixgraph"]
	case "print":
		return sets["posixprint"]
	case "cntrl":
		return sets["Cc"]
	case "blank":
		return append(append(runeSet{}, sets["Zs"]...), runeRange{'\t', '\t'}).normal()
	case "xdigit":
		return hexDigits()
	}
	return nil
}

// class reads what follows an opening bracket, closing bracket included.
func (t *translator) class() (runeSet, error) {
	if t.groups++; t.groups > 200 {
		return nil, unsupportedf("too many groups")
	}
	not := t.accept("^")
	var set, meet runeSet
	met := false // meet holds what stood before &&
	for first := true; ; first = false {
		if t.pos >= len(t.in) {
			return nil, unsupportedf("unfinished class")
		}
		switch {
		case t.accept("]") && !first:
			if met {
				set = meet.and(set.normal())
			}
			if set = set.normal(); t.fold {
				set = folded(set)
			}
			if not {
				set = set.not()
			}
			return set, nil
		case t.accept("&&"):
			if set = set.normal(); met {
				set = meet.and(set)
			}
			meet, met, set = set, true, nil
		default:
			part, err := t.member()
			if err != nil {
				return nil, err
			}
			set = append(set, part...)
		}
	}
}

// member reads one member of a class: a nested class, an escape, a character or a range.
func (t *translator) member() (runeSet, error) {
	if t.accept("[:") {
		end := strings.Index(t.in[t.pos:], ":]")
		if end < 0 {
			return nil, unsupportedf("POSIX bracket")
		}
		name := t.in[t.pos : t.pos+end]
		t.pos += end + 2
		set := posix(strings.TrimPrefix(name, "^"))
		if set == nil {
			return nil, unsupportedf("POSIX bracket [:%s:]", name)
		}
		if name[0] == '^' {
			set = set.not()
		}
		return set, nil
	}
	if t.accept("[") {
		return t.class()
	}
	set, single, err := t.one()
	rest := t.in[t.pos:]
	if err != nil || !single || len(rest) < 2 || rest[0] != '-' || rest[1] == ']' || rest[1] == '[' {
		return set, err
	}
	t.pos++
	to, single, err := t.one()
	if err != nil {
		return nil, err
	}
	if !single || to[0].lo < set[0].lo {
		return nil, unsupportedf("range in a class")
	}
	return runeSet{{set[0].lo, to[0].lo}}, nil
}

func (t *translator) one() (runeSet, bool, error) {
	r := t.next()
	if r == '\\' {
		if t.pos >= len(t.in) {
			return nil, false, unsupportedf("backslash at the end")
		}
		if t.in[t.pos] == 'b' {
			t.pos++
			return runeSet{{'\b', '\b'}}, true, nil
		}
		return t.escaped()
	}
	return runeSet{{r, r}}, true, nil
}

// folded adds the characters that differ in case only.
func folded(s runeSet) runeSet {
	out := append(runeSet{}, s...)
	for _, r := range s {
		for c := r.lo; c <= r.hi; c++ {
			for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
				out = append(out, runeRange{f, f})
			}
		}
	}
	return out.normal()
}
