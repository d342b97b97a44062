package tokenizer

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// translator rewrites a pattern from Oniguruma's Ruby syntax into that of regexp2. All character classes
// become explicit ranges, because the two libraries know different versions of Unicode and fold case
// differently. What it does not know is refused by name.
type translator struct {
	in     string
	pos    int
	out    strings.Builder
	fold   bool // (?i)
	dotAll bool // (?m) in Ruby
	groups int
}

func translate(pattern string) (string, error) {
	t := &translator{in: pattern}
	if err := t.alternatives(); err != nil {
		return "", fmt.Errorf("%w in regular expression %q", err, pattern)
	}
	if t.pos < len(t.in) {
		return "", unsupportedf("unmatched ) in regular expression %q", pattern)
	}
	return t.out.String(), nil
}

func (t *translator) next() rune {
	r, n := utf8.DecodeRuneInString(t.in[t.pos:])
	t.pos += n
	return r
}

func (t *translator) accept(s string) bool {
	if strings.HasPrefix(t.in[t.pos:], s) {
		t.pos += len(s)
		return true
	}
	return false
}

// alternatives translates up to the end or a closing parenthesis, which is left.
func (t *translator) alternatives() error {
	fold, dotAll := t.fold, t.dotAll
	defer func() { t.fold, t.dotAll = fold, dotAll }()
	if t.groups++; t.groups > 200 {
		return unsupportedf("too many groups")
	}
	for t.pos < len(t.in) && t.in[t.pos] != ')' {
		if t.accept("|") {
			t.out.WriteByte('|')
			continue
		}
		from := t.out.Len()
		if err := t.atom(); err != nil {
			return err
		}
		if err := t.quantifiers(from); err != nil {
			return err
		}
	}
	return nil
}

// atom translates one character, class, group or anchor.
func (t *translator) atom() error {
	switch r := t.next(); r {
	case '(':
		return t.group()
	case '[':
		set, err := t.class()
		if err != nil {
			return err
		}
		t.set(set)
	case '.':
		if t.dotAll {
			t.set(runeSet{}.not())
		} else {
			t.set(runeSet{{'\n', '\n'}}.not())
		}
	case '^': // always the beginning of a line, but not after a newline that ends the text
		t.out.WriteString(`(?:\A|(?<=\n)(?!\z))`)
	case '$':
		t.out.WriteString(`(?=\n|\z)`)
	case '\\':
		return t.escape()
	case '*', '+', '?':
		return unsupportedf("nothing to repeat before %q", r)
	default:
		t.literal(r)
	}
	return nil
}

func (t *translator) literal(r rune) {
	if t.fold {
		t.set(folded(runeSet{{r, r}}))
		return
	}
	t.char(r)
}

// char writes one character so that it stands for itself, in and out of a class.
func (t *translator) char(r rune) {
	if r < 0x80 && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
		fmt.Fprintf(&t.out, `\x%02x`, r)
		return
	}
	t.out.WriteRune(r)
}

// set writes a set as a class.
func (t *translator) set(s runeSet) {
	switch {
	case len(s) == 0:
		t.out.WriteString(`(?!)`)
		return
	case len(s) == 1 && s[0].lo == s[0].hi:
		t.char(s[0].lo)
		return
	}
	t.out.WriteByte('[')
	for _, r := range s {
		t.char(r.lo)
		if r.hi > r.lo {
			t.out.WriteByte('-')
			t.char(r.hi)
		}
	}
	t.out.WriteByte(']')
}

// group translates what follows an opening parenthesis.
func (t *translator) group() error {
	for _, open := range []string{"?:", "?=", "?!", "?<=", "?<!", "?>"} {
		if t.accept(open) {
			t.out.WriteString("(" + open)
			return t.body()
		}
	}
	switch {
	case t.accept("?#"):
		i := strings.IndexByte(t.in[t.pos:], ')')
		if i < 0 {
			return unsupportedf("unfinished comment")
		}
		t.pos += i + 1
		return nil
	case t.accept("?<") || t.accept("?P<") || t.accept("?'"):
		return unsupportedf("named group")
	case t.accept("?"):
		return t.options()
	}
	t.out.WriteString("(?:") // nothing refers to groups
	return t.body()
}

func (t *translator) body() error {
	if err := t.alternatives(); err != nil {
		return err
	}
	if !t.accept(")") {
		return unsupportedf("unfinished group")
	}
	t.out.WriteByte(')')
	return nil
}

// options translates (?i) and (?i:…); without a colon they hold until the end of the group around.
func (t *translator) options() error {
	fold, dotAll, on := t.fold, t.dotAll, true
	for {
		switch r := t.next(); r {
		case 'i':
			fold = on
		case 'm':
			dotAll = on
		case '-':
			on = false
		case ')':
			// The rest of the group is one more group: (?i)a|b is a(?i:|b) to Oniguruma.
			t.fold, t.dotAll = fold, dotAll
			t.out.WriteString("(?:")
			if err := t.alternatives(); err != nil {
				return err
			}
			t.out.WriteByte(')')
			return nil
		case ':':
			wasFold, wasDot := t.fold, t.dotAll
			t.fold, t.dotAll = fold, dotAll
			t.out.WriteString("(?:")
			err := t.body()
			t.fold, t.dotAll = wasFold, wasDot
			return err
		default:
			return unsupportedf("group option %q", r)
		}
	}
}

// quantifiers translates what repeats the atom that begins at byte from of the output.
func (t *translator) quantifiers(from int) error {
	for n := 0; ; n++ {
		q, braces := t.quantifier()
		if q == "" {
			return nil
		}
		atom := t.out.String()[from:]
		if n > 0 {
			atom = "(?:" + atom + ")"
		}
		if n > 8 {
			return unsupportedf("too many quantifiers")
		}
		whole := t.out.String()[:from]
		t.out.Reset()
		t.out.WriteString(whole)
		switch {
		case t.accept("?"):
			t.out.WriteString(atom + q + "?")
		case !braces && t.accept("+"): // possessive
			t.out.WriteString("(?>" + atom + q + ")")
		default:
			t.out.WriteString(atom + q)
		}
	}
}

func (t *translator) quantifier() (q string, braces bool) {
	for _, q := range []string{"*", "+", "?"} {
		if t.accept(q) {
			return q, false
		}
	}
	rest := t.in[t.pos:]
	end := strings.IndexByte(rest, '}')
	if !strings.HasPrefix(rest, "{") || end < 0 {
		return "", false
	}
	lo, hi, two := strings.Cut(rest[1:end], ",")
	if two && lo == "" && hi != "" {
		lo = "0"
	}
	a, errA := strconv.ParseUint(lo, 10, 16)
	b, errB := strconv.ParseUint(hi, 10, 16)
	if errA != nil || hi != "" && errB != nil || hi != "" && a > b {
		return "", false
	}
	t.pos += end + 1
	if !two {
		return fmt.Sprintf("{%d}", a), true
	}
	return fmt.Sprintf("{%d,%s}", a, hi), true
}
