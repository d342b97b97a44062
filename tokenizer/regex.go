package tokenizer

import (
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

const (
	maxPattern   = 1 << 14               // bytes of a pattern in the file
	regexTimeout = 20 * time.Second      // for one match; ordinary ones take microseconds
	regexPerByte = 20 * time.Microsecond // for all matches of a text, beside the time of one
)

// newRegex returns a finder for a pattern in Oniguruma's language, as tokenizer.json has them: a scanner
// written by hand for the patterns in common use, else the regexp2 library on a translation.
func newRegex(pattern string) (finder, error) {
	if s := scannerFor(pattern); s != nil {
		return s, nil
	}
	return newLibraryRegex(pattern)
}

// libraryRegex finds matches with regexp2, which looks ahead and behind and backtracks like Oniguruma.
type libraryRegex struct{ re *regexp2.Regexp }

func newLibraryRegex(pattern string) (finder, error) {
	if len(pattern) > maxPattern {
		return nil, unsupportedf("regular expression of %d bytes, at most %d are supported", len(pattern), maxPattern)
	}
	translated, err := translate(pattern)
	if err != nil {
		return nil, err
	}
	re, err := regexp2.Compile(translated, regexp2.None)
	if err != nil {
		return nil, unsupportedf("regular expression %q: %v", pattern, err)
	}
	re.MatchTimeout = regexTimeout
	return libraryRegex{re}, nil
}

// matches walks on as the onig crate does: an empty match right after a match is passed over.
func (x libraryRegex) matches(text string, found func(i, j int) error) error {
	if text == "" {
		return nil
	}
	rs := []rune(text)
	at, atByte := 0, 0 // the same place in characters and in bytes
	byteOf := func(r int) int {
		for ; at < r; at++ {
			atByte += utf8.RuneLen(rs[at])
		}
		return atByte
	}
	deadline := time.Now().Add(regexTimeout + time.Duration(len(text))*regexPerByte)
	for from, end := 0, -1; from <= len(rs); {
		if time.Now().After(deadline) {
			return encodef("regular expression: too slow for a text of %d bytes", len(text))
		}
		m, err := x.re.FindRunesMatchStartingAt(rs, from)
		if err != nil {
			return encodef("regular expression: %v", err)
		}
		if m == nil {
			return nil
		}
		if m.Length == 0 && m.Index == end {
			from++
			continue
		}
		from = m.Index + m.Length
		end = from
		i := byteOf(m.Index)
		if err := found(i, byteOf(from)); err != nil {
			return err
		}
	}
	return nil
}
