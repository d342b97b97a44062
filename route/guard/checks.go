package guard

import "strings"

// digits are the digits of s.
func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// luhn is the checksum of card numbers (ISO/IEC 7812-1).
func luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// validCard: 12 to 19 digits with a right checksum that begin as payment cards do (2 to 6) and are not one digit over and over.
func validCard(s string) bool {
	d := digits(s)
	return len(d) >= 12 && len(d) <= 19 && d[0] >= '2' && d[0] <= '6' && strings.Trim(d, d[:1]) != "" && luhn(d)
}

// cardLength is how many bytes of s are a valid card number that ends with a group, the longest there is; 0: none.
func cardLength(s string) int {
	for end := len(s); end >= 12; end-- {
		whole := end == len(s) || s[end] < '0' || s[end] > '9'
		if last := s[end-1]; whole && last >= '0' && last <= '9' && validCard(s[:end]) {
			return end
		}
	}
	return 0
}

// mod97 is the checksum of ISO 7064 over an IBAN without blanks (ISO 13616): 1 where it is right.
func mod97(iban string) int {
	rest := 0
	for _, c := range iban[4:] + iban[:4] {
		if c >= '0' && c <= '9' {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest
}

// ibanLengths are the lengths of the registry of IBANs by country.
const ibanLengths = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 " +
	"GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 " +
	"MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20"

// ibanLength is how many bytes of s are a valid IBAN, groups parted by blanks or hyphens; 0 where it begins with none.
func ibanLength(s string) int {
	at := strings.Index(ibanLengths, strings.ToUpper(s[:2]))
	if at < 0 || at%5 != 0 {
		return 0
	}
	want := int(ibanLengths[at+2]-'0')*10 + int(ibanLengths[at+3]-'0')
	var plain strings.Builder
	for i, c := range strings.ToUpper(s) {
		if c == ' ' || c == '-' {
			continue
		}
		plain.WriteRune(c)
		if plain.Len() == want {
			if mod97(plain.String()) == 1 {
				return i + 1
			}
			return 0
		}
	}
	return 0
}

// validPhone: 7 to 15 digits (E.164) that are no date and no version.
func validPhone(s string) bool {
	d := digits(s)
	if len(d) < 7 || len(d) > 15 || strings.Trim(d, d[:1]) == "" {
		return false
	}
	if s[0] == '+' || strings.HasPrefix(s, "00") {
		return true
	}
	groups := strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	dated := len(groups) == 3 && (len(groups[0]) == 4 || len(groups[2]) == 4) && len(d) == 8
	return !dated && (s[0] == '0' || s[0] == '(' || american(groups, s))
}

// american: 3-3-4 digits parted by hyphens or dots, as numbers of North America are written.
func american(groups []string, s string) bool {
	return len(groups) == 3 && len(groups[0]) == 3 && len(groups[1]) == 3 && len(groups[2]) == 4 && groups[0][0] >= '2' && !strings.Contains(s, "/")
}

// secretLike says whether a value behind a secret's name is one: not a type, a place-holder or prose.
func secretLike(s string) bool {
	if strings.ContainsAny(s, "<>{}()$") {
		return false
	}
	return strings.ContainsAny(s, "0123456789") || strings.ContainsAny(s, "!#%&*+/=@^~")
}
