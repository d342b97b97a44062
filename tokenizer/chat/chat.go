// Package chat turns conversations into the prompts that a model was trained on, by the chat template of its
// folder: chat_template.jinja, or "chat_template" of tokenizer_config.json (a string, or a list of named
// ones). Reference: transformers 5.23, render_jinja_template.
package chat

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seed2fbf7788/switchyard/tokenizer/jinja"
)

// ErrNoTemplate is returned when a folder has no chat template.
var ErrNoTemplate = errors.New("no chat template")

// RaiseError is a template that refused a conversation by raise_exception.
type RaiseError struct{ Message string }

func (e *RaiseError) Error() string { return e.Message }

// Template is a chat template with the special tokens of its model. It is safe for concurrent use.
type Template struct {
	plain, tools *jinja.Template // tools is nil where there is no template of its own for requests with tools
	special      map[string]any
	now          func() time.Time
}

// specialNames are the tokens of tokenizer_config.json that templates see, where they are set.
var specialNames = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// Open reads the template of a folder. Errors name the file; ErrNoTemplate where there is none.
func Open(dir string) (*Template, error) {
	t := &Template{special: map[string]any{}, now: time.Now}
	config := jinja.NewDict()
	path := filepath.Join(dir, "tokenizer_config.json")
	switch data, err := os.ReadFile(path); {
	case err == nil:
		v, err := jinja.FromJSON(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		d, ok := v.(*jinja.Dict)
		if !ok {
			return nil, fmt.Errorf("%s: want an object", path)
		}
		config = d
	case !errors.Is(err, os.ErrNotExist):
		return nil, err
	}
	for _, name := range specialNames {
		if s, ok := tokenText(config, name); ok {
			t.special[name] = s
		}
	}
	return t, t.find(dir, path, config)
}

// tokenText reads a special token: a string or an object with its content.
func tokenText(config *jinja.Dict, name string) (string, bool) {
	v, _ := config.Get(name)
	if d, ok := v.(*jinja.Dict); ok {
		v, _ = d.Get("content")
	}
	s, ok := v.(string)
	return s, ok
}

// find looks for the templates: a file of its own counts before the one in the configuration.
func (t *Template) find(dir, configPath string, config *jinja.Dict) error {
	path := filepath.Join(dir, "chat_template.jinja")
	data, err := os.ReadFile(path)
	if err == nil {
		return t.parse(path, string(data), "")
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	switch v, _ := config.Get("chat_template"); x := v.(type) {
	case string:
		return t.parse(configPath, x, "")
	case *jinja.List:
		return t.named(configPath, x)
	}
	return fmt.Errorf("%s: %w", dir, ErrNoTemplate)
}

func (t *Template) named(path string, list *jinja.List) error {
	var plain, tools string
	for _, it := range list.Items {
		d, ok := it.(*jinja.Dict)
		if !ok {
			return fmt.Errorf("%s: chat_template[]: want an object", path)
		}
		name, _ := d.Get("name")
		text, _ := d.Get("template")
		s, _ := text.(string)
		switch name {
		case "default":
			plain = s
		case "tool_use":
			tools = s
		}
	}
	if plain == "" {
		return fmt.Errorf("%s: chat_template: none is named default: %w", path, ErrNoTemplate)
	}
	return t.parse(path, plain, tools)
}

func (t *Template) parse(path, plain, tools string) (err error) {
	if t.plain, err = jinja.Parse(plain); err == nil && tools != "" {
		t.tools, err = jinja.Parse(tools)
	}
	if err != nil {
		return fmt.Errorf("%s: chat template: %w", path, err)
	}
	return nil
}

// Parse makes a Template of a template's text and special tokens such as "bos_token".
func Parse(text string, special map[string]string) (*Template, error) {
	t := &Template{special: map[string]any{}, now: time.Now}
	for k, v := range special {
		t.special[k] = v
	}
	return t, t.parse("chat template", text, "")
}
