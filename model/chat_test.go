package model_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/model"
	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
)

// say asks and gives the whole answer.
func say(t *testing.T, c *model.Chat, text string, n int) string {
	var out strings.Builder
	for tk, err := range c.Say(context.Background(), text, model.GenerateOptions{MaxTokens: n}) {
		require.NoError(t, err)
		out.WriteString(tk.Text)
	}
	return out.String()
}

// A model without a template gets plain turns; what is computed already is not computed again, and the answers are those
// of a conversation that was begun anew.
func TestPlainChat(t *testing.T) {
	m := openBuiltin(t, model.Options{})
	c, err := m.NewChat()
	require.NoError(t, err)
	defer c.Close()
	assert.True(t, c.Plain())
	c.System("Be brief.")
	say(t, c, "And it came to pass", 8)
	first := c.Session().Stats()
	second := say(t, c, "3 * 9 =", 8)
	assert.Less(t, c.Session().Stats().Prompt, first.Prompt+8, "only what is new is read")
	turns := c.Turns()
	require.Len(t, turns, 5)
	assert.Equal(t, chat.Message{Role: "system", Content: "Be brief."}, turns[0])

	fresh, err := m.NewChat()
	require.NoError(t, err)
	defer fresh.Close()
	prompt := "System: Be brief.\n\nUser: And it came to pass\n\nAssistant: " + turns[2].Content + "\n\nUser: 3 * 9 =\n\nAssistant:"
	p, err := c.Prompt()
	require.NoError(t, err)
	require.True(t, c.Undo())
	assert.Contains(t, p, prompt[:strings.LastIndex(prompt, "Assistant:")])
	whole, _ := text(t, m, prompt, model.GenerateOptions{MaxTokens: 8, Stop: []string{"\n\nUser:", "\n\nSystem:", "\n\nAssistant:"}})
	assert.Equal(t, whole, second)

	c.Reset()
	assert.Len(t, c.Turns(), 1)
	assert.False(t, c.Undo())
	c.System("")
	assert.Empty(t, c.Turns())
}

// A question that does not fit is an error, and the conversation goes on without it.
func TestChatTakesAFailedQuestionBack(t *testing.T) {
	m := openBuiltin(t, model.Options{Context: 48})
	c, err := m.NewChat()
	require.NoError(t, err)
	defer c.Close()
	for _, err := range c.Say(context.Background(), strings.Repeat("word ", 60), model.GenerateOptions{}) {
		assert.ErrorIs(t, err, model.ErrContext)
	}
	assert.Empty(t, c.Turns())
	say(t, c, "3 * 9 =", 2)
	assert.Len(t, c.Turns(), 2)
}

// Five turns with a real model: the first prompt is the reference's, later ones read only what is new.
func TestSmolLM2Chat(t *testing.T) {
	m := smollm2(t, model.Options{})
	data, err := os.ReadFile("../testdata/smollm2.json")
	require.NoError(t, err)
	var rows []struct {
		Prompt, Text string
		GreedyText   string `json:"greedy_text"`
	}
	require.NoError(t, json.Unmarshal(data, &rows))
	c, err := m.NewChat()
	require.NoError(t, err)
	defer c.Close()
	assert.False(t, c.Plain())
	answer := say(t, c, rows[0].Prompt, 24)
	assert.Equal(t, strings.TrimSuffix(rows[0].GreedyText, "<|im_end|>"), answer)
	p, err := c.Prompt()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(p, strings.TrimSuffix(rows[0].Text, "<|im_start|>assistant\n")))
	for _, q := range []string{"And of Germany?", "And of Italy?", "And of Spain?", "And of Austria?"} {
		held := c.Session().Sequence().Len()
		say(t, c, q, 24)
		st := c.Session().Stats()
		assert.Less(t, st.Prompt, 24, "%d tokens were held", held)
	}
	assert.Len(t, c.Turns(), 10)
}
