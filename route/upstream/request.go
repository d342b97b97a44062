package upstream

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/seed2fbf7788/switchyard/route/guard"
	"github.com/seed2fbf7788/switchyard/route/price"
)

// fields of a client's body that are sent. Those that name the user, keep the conversation at the upstream or cost
// more than tokens (user, metadata, store, service_tier, web_search_options, prediction, audio) are not.
var fields = []string{
	"messages", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "n", "parallel_tool_calls", "presence_penalty",
	"reasoning_effort", "response_format", "seed", "stop", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "verbosity",
}

const maxChoices = 128

// request is what is sent.
type request struct {
	body    []byte
	choices int
	worst   price.Usage
	bounded bool // worst is a bound
}

// request makes the body that is sent from the one that was cleared.
func (s *settings) request(c guard.Cleared, stream bool) (*request, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(c.Body(), &in); err != nil {
		return nil, fmt.Errorf("the body is no JSON object")
	}
	out := map[string]json.RawMessage{}
	for name, value := range in {
		if slices.Contains(fields, name) || slices.Contains(s.Fields, name) {
			out[name] = value
		}
	}
	n, limit, err := s.limits(in)
	if err != nil {
		return nil, err
	}
	set := func(name string, value any) { out[name], _ = json.Marshal(value) }
	set("model", s.Model)
	if s.LegacyMaxTokens {
		delete(out, "max_completion_tokens")
		set("max_tokens", limit)
	} else {
		delete(out, "max_tokens")
		set("max_completion_tokens", limit)
	}
	delete(out, "stream_options")
	delete(out, "stream")
	if stream {
		set("stream_options", map[string]bool{"include_usage": true})
		set("stream", true)
	}
	body, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("the body cannot be written: %w", err)
	}
	worst := price.Usage{In: int64(len(body)) + overhead, Out: int64(n) * int64(limit)}
	return &request{body, n, worst, onlyText(in["messages"])}, nil
}

// overhead bounds the tokens that a template adds to a conversation beyond the bytes of its JSON.
const overhead = 256

// limits are how many choices of how many tokens an answer may have.
func (s *settings) limits(in map[string]json.RawMessage) (n, tokens int, err error) {
	n, tokens = 1, s.MaxTokens
	for _, f := range []struct {
		name string
		max  int
		to   *int
	}{{"max_tokens", s.MaxTokens, &tokens}, {"max_completion_tokens", s.MaxTokens, &tokens}, {"n", maxChoices, &n}} {
		data, ok := in[f.name]
		if !ok || string(data) == "null" {
			continue
		}
		var v int64
		if err := json.Unmarshal(data, &v); err != nil || v < 1 {
			return 0, 0, fmt.Errorf("%s: want an integer of at least 1", f.name)
		}
		if f.name == "n" && v > int64(f.max) {
			return 0, 0, fmt.Errorf("n: want at most %d", f.max)
		}
		*f.to = int(min(v, int64(f.max)))
	}
	return n, tokens, nil
}

// onlyText says whether the messages hold text alone, of which no token is shorter than a byte.
func onlyText(messages json.RawMessage) bool {
	var list []struct {
		Content json.RawMessage `json:"content"`
	}
	if json.Unmarshal(messages, &list) != nil {
		return false
	}
	for _, m := range list {
		var parts []struct {
			Type string `json:"type"`
		}
		if len(m.Content) == 0 || m.Content[0] != '[' {
			continue
		}
		if json.Unmarshal(m.Content, &parts) != nil {
			return false
		}
		for _, p := range parts {
			if p.Type != "text" && p.Type != "refusal" {
				return false
			}
		}
	}
	return true
}
