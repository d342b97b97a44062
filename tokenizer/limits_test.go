package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLimits compares truncation and padding with the reference; make_limits.py made the rows. One departure is
// wanted: where max_length is less than the special tokens, the reference wraps around and cuts nothing.
func TestLimits(t *testing.T) {
	var rows []struct {
		Tokenizer                 string
		Post, Truncation, Padding json.RawMessage
		Special                   bool
		Texts                     []string
		IDs                       [][]int32
		Offsets                   [][][2]int
		Error                     string
	}
	readJSON(t, filepath.Join(dataDir, "limits.json"), &rows)
	require.Len(t, rows, 400)
	departures := 0
	for i, row := range rows {
		data, err := os.ReadFile(filepath.Join(dataDir, row.Tokenizer+".json"))
		require.NoError(t, err)
		var file map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(data, &file))
		file["truncation"], file["padding"] = row.Truncation, row.Padding
		if string(row.Post) != `"own"` {
			file["post_processor"] = row.Post
		}
		data, err = json.Marshal(file)
		require.NoError(t, err)
		tok, err := Parse(data)
		var got []Encoding
		if err == nil {
			got, err = tok.EncodeBatch(row.Texts, EncodeOptions{NoSpecial: !row.Special, Truncate: true, Pad: true})
		}
		what := string(row.Truncation) + " " + string(row.Padding)
		if row.Error != "" {
			require.Error(t, err, "row %d, %s: want %s", i, what, row.Error)
			continue
		}
		if err != nil && strings.Contains(err.Error(), "leaves no room") {
			departures++
			continue
		}
		require.NoError(t, err, "row %d, %s", i, what)
		for k, e := range got {
			require.Equal(t, row.IDs[k], append([]int32{}, e.IDs...), "row %d, %s", i, what)
			require.Equal(t, row.Offsets[k], append([][2]int{}, e.Offsets...), "row %d, %s", i, what)
		}
	}
	require.Equal(t, 15, departures)
}
