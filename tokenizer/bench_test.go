package tokenizer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchText is prose and code of this package, n bytes of it.
func benchText(b testing.TB, n int) string {
	files, err := filepath.Glob("*.go")
	require.NoError(b, err)
	var text strings.Builder
	for text.Len() < n {
		for _, f := range files {
			data, err := os.ReadFile(f)
			require.NoError(b, err)
			text.Write(data)
		}
	}
	return text.String()[:n]
}

func BenchmarkEncode(b *testing.B) {
	for _, name := range []string{"small-bpe-bytelevel", "llama3", "qwen3", "gptoss", "deepseek_v3", "gemma3", "minilm", "small-unigram"} {
		b.Run(name, func(b *testing.B) {
			tok := openNamed(b, name)
			text := benchText(b, 1<<20)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				_, err := tok.Encode(text, EncodeOptions{NoOffsets: true})
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkEncodeHard(b *testing.B) {
	const n = 10 << 20
	for name, unit := range map[string]string{"one": "a", "spaces": " ", "emoji": "👩‍👩‍👧‍👦😀", "nospace": "abcxyzQWE"} {
		text := strings.Repeat(unit, n/len(unit))
		for _, vocab := range []string{"small-bpe-bytelevel", "llama3", "gemma3", "small-unigram"} {
			b.Run(vocab+"/"+name, func(b *testing.B) {
				tok := openNamed(b, vocab)
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					_, err := tok.Encode(text, EncodeOptions{})
					require.NoError(b, err)
				}
			})
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, name := range []string{"llama3", "qwen3", "gptoss", "gemma3"} {
		b.Run(name, func(b *testing.B) {
			openNamed(b, name)
			data, err := os.ReadFile(filepath.Join(os.Getenv("SWITCHYARD_VOCABS"), name, "tokenizer.json"))
			require.NoError(b, err)
			b.SetBytes(int64(len(data)))
			from := cpuTime(b)
			for b.Loop() {
				_, err := Parse(data)
				require.NoError(b, err)
			}
			b.ReportMetric((cpuTime(b)-from).Seconds()/float64(b.N), "cpu-s/op")
		})
	}
}
