package tokenizer

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var scannerPatterns = []string{gpt2Pattern, llama3Pattern, qwenPattern, o200kPattern, digitsPattern, cjkPattern, deepseekPattern}

// sameMatches compares every scanner with the library on one text.
func sameMatches(t *testing.T, libs []finder, text string) {
	t.Helper()
	for i, pattern := range scannerPatterns {
		require.Equal(t, spansOf(t, libs[i], text), spansOf(t, scannerFor(pattern), text), "%q by %s", text, pattern)
	}
}

// libraries compiles the patterns for regexp2.
func libraries(t testing.TB) (out []finder) {
	for _, pattern := range scannerPatterns {
		library, err := newLibraryRegex(pattern)
		require.NoError(t, err)
		out = append(out, library)
	}
	return out
}

func spansOf(t *testing.T, f finder, text string) (out [][2]int) {
	t.Helper()
	require.NoError(t, f.matches(text, func(i, j int) error {
		out = append(out, [2]int{i, j})
		return nil
	}))
	return out
}

// scannerAlphabet has characters of every class that a pattern tells apart.
var scannerAlphabet = []rune("aAzZsStTlLdDmMrRvVeEſ ''  \n\r\t\u00a0\u3000.,!/-_$漢字かカーéÉǅʰاก\u0301\u0903\u20dd१1²Ⅷ٣\u200d😀🏽\x00\x85\u2028")

func randomText(r *rand.Rand) string {
	out := make([]rune, r.IntN(14))
	for i := range out {
		out[i] = scannerAlphabet[r.IntN(len(scannerAlphabet))]
	}
	return string(out)
}

func TestScanners(t *testing.T) {
	n := 4000
	if testing.Short() {
		n = 400
	}
	libs, r := libraries(t), rand.New(rand.NewPCG(1, 2))
	for range n {
		sameMatches(t, libs, randomText(r))
	}
}

func FuzzScanners(f *testing.F) {
	for _, s := range []string{"", "Hello, World's end  \n x", "ÉTÉ'ſ 漢字1234", "a\u0301\u0301B", "  \n \t"} {
		f.Add(s)
	}
	libs := libraries(f)
	f.Fuzz(func(t *testing.T, s string) { sameMatches(t, libs, string([]rune(s))) })
}
