package jinja

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSnippets compares small templates with jinja2 as transformers sets it up; make_snippets.py made the file.
func TestSnippets(t *testing.T) {
	data, err := os.ReadFile("../../testdata/chat/snippets.json")
	require.NoError(t, err)
	var file struct {
		Vars json.RawMessage
		Rows []struct{ Src, Output, Error string }
	}
	require.NoError(t, json.Unmarshal(data, &file))
	require.Greater(t, len(file.Rows), 600)
	for _, row := range file.Rows {
		vars, err := FromJSON(file.Vars)
		require.NoError(t, err)
		names := map[string]any{}
		for i, k := range vars.(*Dict).keys {
			names[k.(string)] = vars.(*Dict).vals[i]
		}
		got := ""
		tpl, err := Parse(row.Src)
		if err == nil {
			got, err = tpl.Render(names, time.Now())
		}
		switch {
		case row.Error != "" && err == nil:
			t.Errorf("%s: want %s, got %q", row.Src, row.Error, got)
		case row.Error == "" && err != nil:
			t.Errorf("%s: want %q, got error %v", row.Src, row.Output, err)
		case row.Error == "" && got != row.Output:
			t.Errorf("%s:\nwant %q\ngot  %q", row.Src, row.Output, got)
		}
	}
}
