package serve

import (
	"encoding/json"
	"regexp"
)

// What encloses a call in generated text, as Hermes' and Qwen's templates teach it.
const (
	toolOpen  = "<tool_call>"
	toolClose = "</tool_call>"
)

const maxTools = 128

// tool is a function that the model may call.
type tool struct {
	Type     string       `json:"type"`
	Function toolFunction `json:"function"`
}

type toolFunction struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      *bool           `json:"strict,omitempty"`
}

// toolChoice says whether and what the model calls.
type toolChoice struct {
	mode string // none, auto, required
	name string // the one function, where it is named
}

// toolName is what OpenAI allows.
var toolName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// tools reads tools and tool_choice.
func (p *chatParams) readTools(f *fields) {
	p.choice_ = toolChoice{mode: "none"}
	if f.decode("tools", "a list of tools", &p.tools) && len(p.tools) > 0 {
		p.choice_.mode = "auto"
	}
	if len(p.tools) > maxTools {
		f.bad("tools", "want at most %d, found %d", maxTools, len(p.tools))
		return
	}
	for i := range p.tools {
		t := &p.tools[i]
		if t.Type != "function" {
			f.bad("tools", "want type function, found %q", clip(t.Type, 40))
		}
		if !toolName.MatchString(t.Function.Name) {
			f.bad("tools", "want a name of letters, digits, _, . and - up to 64, found %q", clip(t.Function.Name, 80))
		}
		if len(t.Function.Parameters) > 0 && string(t.Function.Parameters) == "null" {
			t.Function.Parameters = nil
		}
	}
	p.readChoice(f)
	f.bool("parallel_tool_calls", true)
}

func (p *chatParams) readChoice(f *fields) {
	data, ok := f.get("tool_choice")
	if !ok {
		return
	}
	var mode string
	if json.Unmarshal(data, &mode) == nil {
		switch {
		case mode != "none" && mode != "auto" && mode != "required":
			f.bad("tool_choice", "want none, auto, required or a function, found %q", clip(mode, 40))
		case mode != "none" && len(p.tools) == 0:
			f.bad("tool_choice", "only allowed when 'tools' are given")
		}
		p.choice_.mode = mode
		return
	}
	var named struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if json.Unmarshal(data, &named) != nil || named.Type != "function" {
		f.bad("tool_choice", "want none, auto, required or a function")
		return
	}
	name := named.Function.Name
	if name == "" {
		name = named.Name // the form of /v1/responses
	}
	for _, t := range p.tools {
		if t.Function.Name == name {
			p.choice_ = toolChoice{"required", name}
			return
		}
	}
	f.bad("tool_choice", "the function %q is not among the tools", clip(name, 80))
}
