package jinja

import (
	"sort"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// upper, lower and fold are the full mappings of Unicode, as Python has them.
func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func fold(s string) string { return cases.Fold().String(s) }

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// isDigit is str.isdigit: superscripts and subscripts beside the decimals.
func isDigit(r rune) bool {
	return unicode.IsDigit(r) || r == '²' || r == '³' || r == '¹' || r == 0x2070 || 0x2074 <= r && r <= 0x2079 || 0x2080 <= r && r <= 0x2089
}

// titleWords is the filter title, which unlike the method knows only spaces, hyphens and brackets as the ends
// of words.
func titleWords(s string) string {
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, wordEdge)
		if n == 0 {
			_, n = utf8.DecodeRuneInString(s)
			b.WriteString(s[:n])
		} else {
			if n < 0 {
				n = len(s)
			}
			_, k := utf8.DecodeRuneInString(s)
			b.WriteString(upper(s[:k]) + lower(s[k:n]))
		}
		s = s[n:]
	}
	return b.String()
}

func wordEdge(r rune) bool { return pySpace(r) || strings.ContainsRune("-({[<", r) }

// window cuts s to the arguments start and end of find and startswith, which count characters; before is how
// many lie before it, ok is false where start lies behind the end.
func window(s string, a args) (part string, before int, ok bool) {
	if len(a.pos) < 2 {
		return s, 0, true
	}
	rs := []rune(s)
	n := int64(len(rs))
	clamp := func(i int64) int64 {
		if i < 0 {
			i += n
		}
		return max(i, 0)
	}
	from, to := clamp(a.int(1, "start", 0)), min(clamp(a.int(2, "end", n)), n)
	if from > to {
		return "", 0, false
	}
	return string(rs[from:to]), int(from), true
}

// rsplitSpace splits at white space, at most n times, from the end.
func rsplitSpace(s string, n int) []string {
	var out []string
	for s = strings.TrimRightFunc(s, pySpace); s != ""; s = strings.TrimRightFunc(s, pySpace) {
		i := strings.LastIndexFunc(s, pySpace)
		if i < 0 || len(out) == n {
			out = append(out, s)
			break
		}
		_, k := utf8.DecodeRuneInString(s[i:])
		out = append(out, s[i+k:])
		s = s[:i]
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func expandTabs(c *context, s string, a args) (any, error) {
	size, column := int(min(max(a.int(0, "tabsize", 8), 0), 1000)), 0
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' && size > 0:
			n := size - column%size
			b.WriteString(strings.Repeat(" ", n))
			column += n
		case r == '\t':
		default:
			b.WriteRune(r)
			if column++; r == '\n' || r == '\r' {
				column = 0
			}
		}
		if b.Len() > maxString {
			break
		}
	}
	return c.text(b.String())
}

// pyInt is int(s, base), with the prefixes and underscores that it takes.
func pyInt(s string, base int) (int64, error) {
	digits := strings.TrimLeft(s, "+-")
	if len(digits) > 2 && len(s)-len(digits) < 2 && digits[0] == '0' {
		prefix := map[int]string{2: "bB", 8: "oO", 16: "xX"}[base]
		if strings.IndexByte(prefix, digits[1]) >= 0 {
			return strconv.ParseInt(s[:len(s)-len(digits)]+digits[2:], base, 64)
		}
	}
	if base != 0 && !strings.HasPrefix(digits, "_") && !strings.HasSuffix(s, "_") && !strings.Contains(s, "__") {
		s = strings.ReplaceAll(s, "_", "")
	}
	if base < 0 || base == 1 || base > 36 {
		return 0, strconv.ErrRange
	}
	return strconv.ParseInt(s, base, 64)
}

// filterURL is urlencode: a string, or the pairs of a mapping or of a sequence as a query.
func filterURL(c *context, v any, _ args) (any, error) {
	_, isString := v.(string)
	var pairs []any
	switch x := v.(type) {
	case *Dict:
		pairs = x.items().Items
	case *List:
		pairs = x.Items
	default:
		isString = true
	}
	if isString {
		return c.text(quoteURL(str(v), "/", "%20"))
	}
	var parts []string
	for _, p := range pairs {
		kv, ok := p.(*List)
		if !ok || len(kv.Items) != 2 {
			return nil, typeErrorf("urlencode needs pairs")
		}
		parts = append(parts, quoteURL(str(kv.Items[0]), "", "+")+"="+quoteURL(str(kv.Items[1]), "", "+"))
	}
	return c.text(strings.Join(parts, "&"))
}

