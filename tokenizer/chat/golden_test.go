package chat

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const dataDir = "../../testdata/chat"

// goldenCase is one row of cases.json.
type goldenCase struct {
	Template            string
	Conversation        string
	AddGenerationPrompt bool `json:"add_generation_prompt"`
	Output, Error       string
}

func openGolden(t *testing.T, name string) *Template {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dataDir, "templates", name+".jinja"))
	if err == nil {
		tpl, err := Parse(string(text), map[string]string{"bos_token": "<s>", "eos_token": "</s>"})
		require.NoError(t, err)
		return tpl
	}
	config, err := os.ReadFile(filepath.Join(dataDir, "templates", name+".json"))
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), config, 0o600))
	tpl, err := Open(dir)
	require.NoError(t, err)
	return tpl
}

func TestGoldens(t *testing.T) {
	var cases []goldenCase
	data, err := os.ReadFile(filepath.Join(dataDir, "cases.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &cases))
	require.Len(t, cases, 126)
	var conversations map[string]json.RawMessage
	data, err = os.ReadFile(filepath.Join(dataDir, "conversations.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &conversations))
	good := 0
	for _, c := range cases {
		req, err := ParseRequest(conversations[c.Conversation])
		require.NoError(t, err)
		req.AddGenerationPrompt = c.AddGenerationPrompt
		got, err := openGolden(t, c.Template).Render(req)
		if c.Error != "" {
			if err == nil || err.Error() != c.Error {
				t.Errorf("%s/%s/%v: want error %q, got %v", c.Template, c.Conversation, c.AddGenerationPrompt, c.Error, err)
				continue
			}
		} else if err != nil || got != c.Output {
			t.Errorf("%s/%s/%v: %v\nwant %q\ngot  %q", c.Template, c.Conversation, c.AddGenerationPrompt, err, c.Output, got)
			continue
		}
		good++
	}
	t.Logf("%d of %d", good, len(cases))
}

func TestNoTemplate(t *testing.T) {
	_, err := Open(t.TempDir())
	require.ErrorIs(t, err, ErrNoTemplate)
}
