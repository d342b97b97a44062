package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestShortWay compares the ways with and without offsets, cold and warm, on random texts, which the short
// way may cut into parts that a cache knows.
func TestShortWay(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	words := strings.Fields("the The quick brown fox's jumping over 12345 x=y+1; fmt.Println(\"hi\") été ÉTÉ e\u0301 naïve 漢字かな 👩‍👩‍👧 \u2581 <0x41> <unk> <s> \x00 don't\u00a0stop internationalisation_of_everything ▁▁ 한국어 ก็")
	for _, name := range []string{"small-bpe-bytelevel", "small-bpe-bytes", "small-unigram", "small-unigram-bytes", "small-wordpiece-cased", "llama3", "qwen3", "gptoss", "deepseek_v3", "gemma3", "llama2", "minilm"} {
		t.Run(name, func(t *testing.T) {
			tok, r := openNamed(t, name), rand.New(rand.NewPCG(5, 6))
			for range n {
				var b strings.Builder
				for range r.IntN(20) {
					if r.IntN(3) > 0 {
						b.WriteString(words[r.IntN(len(words))])
					} else {
						b.WriteString(randomText(r))
					}
					b.WriteString([]string{" ", "", "  ", "\n", "\t"}[r.IntN(5)])
				}
				sameIDs(t, tok, b.String())
			}
		})
	}
}

// TestJunctions: a text cut into parts has the tokens of the text merged as one word.
func TestJunctions(t *testing.T) {
	for _, name := range []string{"small-bpe-bytes", "gemma3", "llama2"} {
		t.Run(name, func(t *testing.T) {
			b := openNamed(t, name).model.(*bpe)
			require.True(t, b.junctions().usable)
			r := rand.New(rand.NewPCG(7, 8))
			for range 3000 {
				text := "▁the▁" + strings.ReplaceAll(randomText(r)+strings.Repeat(" and the other", 20)+randomText(r), " ", "▁") + "▁end\n▁▁▁of▁it"
				whole, cut := new(scratch), new(scratch)
				require.NoError(t, b.word(whole, text))
				require.NoError(t, b.long(cut, text))
				require.Equal(t, whole.toks, cut.toks, "%q", text)
			}
		})
	}
}
