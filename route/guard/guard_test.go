package guard_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route/guard"
)

var positives = []struct {
	kind guard.Kind
	text string // what is to be found stands between « and »
}{
	{guard.Email, "write to «anna.berg+x@mail.example.org», please"}, {guard.Email, "«j@x.co»."}, {guard.Email, "<«Ünal@büro.example»>"},
	{guard.IBAN, "an «DE89 3704 0044 0532 0130 00» bitte"}, {guard.IBAN, "IBAN:«GB82WEST12345698765432»,"}, {guard.IBAN, "«fr1420041010050500013m02606»"},
	{guard.IBAN, "«NO93 8601 1117 947» is short"}, {guard.IBAN, "pay «CH93-0076-2011-6238-5295-7» 12 CHF"},
	{guard.Card, "card «4111 1111 1111 1111» 12/27"}, {guard.Card, "«5500-0000-0000-0004»"}, {guard.Card, "«378282246310005»"}, {guard.Card, "no «6011000990139424»!"},
	{guard.Phone, "call «+49 30 901820»"}, {guard.Phone, "«+1 (415) 555-2671»"}, {guard.Phone, "tel. «030/1234567»"}, {guard.Phone, "«0044 20 7946 0958» now"},
	{guard.Phone, "«415-555-2671»"}, {guard.Phone, "«(212) 555-0147»"}, {guard.Phone, "«06 12 34 56 78»"},
	{guard.Key, "key «sk-abcdefghijklmnopqrstuvwx1234»"}, {guard.Key, "«AKIAIOSFODNN7EXAMPLE»"}, {guard.Key, "«ghp_abcdefghijklmnopqrstuvwxyz0123456789»"},
	{guard.Key, `password = "«hunter2hunter2»"`}, {guard.Key, "API_KEY=«9f8a7b6c5d4e»"}, {guard.Key, "Authorization: Bearer «abc123def456»"},
	{guard.Key, "«-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----»"}, {guard.Key, "«-----BEGIN PRIVATE KEY-----\ncut off»"},
	{guard.Word, "project «blue  Heron» starts"}, {guard.Word, "«ACME»'s books"}, {guard.Word, "die «Müller» AG"},
}

func private() *guard.Guard {
	return guard.New(guard.Options{Words: []string{"Blue Heron", "acme", "müller", " "}})
}

func TestFound(t *testing.T) {
	g := private()
	for _, c := range positives {
		before, rest, _ := strings.Cut(c.text, "«")
		found, after, _ := strings.Cut(rest, "»")
		text := before + found + after
		require.Equal(t, []guard.Finding{{Kind: c.kind, Start: len(before), End: len(before) + len(found)}}, g.Find(text), text)
		require.Equal(t, before+"["+strings.ToUpper(string(c.kind))+"]"+after, g.Redact(text))
		d := g.Check(text)
		require.True(t, d.LocalOnly)
		require.Equal(t, guard.ReasonFound, d.Reason)
		require.Equal(t, map[guard.Kind]int{c.kind: 1}, d.Found)
		require.False(t, guard.New(guard.Options{Skip: guard.Kinds()}).Check(text).LocalOnly)
	}
}

func TestClean(t *testing.T) {
	g := private()
	for _, text := range []string{
		"", "func main() {", "a @ b, user@localhost, @handle, import x@v1.2.3", "DE89 3704 0044 0532 0130 01", "GB82 WEST 1234 5698 7654 33",
		"4111 1111 1111 1112", "0000 0000 0000 0000", "2026-11-25 14:03:22", "25.11.2026", "11/25/2026", "pi is 3.14159265358979", "v1.26.8, 10.0.0.1, 192.168.100.200",
		"1 000 000 000 items", "chapter 12, verses 3-17; 1789-1799", "3 * 9 = 27", "sk-learn, sk-test", "the password: it is lost", "token: <your-token>", "secret = os.Getenv(\"SECRET\")",
		"acmes and macme", "blue herons", "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "order 1234567 of 89", "ISBN 978-3-16-148410-0",
		"lines 1024-2048-4096", "id 550e8400-e29b-41d4-a716-446655440000", "the 2024 2025 2026 budgets", "Thou shalt not kill.",
	} {
		require.Empty(t, g.Find(text), text)
		require.Equal(t, guard.Decision{Reason: guard.ReasonClean}, g.Check(text))
		require.Equal(t, text, g.Redact(text))
	}
}

func TestManyAndOverlapping(t *testing.T) {
	g := guard.New(guard.Options{Words: []string{"berg"}})
	require.Equal(t, "[EMAIL] [CARD] [IBAN] anna.[WORD]@x.org",
		g.Redact("a@b.de 4111111111111111 DE89370400440532013000 anna.berg@x.org"), "the user's word stands where findings overlap")
	d := g.Check("a@b.de c@d.org +49 30 901820")
	require.Equal(t, map[guard.Kind]int{guard.Email: 2, guard.Phone: 1}, d.Found)
}

func TestFailsClosed(t *testing.T) {
	g := guard.New(guard.Options{MaxBytes: 10})
	require.Equal(t, guard.Decision{LocalOnly: true, Reason: guard.ReasonText}, g.Check("a\xffb"))
	require.Equal(t, guard.Decision{LocalOnly: true, Reason: guard.ReasonTooLarge}, g.Check("12345678901"))
}

func TestLargeTextsAreReadInTime(t *testing.T) {
	for _, unit := range []string{"a@", "4 ", "DE89", "+1 ", "a.b@c.", "4111 1111 1111 1111 ", "a@b.de ", "password=", "-----BEGIN PRIVATE KEY-----"} {
		text := strings.Repeat(unit, 1<<18/len(unit))
		begin := time.Now()
		private().Check(text)
		require.Less(t, time.Since(begin), 20*time.Second, unit)
	}
}

func FuzzRedact(f *testing.F) {
	for _, c := range positives {
		f.Add(c.text)
	}
	g := private()
	f.Fuzz(func(t *testing.T, text string) {
		end := 0
		for _, x := range g.Find(text) {
			require.True(t, end <= x.Start && x.Start < x.End && x.End <= len(text))
			end = x.End
		}
		if utf8.ValidString(text) {
			require.True(t, utf8.ValidString(g.Redact(text)))
		}
	})
}