func quoteURL(s, keep, space string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch x := s[i]; {
		case x|0x20 >= 'a' && x|0x20 <= 'z', x >= '0' && x <= '9', strings.IndexByte("_.-~"+keep, x) >= 0:
			b.WriteByte(x)
		case x == ' ':
			b.WriteString(space)
		default:
			const hex = "0123456789ABCDEF"
			b.WriteString("%" + hex[x>>4:x>>4+1] + hex[x&15:x&15+1])
		}
	}
	return b.String()
}

// filterWrap is wordwrap: each line by itself, words broken where they are too long, hyphens kept at ends.
func filterWrap(c *context, v any, a args) (any, error) {
	width, wrap := int(a.int(0, "width", 79)), a.str(2, "wrapstring", "\n")
	long, hyphens := truthy(a.or(1, "break_long_words", true)), truthy(a.or(3, "break_on_hyphens", true))
	if width < 1 {
		return nil, errorf("ValueError", "invalid width %d (must be > 0)", width)
	}
	var out []string
	for _, line := range strings.Split(strings.ReplaceAll(str(v), "\r\n", "\n"), "\n") {
		out = append(out, strings.Join(wrapLine(chunks(line, hyphens), width, long), wrap))
	}
	if s := str(v); strings.HasSuffix(s, "\n") {
		out = out[:len(out)-1]
	}
	return c.text(strings.Join(out, wrap))
}

// chunks cuts a line into words, the parts of hyphenated words, and the spaces between.
func chunks(line string, hyphens bool) []string {
	var out []string
	from := 0
	rs := []rune(line)
	for i := 1; i <= len(rs); i++ {
		cut := i == len(rs) || pySpace(rs[i]) != pySpace(rs[i-1])
		if !cut && hyphens && rs[i-1] == '-' && i-from > 2 && unicode.IsLetter(rs[i-2]) && i+1 < len(rs) &&
			unicode.IsLetter(rs[i]) && (unicode.IsLetter(rs[i+1]) || rs[i+1] == '-') {
			cut = true
		}
		if cut {
			out = append(out, string(rs[from:i]))
			from = i
		}
	}
	return out
}

// wrapLine fills lines as textwrap does without replacing white space.
func wrapLine(words []string, width int, breakLong bool) []string {
	var lines []string
	for len(words) > 0 {
		if len(lines) > 0 && strings.TrimFunc(words[0], pySpace) == "" {
			words = words[1:]
			continue
		}
		line, n := []string{}, 0
		for len(words) > 0 && n+utf8.RuneCountInString(words[0]) <= width {
			n += utf8.RuneCountInString(words[0])
			line, words = append(line, words[0]), words[1:]
		}
		if len(words) > 0 && utf8.RuneCountInString(words[0]) > width {
			if breakLong {
				rs := []rune(words[0])
				room := max(width-n, 1)
				if n < width || n == 0 {
					line, words[0] = append(line, string(rs[:room])), string(rs[room:])
				}
			} else if len(line) == 0 {
				line, words = append(line, words[0]), words[1:]
			}
		}
		if k := len(line); k > 0 && strings.TrimFunc(line[k-1], pySpace) == "" {
			line = line[:k-1]
		}
		if len(line) > 0 {
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

// sorted returns v with the keys of dicts in order, as pprint shows them; long values stay on one line.
func sorted(v any, depth int) any {
	if depth > 100 {
		return v
	}
	switch x := v.(type) {
	case *List:
		out := &List{Tuple: x.Tuple}
		for _, it := range x.Items {
			out.Items = append(out.Items, sorted(it, depth+1))
		}
		return out
	case *Dict:
		keys := append([]any{}, x.keys...)
		sort.SliceStable(keys, func(i, j int) bool {
			n, err := order("<", keys[i], keys[j])
			return err == nil && n < 0
		})
		out := NewDict()
		for _, k := range keys {
			val, _ := x.Get(k)
			out.Set(k, sorted(val, depth+1))
		}
		return out
	}
	return v
}
