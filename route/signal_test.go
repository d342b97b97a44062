package route_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/route"
)

func reads(t *testing.T, s route.Signal, text string) route.Reading {
	r, err := s.Read(context.Background(), &route.Prompt{Text: text})
	require.NoError(t, err)
	return r
}

func TestRules(t *testing.T) {
	words := route.NewKeyword([]string{"tax", "Steuer", "power of attorney", "C++", " "})
	for text, want := range map[string]bool{
		"my TAX return": true, "taxi": false, "syntax": false, "tax": true, "(tax)": true, "die Steuer.": true, "Steuerung": false,
		"a power  of\nattorney": true, "power attorney": false, "in C++": true, "C++11": false, "": false, "ätax": false,
	} {
		require.Equal(t, want, reads(t, words, text).Match, text)
	}
	require.True(t, reads(t, route.Regex{Pattern: regexp.MustCompile(`T-\d{6}`)}, "see T-123456").Match)
	require.True(t, reads(t, route.Length{Over: 2, Under: -1}, "äöü").Match)
	require.False(t, reads(t, route.Length{Over: 3, Under: -1}, "äöü").Match)
	require.True(t, reads(t, route.Length{Over: -1, Under: 4}, "äöü").Match)
	r, err := route.Length{Over: 100, Under: -1}.Read(context.Background(), &route.Prompt{Text: "hi", Size: 101})
	require.NoError(t, err)
	require.True(t, r.Match, "the conversation counts")
	not := reads(t, route.Not{Signal: words}, "hello")
	require.True(t, not.Match)
	require.Equal(t, route.ReasonNot, not.Reason)
	require.False(t, reads(t, route.All{words, route.Length{Over: 100, Under: -1}}, "tax").Match)
	require.Equal(t, route.ReasonLength, reads(t, route.Any{words, route.Length{Over: 1, Under: -1}}, "hello").Reason)
	r, err = route.Private(true).Read(context.Background(), &route.Prompt{Private: true})
	require.NoError(t, err)
	require.True(t, r.Match)
}

func TestLanguage(t *testing.T) {
	for text, want := range map[string]string{
		"What is the capital of France?": "en", "Wie spät ist es?": "de", "Quelle heure est-il ?": "fr", "¿Qué hora es?": "es",
		"Che ora è?": "it", "Qual é o caminho para a estação?": "pt", "Hoe laat is het?": "nl", "Vad är klockan?": "sv", "Która jest godzina?": "pl",
		"Bugün hava nasıl ve ne kadar?": "tr", "今日は天気がいいですね。": "ja", "今天天气很好。": "zh", "오늘 날씨가 좋네요.": "ko", "Какая сегодня погода?": "ru",
		"Яка сьогодні погода в Києві?": "uk", "Τι ώρα είναι;": "el", "ما هو الطقس اليوم؟": "ar", "امروز هوا چطور است؟": "fa", "מה השעה?": "he", "आज मौसम कैसा है?": "hi",
		"วันนี้อากาศเป็นอย่างไร": "th", "12345": "", "": "", "xyzzy": "",
	} {
		got, confidence := route.DetectLanguage(text)
		require.Equal(t, want, got, text)
		require.True(t, confidence >= 0 && confidence <= 1)
		if want != "" {
			require.Contains(t, route.Languages(), want)
		}
	}
	require.True(t, reads(t, route.Language{Codes: []string{"fr", "de"}}, "Où est la gare ?").Match)
}

// The rule for code on the prompts that the built-in router is judged by: 150 of code and 750 of prose in English, French and
// German. Dictionary entries and sums are left out: they are neither; so are the German ones with HTML, which is code.
func TestCodeOnHeldOutPrompts(t *testing.T) {
	found, falsely, code, prose := 0, 0, 0, 0
	for _, x := range held(t) {
		match := reads(t, route.Code(true), x.Text).Match
		switch x.Label {
		case "code":
			code++
			if match {
				found++
			}
		case "dictionary", "sums":
		default:
			if strings.ContainsAny(x.Text, "<>") {
				continue
			}
			prose++
			if match {
				falsely++
				t.Logf("%s: %.80q", x.Label, x.Text)
			}
		}
	}
	t.Logf("found %d of %d, falsely %d of %d", found, code, falsely, prose)
	require.GreaterOrEqual(t, found, code*8/10)
	require.LessOrEqual(t, falsely, prose/100)
}

