package model

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
)

// plainTemplate is what a model without a chat template gets: "User: …", "Assistant: …", a blank line between turns. Its
// answer ends where a next turn would begin.
const plainTemplate = `{% for m in messages %}{{ m.role | capitalize }}: {{ m.content }}

{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}`

// plainStops end an answer under plainTemplate.
func plainStops() []string { return []string{"\n\nUser:", "\n\nSystem:", "\n\nAssistant:"} }

// Chat is a conversation with a model: turns, and a session that keeps what of them is computed already. It belongs to one
// goroutine at a time.
type Chat struct {
	s     *Session
	t     *chat.Template
	plain bool
	stops []string // beside the caller's
	turns []chat.Message
}

// NewChat starts an empty conversation under the model's chat template, or under a plain one where it has none.
func (m *Model) NewChat() (*Chat, error) {
	if _, err := m.Tokenizer(); err != nil {
		return nil, err
	}
	t, stops, plain, err := m.ChatTemplate()
	if err != nil {
		return nil, err
	}
	c := &Chat{t: t, plain: plain, stops: stops}
	c.s = m.NewSession()
	return c, nil
}

// Close frees the conversation's part of the cache.
func (c *Chat) Close() { c.s.Close() }

// Session is the session below, for its statistics and observers.
func (c *Chat) Session() *Session { return c.s }

// Plain says that the model has no chat template of its own.
func (c *Chat) Plain() bool { return c.plain }

// Turns are the messages so far.
func (c *Chat) Turns() []chat.Message { return slices.Clone(c.turns) }

// System sets the system message, the first turn; an empty text removes it.
func (c *Chat) System(text string) {
	if len(c.turns) > 0 && c.turns[0].Role == "system" {
		c.turns = c.turns[1:]
	}
	if text != "" {
		c.turns = slices.Insert(c.turns, 0, chat.Message{Role: "system", Content: text})
	}
}

// Reset forgets all turns but the system message.
func (c *Chat) Reset() {
	n := 0
	if len(c.turns) > 0 && c.turns[0].Role == "system" {
		n = 1
	}
	c.turns = c.turns[:n]
}

// Undo takes the last question and its answer back; false where there is none.
func (c *Chat) Undo() bool {
	for i := len(c.turns) - 1; i >= 0; i-- {
		if c.turns[i].Role == "user" {
			c.turns = c.turns[:i]
			return true
		}
	}
	return false
}

// Prompt is the text that the model would read now.
func (c *Chat) Prompt() (string, error) { return c.t.Render(chat.NewRequest(c.turns)) }

// Say adds a question and generates the answer, which becomes a turn as far as it was generated, also when ctx is
// cancelled in its midst. Only what the session does not hold yet is computed: a further turn costs what is new in it. On an
// error before the first token the question is taken back.
func (c *Chat) Say(ctx context.Context, text string, o GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		before := len(c.turns)
		c.turns = append(c.turns, chat.Message{Role: "user", Content: text})
		ids, err := c.prepare(&o)
		if err != nil {
			c.turns = c.turns[:before]
			yield(Token{}, err)
			return
		}
		var answer strings.Builder
		began := false
		defer func() {
			if !began {
				c.turns = c.turns[:before]
				return
			}
			c.turns = append(c.turns, chat.Message{Role: "assistant", Content: c.trim(answer.String())})
		}()
		for t, err := range c.s.GenerateIDs(ctx, c.s.Reuse(ids), o) {
			began = began || err == nil
			answer.WriteString(t.Text)
			if !yield(t, err) {
				return
			}
		}
		began = began || c.s.stats.Finish == FinishStop
	}
}

// trim drops the blank that stands behind "Assistant:" in plain conversations; templates know no such blank.
func (c *Chat) trim(answer string) string {
	if c.plain {
		return strings.TrimSpace(answer)
	}
	return answer
}

// prepare renders the conversation and turns it into ids.
func (c *Chat) prepare(o *GenerateOptions) ([]int32, error) {
	prompt, err := c.Prompt()
	if err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	if c.plain {
		o.Stop = append(slices.Clone(o.Stop), c.stops...)
		return c.s.m.encode(prompt, false)
	}
	return c.s.m.encode(prompt, true)
}

// ChatTemplate is the model's chat template, and whether it is the plain one, under which turns are written as "User: …",
// "Assistant: …" with a blank line between; stops are the texts that end an answer then.
func (m *Model) ChatTemplate() (t *chat.Template, stops []string, plain bool, err error) {
	if m.text.chatErr != nil && !errors.Is(m.text.chatErr, chat.ErrNoTemplate) {
		return nil, nil, false, m.text.chatErr
	}
	if m.text.chat != nil {
		return m.text.chat, nil, false, nil
	}
	t, err = chat.Parse(plainTemplate, nil)
	return t, plainStops(), true, err
}

// EncodeText turns text into ids as it stands, with no special tokens added: what a rendered chat template needs.
func (m *Model) EncodeText(text string) ([]int32, error) { return m.encode(text, true) }
