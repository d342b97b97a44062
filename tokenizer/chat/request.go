package chat

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/seed2fbf7788/switchyard/tokenizer/jinja"
)

// Request is what a template renders. Messages, Tools and Documents are values as jinja.FromJSON makes them,
// which keep the order of keys; nil where there are none.
type Request struct {
	Messages            *jinja.List
	Tools, Documents    any
	AddGenerationPrompt bool
	Kwargs              *jinja.Dict // further variables; they win over special tokens
}

// Message is one plain turn of a conversation.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// NewRequest makes a request of plain turns that asks for the model's answer.
func NewRequest(turns []Message) *Request {
	r := &Request{Messages: &jinja.List{}, AddGenerationPrompt: true}
	for _, m := range turns {
		d := jinja.NewDict()
		d.Set("role", m.Role)
		d.Set("content", m.Content)
		r.Messages.Items = append(r.Messages.Items, d)
	}
	return r
}

// ErrRequest is returned for a request of the wrong form.
var ErrRequest = errors.New("bad chat request")

// ParseRequest reads {"messages":…, "tools":…, "documents":…, "add_generation_prompt":…, "kwargs":{…}}.
func ParseRequest(data []byte) (*Request, error) {
	if !json.Valid(data) {
		return nil, fmt.Errorf("%w: not JSON", ErrRequest)
	}
	v, err := jinja.FromJSON(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return nil, fmt.Errorf("%w: want an object", ErrRequest)
	}
	r := &Request{}
	messages, _ := d.Get("messages")
	if r.Messages, ok = messages.(*jinja.List); !ok {
		return nil, fmt.Errorf("%w: messages: want a list", ErrRequest)
	}
	for i, m := range r.Messages.Items {
		if _, ok := m.(*jinja.Dict); !ok {
			return nil, fmt.Errorf("%w: messages[%d]: want an object", ErrRequest, i)
		}
	}
	r.Tools, _ = d.Get("tools")
	r.Documents, _ = d.Get("documents")
	if v, ok := d.Get("add_generation_prompt"); ok && v != nil {
		if r.AddGenerationPrompt, ok = v.(bool); !ok {
			return nil, fmt.Errorf("%w: add_generation_prompt: want true or false", ErrRequest)
		}
	}
	if v, ok := d.Get("kwargs"); ok && v != nil {
		if r.Kwargs, ok = v.(*jinja.Dict); !ok {
			return nil, fmt.Errorf("%w: kwargs: want an object", ErrRequest)
		}
	}
	return r, nil
}

// Render returns the prompt, byte for byte. A *RaiseError holds the message of a template that refuses the
// conversation; other failures are of type *jinja.Error.
func (t *Template) Render(r *Request) (string, error) {
	vars := map[string]any{}
	for k, v := range t.special {
		vars[k] = v
	}
	if r.Kwargs != nil {
		for _, k := range r.Kwargs.Keys() {
			if name, ok := k.(string); ok {
				vars[name], _ = r.Kwargs.Get(k)
			}
		}
	}
	vars["messages"] = withReasoning(r.Messages)
	vars["tools"], vars["documents"] = r.Tools, r.Documents
	vars["add_generation_prompt"] = r.AddGenerationPrompt
	tpl := t.plain
	if t.tools != nil && r.Tools != nil {
		tpl = t.tools
	}
	text, err := tpl.Render(vars, t.now())
	var e *jinja.Error
	if errors.As(err, &e) && e.Raised {
		return "", &RaiseError{e.Message}
	}
	return text, err
}

// withReasoning gives a message's reasoning under all names that templates read: reasoning_content, and
// thinking where that is missing.
func withReasoning(messages *jinja.List) *jinja.List {
	out := &jinja.List{}
	if messages == nil {
		return out
	}
	for _, m := range messages.Items {
		d, ok := m.(*jinja.Dict)
		if !ok {
			out.Items = append(out.Items, m)
			continue
		}
		var reasoning any
		for _, name := range []string{"reasoning_content", "thinking", "reasoning"} {
			if v, _ := d.Get(name); v != nil && reasoning == nil {
				reasoning = v
			}
		}
		if reasoning != nil {
			e := jinja.NewDict()
			e.Set("thinking", reasoning)
			for _, k := range d.Keys() {
				v, _ := d.Get(k)
				e.Set(k, v)
			}
			e.Set("reasoning_content", reasoning)
			d = e
		}
		out.Items = append(out.Items, d)
	}
	return out
}
