package route

import (
	"context"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Language matches texts in one of some languages, by their codes such as "de"; see [Languages].
type Language struct{ Codes []string }

// Read implements Signal.
func (l Language) Read(_ context.Context, p *Prompt) (Reading, error) {
	code, confidence := DetectLanguage(Bound(p.Text, maxLabelBytes))
	match := slices.Contains(l.Codes, code)
	if !match && code == "" {
		confidence = 1
	}
	return Reading{Match: match, Label: code, Confidence: confidence, Reason: ReasonLanguage}, nil
}

// Languages are the codes that DetectLanguage knows.
func Languages() []string {
	list := []string{"ja", "zh", "ko", "ru", "uk", "el", "ar", "fa", "he", "hi", "th"}
	for _, f := range functionWords {
		list = append(list, f.code)
	}
	slices.Sort(list)
	return list
}

// functionWords are the commonest short words of languages in Latin letters, which hardly a sentence does without.
var functionWords = []struct{ code, words string }{
	{"en", "the of and to in is was for that it with as on be at by this are or from have not what how which you i do does can a an my your we they he she would please"},
	{"de", "der die das und ist nicht ein eine einen ich du wir sie es zu den dem von mit auf für im auch was wie wo wer warum kann bitte dass ob sich des am oder aber mein welche wird"},
	{"fr", "le la les et est un une des du de que qui ne pas je vous nous il elle ce cette dans pour sur avec au aux quel quelle comment pourquoi où sont mon ma plus d l c j qu"},
	{"es", "el la los las y es un una de que en no por con para se del al lo como qué cómo dónde cuál está son mi su más pero yo usted hay puedo"},
	{"it", "il lo la gli le e è un una di che non per con del della dei nel sono come dove perché cosa quale mi si al alla questo più ho io posso"},
	{"pt", "o a os as e é um uma de que não em por com para do da dos das no na como onde qual quem está são meu mais você eu posso ao"},
	{"nl", "de het een en is van niet ik je wij zij dat die in op met voor te zijn wat hoe waar wie waarom kan naar ook maar bij aan mijn wordt"},
	{"sv", "och att det är en ett inte jag du vi som på för med av den till vad hur var kan har min om men från"},
	{"pl", "i w na nie się jest to z do że jak co gdzie kto dlaczego czy po od dla mój ale są być który o tak"},
	{"tr", "ve bir bu ne için ile mi mı nasıl nerede kim neden değil çok da de var ben sen daha olarak"},
}

// DetectLanguage names the language of a text by its script, and in Latin letters by its commonest words; "" where these say
// nothing. The confidence is the share of what speaks for it. It is a rule of thumb for whole sentences, not for single words.
func DetectLanguage(text string) (code string, confidence float64) {
	counts, letters := scripts(text)
	if letters == 0 {
		return "", 0
	}
	best, n := "", 0
	for _, name := range []string{"latin", "han", "kana", "ko", "cyrillic", "el", "arabic", "he", "hi", "th"} {
		if counts[name] > n {
			best, n = name, counts[name]
		}
	}
	share := float64(n) / float64(letters)
	switch best {
	case "latin":
		return latin(text)
	case "han", "kana":
		share = float64(counts["han"]+counts["kana"]) / float64(letters)
		if best == "kana" || counts["kana"]*10 > counts["han"] {
			return "ja", share
		}
		return "zh", share
	case "cyrillic":
		if strings.ContainsAny(text, "іїєґІЇЄҐ") {
			return "uk", share
		}
		return "ru", share
	case "arabic":
		if strings.ContainsAny(text, "پچژگ") {
			return "fa", share
		}
		return "ar", share
	}
	return best, share
}

func scripts(text string) (counts map[string]int, letters int) {
	counts = map[string]int{}
	tables := []struct {
		name string
		in   []*unicode.RangeTable
	}{
		{"latin", []*unicode.RangeTable{unicode.Latin}}, {"han", []*unicode.RangeTable{unicode.Han}}, {"kana", []*unicode.RangeTable{unicode.Hiragana, unicode.Katakana}},
		{"ko", []*unicode.RangeTable{unicode.Hangul}}, {"cyrillic", []*unicode.RangeTable{unicode.Cyrillic}}, {"el", []*unicode.RangeTable{unicode.Greek}},
		{"arabic", []*unicode.RangeTable{unicode.Arabic}}, {"he", []*unicode.RangeTable{unicode.Hebrew}}, {"hi", []*unicode.RangeTable{unicode.Devanagari}},
		{"th", []*unicode.RangeTable{unicode.Thai}},
	}
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		if r < 0x80 {
			counts["latin"]++
			continue
		}
		for _, t := range tables {
			if unicode.IsOneOf(t.in, r) {
				counts[t.name]++
				break
			}
		}
	}
	return counts, letters
}

// wordLanguages says which languages have a word.
var wordLanguages = sync.OnceValue(func() map[string][]int {
	of := map[string][]int{}
	for i, f := range functionWords {
		for _, w := range strings.Fields(f.words) {
			of[w] = append(of[w], i)
		}
	}
	return of
})

// latin weighs each function word of a text by how few languages have it.
func latin(text string) (string, float64) {
	scores := make([]float64, len(functionWords))
	total := 0.0
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		of := wordLanguages()[w]
		for _, i := range of {
			scores[i] += 1 / float64(len(of)*len(of))
			total += 1 / float64(len(of)*len(of))
		}
	}
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	if total == 0 || scores[best] < 0.25 {
		return "", 0
	}
	return functionWords[best].code, scores[best] / total
}
