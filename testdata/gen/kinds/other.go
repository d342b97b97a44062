package main

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"github.com/seed2fbf7788/switchyard/learn"
	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/route"
	"github.com/seed2fbf7788/switchyard/tokenizer"
)

// Examples of no kind.
const (
	otherEach   = 4000 // of each file: whole lines, and windows of them
	foreignEach = 120  // of each language
	noiseEach   = 600
)

// other makes texts that are none of the kinds.
func other(m *model.Model, files []string) ([]learn.Example, error) {
	rng := rand.New(rand.NewPCG(19, 3))
	var texts []string
	for _, path := range files {
		list, err := lines(path)
		if err != nil {
			return nil, err
		}
		for range otherEach {
			texts = append(texts, varied(rng, list[rng.IntN(len(list))]))
		}
	}
	texts = append(append(texts, foreign(rng)...), noise(rng)...)
	tok, err := m.Tokenizer()
	if err != nil {
		return nil, err
	}
	var out []learn.Example
	for _, t := range texts {
		enc, err := tok.Encode(t, tokenizer.EncodeOptions{NoOffsets: true, NoSpecial: true})
		if err == nil && len(enc.IDs) > 0 && strings.TrimSpace(t) != "" {
			out = append(out, learn.Example{Text: t, Label: route.Other})
		}
	}
	return out, nil
}

func lines(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var row struct{ Text, Prompt string }
		if err := json.Unmarshal(in.Bytes(), &row); err != nil {
			return nil, err
		}
		out = append(out, row.Text+row.Prompt)
	}
	return out, in.Err()
}

// varied is a line as it is, as others would have written it, or some words of it: neither case nor marks nor length shall tell.
func varied(rng *rand.Rand, t string) string {
	if rng.IntN(2) == 0 { // a question without its options
		t, _, _ = strings.Cut(t, "\nA. ")
	}
	if rng.IntN(3) == 0 {
		words := strings.Fields(t)
		n := 1 + rng.IntN(4)
		if len(words) > n {
			at := rng.IntN(len(words) - n)
			t = strings.Join(words[at:at+n], " ")
		}
	}
	if rng.IntN(2) == 0 && t != "" && t[0] < 0x80 {
		t = strings.ToUpper(t[:1]) + t[1:]
	}
	if rng.IntN(2) == 0 && !strings.ContainsAny(t, ".?!") {
		t += []string{".", "?", "!"}[rng.IntN(3)]
	}
	return t
}

// foreign are words of many languages: their names for languages and countries.
func foreign(rng *rand.Rand) (out []string) {
	tags := language.MustParse
	all := display.Supported.Tags()
	regions := []string{"US", "JP", "CN", "RU", "DE", "FR", "ES", "BR", "IN", "EG", "GR", "KR", "TH", "VN", "IL", "SE", "FI", "PL", "TR", "UA", "ZA", "MX", "IR", "NO"}
	for _, in := range all {
		base, _ := in.Base()
		if b := base.String(); b == "en" || b == "fr" || b == "de" {
			continue
		}
		names, places := display.Tags(in), display.Regions(in)
		if names == nil || places == nil {
			continue
		}
		for range foreignEach {
			var words []string
			for range 1 + rng.IntN(8) {
				if rng.IntN(2) == 0 {
					words = append(words, names.Name(all[rng.IntN(len(all))]))
				} else {
					r, _ := tags("und-" + regions[rng.IntN(len(regions))]).Region()
					words = append(words, places.Name(r))
				}
			}
			out = append(out, strings.Join(words, []string{" ", ", ", ""}[rng.IntN(3)])+[]string{"", ".", "?"}[rng.IntN(3)])
		}
	}
	rng.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(len(out), 6000)]
}

// noise is what fingers and machines make: letters by chance, marks, pictures.
func noise(rng *rand.Rand) (out []string) {
	draw := func(from []rune, most int) string {
		var b strings.Builder
		for range 1 + rng.IntN(most) {
			b.WriteRune(from[rng.IntN(len(from))])
		}
		return b.String()
	}
	pictures := []rune("🙂😀🎉🔥👍❤️🚀🌍😂🙏✨💯☕🐱🌈⚡️…•→★☀♥")
	for range noiseEach {
		out = append(out, draw([]rune("abcdefghijklmnopqrstuvwxyz"), 12)+" "+draw([]rune("abcdefghijklmnopqrstuvwxyz "), 20),
			draw([]rune("?!.,-… "), 6), draw(pictures, 8), draw([]rune("0123456789abcdef-"), 36))
	}
	return out
}