func TestCode(t *testing.T) {
	for text, want := range map[string]bool{
		"func main() {": true, "SELECT name FROM users WHERE id = 3": true, "def f(x):\n    return x + 1": true, "#include <stdio.h>": true,
		"Please explain:\n```\nx = y\n```\nThank you.": true, `{"name": "x", "n": 3}`: true, "for i := range 10 { fmt.Println(i) }": true,
		"Write a function that sorts a list": false, "What is a pointer in C?": false, "Romeo; wherefore art thou;\nRomeo;": false,
		"Let me know: is it 3 or 4 (or more)?": false, "import duties on steel rose by 5 %": false, "今日は天気がいいですね。": false, "": false,
		"class conflict in the 19th century": false, "const std::string& s": true, "if err != nil {": true, "let x = 5;": true,
	} {
		require.Equal(t, want, reads(t, route.Code(true), text).Match, text)
		require.Equal(t, !want, reads(t, route.Code(false), text).Match, text)
	}
}

// labels says the same of every text, and counts.
type labels struct {
	label route.Label
	err   error
	asked int
	read  int
}

func (l *labels) Labels() []string { return []string{"a", "b"} }
func (l *labels) Label(_ context.Context, text string) (route.Label, error) {
	l.asked++
	l.read = len(text)
	return l.label, l.err
}

func TestTable(t *testing.T) {
	ctx := context.Background()
	by := &labels{label: route.Label{Name: "a", Matched: true, Confidence: 0.8, Threshold: 0.6, Reason: route.ReasonLabel}}
	table := route.Table{Default: "plain", Broken: "safe", Rows: []route.Row{
		{Name: "tax", If: route.NewKeyword([]string{"tax"}), To: "law"},
		{Name: "b", If: route.LabelledAs{By: by, Is: []string{"b"}}, To: "y"},
		{Name: "sure", If: route.LabelledAs{By: by, Is: []string{"a"}, AtLeast: 0.9}, To: "x"},
		{Name: "a", If: route.LabelledAs{By: by, Is: []string{"a"}}, To: "z"},
	}}
	c := table.Choose(ctx, &route.Prompt{Text: "a tax"})
	require.Equal(t, []any{"tax", "law", route.ReasonKeyword, 0}, []any{c.Decision, c.Model, c.Reason, by.asked})
	c = table.Choose(ctx, &route.Prompt{Text: strings.Repeat("ä", 1<<19)})
	require.Equal(t, []any{"a", "z", route.ReasonLabel, 0.8, 3, 1}, []any{c.Decision, c.Model, c.Reason, c.Confidence, c.Row, by.asked}, "read once")
	require.LessOrEqual(t, by.read, 4<<10+1)
	require.Len(t, c.Readings, 4)

	by.label.Matched = false
	c = table.Choose(ctx, &route.Prompt{Text: "x"})
	require.Equal(t, []any{"default", "plain", route.ReasonNoMatch, -1}, []any{c.Decision, c.Model, c.Reason, c.Row})
	require.InDelta(t, 0.2, c.Confidence, 1e-9)
	require.NoError(t, c.Err)

	by.err = errors.New("broken")
	c = table.Choose(ctx, &route.Prompt{Text: "x"})
	require.Equal(t, []any{"default", "safe", route.ReasonBroken, by.err}, []any{c.Decision, c.Model, c.Reason, c.Err})
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	c = table.Choose(stopped, &route.Prompt{Text: "a tax"})
	require.Equal(t, route.ReasonBroken, c.Reason)
	require.Equal(t, route.ReasonDefault, (&route.Table{}).Choose(ctx, &route.Prompt{}).Reason)
	always := route.Table{Rows: []route.Row{{Name: "all", To: "m"}}}
	require.Equal(t, route.ReasonAlways, always.Choose(ctx, &route.Prompt{}).Reason)
}

func TestBound(t *testing.T) {
	require.Equal(t, "abc", route.Bound("abc", 3))
	require.Equal(t, "ab\nyz", route.Bound("abc…xyz", 4))
	for n := range 20 {
		require.True(t, utf8.ValidString(route.Bound("äöüßéèôñ€漢字", n)), n)
	}
}

func BenchmarkRules(b *testing.B) {
	rows := []route.Row{
		{Name: "keyword", If: route.NewKeyword([]string{"tax", "law", "contract", "power of attorney"})}, {Name: "regex", If: route.Regex{Pattern: regexp.MustCompile(`T-\d{6}`)}},
		{Name: "length", If: route.Length{Over: 2000, Under: -1}}, {Name: "language", If: route.Language{Codes: []string{"de"}}}, {Name: "code", If: route.Code(true)},
	}
	for n := range len(rows) + 1 {
		table, name := route.Table{Rows: rows}, "all"
		if n < len(rows) {
			table.Rows, name = rows[n:n+1], rows[n].Name
		}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				table.Choose(context.Background(), &route.Prompt{Text: "What is the best way to sort a list of names in a large file without reading all of it into memory?"})
			}
		})
	}
}
