//go:build unix

package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMergeLong compares the queue with the heap, on texts with merges of many ranks and of few.
func TestMergeLong(t *testing.T) {
	for _, name := range []string{"small-bpe-bytelevel", "small-bpe-bytes", "llama3", "gemma3"} {
		t.Run(name, func(t *testing.T) {
			b, r := openNamed(t, name).model.(*bpe), rand.New(rand.NewPCG(9, 10))
			for i := range 40 {
				var text strings.Builder
				for text.Len() < longWord+r.IntN(3000) {
					switch i % 3 {
					case 0:
						text.WriteString("a")
					case 1:
						text.WriteString([]string{"the", "ing", "aaaa", " ", "ab", "▁"}[r.IntN(6)])
					default:
						text.WriteByte('a' + byte(r.IntN(26)))
					}
				}
				heap, queue := new(bpeScratch), new(bpeScratch)
				require.NoError(t, b.symbols(heap, text.String()))
				queue.syms = slices.Clone(heap.syms)
				b.mergeHeap(heap)
				b.mergeLong(queue)
				require.Equal(t, heap.syms, queue.syms)
			}
		})
	}
}

// TestLinear measures texts of growing length that are bad for one algorithm or another: four times the text
// takes about four times the time.
func TestLinear(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: takes time")
	}
	for _, name := range []string{"small-bpe-bytelevel", "small-bpe-bytes", "small-unigram", "small-unigram-bytes", "small-wordpiece-cased", "llama3", "qwen3", "gptoss", "deepseek_v3", "gemma3", "llama2", "minilm"} {
		t.Run(name, func(t *testing.T) {
			tok := openNamed(t, name)
			for what, unit := range map[string]string{"one": "a", "spaces": " ", "emoji": "👩‍👩‍👧‍👦😀", "nospace": "abcxyzQWE", "marks": "\u0301\u0323", "newlines": "\n", "apostrophes": "'", "digits": "1"} {
				took := func(n int) time.Duration {
					text := strings.Repeat(unit, n/len(unit))
					from := cpuTime(t)
					_, err := tok.Encode(text, EncodeOptions{})
					require.NoError(t, err)
					return cpuTime(t) - from
				}
				small, large := took(1<<18), took(1<<20)
				t.Logf("%s: %.2f s/MB, then %.2f", what, small.Seconds()*4, large.Seconds())
				require.Less(t, large, 12*small+200*time.Millisecond, "%s: 4 times the text", what)
			}
		})
	}
}
