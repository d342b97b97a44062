package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const dataDir = "../testdata/tokenizer"

// refRow is what the reference library says about one string of corpus.json.
type refRow struct {
	IDs         []int32  `json:"ids"`
	SpecialIDs  []int32  `json:"special_ids"`
	Offsets     [][2]int `json:"offsets"`
	Decoded     string   `json:"decoded"`
	DecodedSkip string   `json:"decoded_skip"`
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, v))
}

func openFile(t testing.TB, path string) *Tokenizer {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	tok, err := Parse(data)
	require.NoError(t, err)
	return tok
}

// openNamed opens a tokenizer of testdata or, for a real vocabulary, of $SWITCHYARD_VOCABS.
func openNamed(t testing.TB, name string) *Tokenizer {
	t.Helper()
	if strings.HasPrefix(name, "small-") {
		return openFile(t, filepath.Join(dataDir, name+".json"))
	}
	dir := os.Getenv("SWITCHYARD_VOCABS")
	if dir == "" {
		t.Skipf("SKIPPED %s: SWITCHYARD_VOCABS is not set (testdata/gen/fetch_vocabs.sh fills a folder)", name)
	}
	tok, err := Open(filepath.Join(dir, name))
	require.NoError(t, err)
	return tok
}

func TestReferences(t *testing.T) {
	var corpus []string
	readJSON(t, filepath.Join(dataDir, "corpus.json"), &corpus)
	files, err := filepath.Glob(filepath.Join(dataDir, "refs", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 13)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			tok := openNamed(t, name)
			var ref struct{ Rows []refRow }
			readJSON(t, file, &ref)
			require.Len(t, ref.Rows, len(corpus))
			for i, text := range corpus {
				checkRow(t, tok, text, ref.Rows[i])
			}
		})
	}
}

func checkRow(t *testing.T, tok *Tokenizer, text string, want refRow) {
	t.Helper()
	plain, err := tok.Encode(text, EncodeOptions{NoSpecial: true})
	require.NoError(t, err, "%q", text)
	require.Equal(t, want.IDs, append([]int32{}, plain.IDs...), "ids of %q", text)
	require.Equal(t, want.Offsets, append([][2]int{}, plain.Offsets...), "offsets of %q", text)
	sameIDs(t, tok, text)
	special, err := tok.Encode(text, EncodeOptions{})
	require.NoError(t, err)
	require.Equal(t, want.SpecialIDs, append([]int32{}, special.IDs...), "ids with special tokens of %q", text)
	decoded, err := tok.Decode(plain.IDs, false)
	require.NoError(t, err)
	require.Equal(t, want.Decoded, decoded, "decoded")
	decoded, err = tok.Decode(special.IDs, true)
	require.NoError(t, err)
	require.Equal(t, want.DecodedSkip, decoded, "decoded without special tokens")
}

// sameIDs checks that a call that wants no offsets, which goes a shorter way, gives the same ids.
func sameIDs(t testing.TB, tok *Tokenizer, text string) {
	t.Helper()
	long, longErr := tok.Encode(text, EncodeOptions{NoSpecial: true})
	short, shortErr := tok.Encode(text, EncodeOptions{NoSpecial: true, NoOffsets: true})
	require.Equal(t, longErr, shortErr)
	require.Equal(t, long.IDs, short.IDs, "ids without offsets of %q", text)
}
