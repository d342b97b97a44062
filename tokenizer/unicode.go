package tokenizer

import (
	_ "embed"
	"sort"
	"strconv"
	"strings"
	"sync"
)

//go:embed unicode.txt
var unicodeText string

// runeRange is an inclusive range of code points.
type runeRange struct{ lo, hi rune }

// runeSet is a set of code points as sorted, disjoint ranges.
type runeSet []runeRange

// has reports membership by binary search.
func (s runeSet) has(r rune) bool {
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= r })
	return i < len(s) && s[i].lo <= r
}

// unicodeData holds the character sets of the reference library, which mixes several Unicode versions: its
// regular expressions know 16.0, its punctuation 8.0, its combining marks 9.0. Go's own tables (15.0) would
// be wrong for each of them.
type unicodeData struct {
	sets  map[string]runeSet
	lower map[rune]rune
}

// ucd parses the embedded tables once; the result is never written again.
var ucd = sync.OnceValue(func() *unicodeData {
	d := &unicodeData{sets: map[string]runeSet{}, lower: map[rune]rune{}}
	for line := range strings.Lines(unicodeText) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "#":
		case name == "lower":
			for pair := range strings.FieldsSeq(rest) {
				from, to, _ := strings.Cut(pair, ":")
				d.lower[hexRune(from)] = hexRune(to)
			}
		default:
			d.sets[name] = parseRanges(rest)
		}
	}
	for _, major := range []string{"L", "M", "N", "P", "S", "Z"} {
		var all runeSet
		for name, set := range d.sets {
			if len(name) == 2 && name[:1] == major && name[1] >= 'a' {
				all = append(all, set...)
			}
		}
		d.sets[major] = all.normal()
	}
	return d
})

func parseRanges(text string) runeSet {
	var set runeSet
	prev := rune(0)
	for pair := range strings.FieldsSeq(text) {
		from, more, _ := strings.Cut(pair, "-")
		lo := prev + hexRune(from)
		hi := lo
		if more != "" {
			hi += hexRune(more)
		}
		set = append(set, runeRange{lo, hi})
		prev = hi
	}
	return set
}

func hexRune(s string) rune {
	v, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		panic("tokenizer: embedded unicode.txt is damaged")
	}
	return rune(v)
}

// normal sorts and joins ranges in place and returns the set.
func (s runeSet) normal() runeSet {
	sort.Slice(s, func(i, j int) bool { return s[i].lo < s[j].lo })
	out := s[:0]
	for _, r := range s {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
			continue
		}
		out = append(out, r)
	}
	return out
}

// not returns the complement within U+0000…U+10FFFF.
func (s runeSet) not() runeSet {
	var out runeSet
	next := rune(0)
	for _, r := range s {
		if r.lo > next {
			out = append(out, runeRange{next, r.lo - 1})
		}
		next = r.hi + 1
	}
	if next <= 0x10FFFF {
		out = append(out, runeRange{next, 0x10FFFF})
	}
	return out
}

// and returns the intersection.
func (s runeSet) and(o runeSet) runeSet {
	return append(append(runeSet{}, s.not()...), o.not()...).normal().not()
}
