package guard

import (
	"iter"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// patterns are candidates; what has a checksum is checked afterwards. RE2 matches in time linear in the text.
type patterns struct {
	kind  Kind
	find  *regexp.Regexp
	valid func(string) bool
}

func patternsOf(kind Kind) []patterns {
	switch kind {
	case Email:
		return []patterns{{kind, emailPattern, nil}}
	case IBAN:
		return []patterns{{kind, ibanPattern, nil}}
	case Card:
		return []patterns{{kind, cardPattern, nil}}
	case Phone:
		return []patterns{{kind, phonePattern, validPhone}, {kind, localPhonePattern, validPhone}, {kind, pairsPhonePattern, validPhone}}
	case Key:
		return []patterns{{kind, keyPattern, nil}, {kind, secretPattern, secretLike}, {kind, pemPattern, nil}}
	}
	return nil
}

var (
	emailPattern = regexp.MustCompile(`(?i)[\p{L}\p{N}._%+\-]+@(?:[\p{L}\p{N}](?:[\p{L}\p{N}\-]*[\p{L}\p{N}])?\.)+\p{L}{2,24}`)
	ibanPattern  = regexp.MustCompile(`(?i)[A-Z]{2}[0-9]{2}(?:[ \-]?[A-Z0-9]){11,30}`)
	cardPattern  = regexp.MustCompile(`[0-9](?:[ \-.]?[0-9]){11,18}`)
	// A number of the international form, or of a national one in which something other than spaces parts the groups.
	phonePattern      = regexp.MustCompile(`(?:\+|00)[1-9](?:[ \-./()]{0,2}[0-9]){6,14}`)
	localPhonePattern = regexp.MustCompile(`\(?0?[0-9]{2,5}\)?[ \-./]{1,2}[0-9]{3,8}(?:[ \-./][0-9]{2,5}){0,3}`)
	pairsPhonePattern = regexp.MustCompile(`0[1-9](?:[ .\-][0-9]{2}){4}`) // as in France
	// Prefixes that services give their keys.
	keyPattern = regexp.MustCompile(`\b(?:sk-(?:[a-z]+-)?[A-Za-z0-9_\-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}|glpat-[A-Za-z0-9_\-]{20,}|` +
		`(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_\-]{35}|xox[abeprs]-[A-Za-z0-9\-]{10,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_\-]{50,}|` +
		`[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|eyJ[A-Za-z0-9_\-]{10,}\.eyJ[A-Za-z0-9_\-]{10,}\.[A-Za-z0-9_\-]{10,})`)
	// name = value where the name says that it is secret; only the value is found.
	secretPattern = regexp.MustCompile(`(?i)(?:api[_\- ]?key|secret|token|passw(?:or)?d|passphrase|authorization)["']?\s*[:=]\s*(?:bearer\s+)?["']?([^\s"',;]{8,})`)
	pemPattern    = regexp.MustCompile(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?s:.*?)(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----|\z)`)
)

// of finds one kind, pattern by pattern.
func (g *Guard) of(kind Kind, text string) iter.Seq[[]Finding] {
	return func(yield func([]Finding) bool) {
		if kind == Word {
			g.findWords(text, yield)
			return
		}
		if !mayHold(kind, text) {
			return
		}
		for _, p := range patternsOf(kind) {
			if !yield(p.in(text)) {
				return
			}
		}
	}
}

// in finds the places of one pattern.
func (p *patterns) in(text string) (out []Finding) {
	for _, m := range p.find.FindAllStringSubmatchIndex(text, -1) {
		start, end := m[0], m[1]
		if len(m) > 2 && m[2] >= 0 {
			start, end = m[2], m[3]
		}
		switch p.kind {
		case IBAN:
			end = start + ibanLength(text[start:end])
		case Card:
			end = start + cardLength(text[start:end])
		}
		if end <= start || !apart(p.kind, text, start, end) || p.valid != nil && !p.valid(text[start:end]) {
			continue
		}
		out = append(out, Finding{p.kind, start, end})
	}
	return out
}

// mayHold spares texts the patterns that cannot match.
func mayHold(kind Kind, text string) bool {
	switch kind {
	case Email:
		return strings.Contains(text, "@")
	case IBAN, Card, Phone:
		return strings.ContainsAny(text, "0123456789")
	}
	return true
}

// apart says whether a number stands by itself: not inside a longer word or number.
func apart(kind Kind, text string, start, end int) bool {
	if kind == Key || kind == Email {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(text[:start])
	after, size := utf8.DecodeRuneInString(text[end:])
	next, _ := utf8.DecodeRuneInString(text[end+size:])
	inside := func(r rune) bool {
		return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_')
	}
	if strings.ContainsRune(".-/,:", before) && start > 1 && text[start-2] >= '0' && text[start-2] <= '9' {
		return false
	}
	if kind == Phone && before == ' ' && start > 1 && text[start-2] >= '0' && text[start-2] <= '9' {
		return false // the end of a longer row of numbers
	}
	if strings.ContainsRune("-/.", after) && unicode.IsDigit(next) {
		return false
	}
	return !inside(before) && !inside(after)
}
