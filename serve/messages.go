package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2fbf7788/switchyard/tokenizer/chat"
	"github.com/seed2fbf7788/switchyard/tokenizer/jinja"
)

const maxMessages = 4096

// message is one turn, checked: content is text, whatever form it came in.
type message struct {
	Role       string     `json:"role"`
	Content    *string    `json:"content"`
	Name       string     `json:"name,omitempty"`
	ToolCalls  []sentCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
	Reasoning  string     `json:"reasoning_content,omitempty"`
}

// sentCall is a call that a client sends back to us; templates want the arguments as an object.
type sentCall struct {
	ID       string `json:"id,omitempty"`
	Type     string `json:"type"`
	Function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"function"`
}

// messages reads the conversation.
func messages(f *fields) []message {
	var raw []json.RawMessage
	if !f.decode("messages", "a list of messages", &raw) {
		f.bad("messages", "it is required")
		return nil
	}
	if len(raw) == 0 || len(raw) > maxMessages {
		f.bad("messages", "want 1 to %d messages, found %d", maxMessages, len(raw))
		return nil
	}
	out := make([]message, len(raw))
	for i, data := range raw {
		m, err := readMessage(data, fmt.Sprintf("messages[%d].", i))
		if err != nil {
			f.fail(asAPI(err))
			return nil
		}
		out[i] = m
	}
	return out
}

func readMessage(data json.RawMessage, path string) (message, error) {
	f := &fields{used: map[string]bool{}, path: path}
	if err := json.Unmarshal(data, &f.raw); err != nil || f.raw == nil {
		return message{}, badRequest(strings.TrimSuffix(path, "."), "Invalid value for '%s': want an object.", strings.TrimSuffix(path, "."))
	}
	m := message{Role: f.str("role", ""), Name: f.str("name", ""), ToolCallID: f.str("tool_call_id", "")}
	m.Reasoning = f.str("reasoning_content", "")
	m.calls(f)
	m.content(f)
	switch m.Role {
	case "developer":
		m.Role = "system"
	case "system", "user", "assistant", "tool":
	default:
		f.bad("role", "want system, developer, user, assistant or tool, found %q", clip(m.Role, 40))
	}
	f.ignore("refusal", "annotations", "reasoning")
	f.refuse("audio", "function_call")
	return m, f.done()
}

// calls reads the tool calls of an assistant's turn.
func (m *message) calls(f *fields) {
	if !f.decode("tool_calls", "a list of tool calls", &m.ToolCalls) {
		return
	}
	for i := range m.ToolCalls {
		c := &m.ToolCalls[i]
		var text string
		if json.Unmarshal(c.Function.Arguments, &text) == nil {
			if c.Function.Arguments = json.RawMessage(text); !json.Valid(c.Function.Arguments) {
				c.Function.Arguments, _ = json.Marshal(text)
			}
		}
		if len(c.Function.Arguments) == 0 {
			c.Function.Arguments = json.RawMessage("{}")
		}
		c.Type = "function"
	}
}

// content reads a text, or a list of parts that are texts.
func (m *message) content(f *fields) {
	data, ok := f.get("content")
	if !ok {
		if m.Role != "assistant" {
			f.bad("content", "it is required")
		}
		return
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		m.Content = &text
		return
	}
	var parts []struct {
		Type    string `json:"type"`
		Text    string `json:"text"`
		Refusal string `json:"refusal"`
	}
	if json.Unmarshal(data, &parts) != nil {
		f.bad("content", "want a string or a list of content parts")
		return
	}
	for i, p := range parts {
		switch p.Type {
		case "text", "input_text", "output_text":
			text += p.Text
		case "refusal":
			text += p.Refusal
		default:
			f.fail(unsupported(fmt.Sprintf("%scontent[%d].type", f.path, i), "Unsupported content part %q: this server takes text only.", clip(p.Type, 40)))
		}
	}
	m.Content = &text
}

// render writes the conversation as the model's template has it, and turns it into ids. stops end an answer under the plain
// template.
func (l *live) render(msgs []message, tools []tool, kwargs json.RawMessage) ([]int32, []string, error) {
	if l.templateErr != nil {
		return nil, nil, badRequest("messages", "The chat template of %q does not work: %v", l.name, l.templateErr)
	}
	if l.plain {
		msgs = plainMessages(msgs, tools)
		tools = nil
	}
	req, err := templateRequest(msgs, tools, kwargs)
	if err != nil {
		return nil, nil, err
	}
	text, err := l.template.Render(req)
	var raised *chat.RaiseError
	if errors.As(err, &raised) {
		return nil, nil, badRequest("messages", "The chat template of %q refuses this conversation: %s", l.name, raised.Message)
	}
	if err != nil {
		return nil, nil, badRequest("messages", "The chat template of %q fails on this conversation: %v", l.name, err)
	}
	if l.plain {
		ids, err := l.m.EncodePrompt(text)
		return ids, l.stops, err
	}
	ids, err := l.m.EncodeText(text)
	return ids, nil, err
}

func templateRequest(msgs []message, tools []tool, kwargs json.RawMessage) (*chat.Request, error) {
	r := &chat.Request{AddGenerationPrompt: true}
	v, err := asJinja(msgs)
	if err != nil {
		return nil, err
	}
	r.Messages = v.(*jinja.List)
	if len(tools) > 0 {
		if r.Tools, err = asJinja(tools); err != nil {
			return nil, err
		}
	}
	if len(kwargs) > 0 {
		k, err := jinja.FromJSON(kwargs)
		d, ok := k.(*jinja.Dict)
		if err != nil || !ok {
			return nil, badRequest("chat_template_kwargs", "Invalid value for 'chat_template_kwargs': want an object.")
		}
		r.Kwargs = d
	}
	return r, nil
}

// asJinja turns a value into what templates see, through JSON.
func asJinja(v any) (any, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, badRequest("messages", "Invalid messages: %v", err)
	}
	return jinja.FromJSON(data)
}

// plainMessages writes what the plain template has no form for as text: tools stand in the system message, a call is the
// JSON object that a forced call generates, a tool's result is a turn of its own.
func plainMessages(msgs []message, tools []tool) []message {
	out := slices.Clone(msgs)
	for i := range out {
		text := ""
		if out[i].Content != nil {
			text = *out[i].Content
		}
		for _, c := range out[i].ToolCalls {
			call, _ := json.Marshal(struct {
				Name      string          `json:"name"`
				Arguments json.RawMessage `json:"arguments"`
			}{c.Function.Name, c.Function.Arguments})
			text += toolOpen + string(call) + toolClose
		}
		out[i].Content, out[i].ToolCalls = &text, nil
	}
	if len(tools) == 0 {
		return out
	}
	list, _ := json.Marshal(tools)
	text := "Tools: " + string(list) + "\nTo call one, write " + toolOpen + `{"name":NAME,"arguments":{…}}` + toolClose
	if out[0].Role == "system" {
		text = *out[0].Content + "\n" + text
		out[0].Content = &text
		return out
	}
	return slices.Insert(out, 0, message{Role: "system", Content: &text})
}
