package serve_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2fbf7788/switchyard/serve"
)

const personSchema = `{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"tags":{"type":"array","items":{"enum":["a","b"]}}},"required":["name","age","tags"],"additionalProperties":false}`

// The text parses and fits wherever the limit cuts it, streamed or not.
func TestStructuredOutput(t *testing.T) {
	c := start(t, serve.Options{})
	format := `,"response_format":{"type":"json_schema","json_schema":{"name":"p","strict":true,"schema":` + personSchema + `}}`
	for limit := 25; limit < 80; limit += 9 {
		a := c.post("/v1/chat/completions", chatBody(fmt.Sprintf(`%s,"max_completion_tokens":%d,"seed":%d`, format, limit, limit)))
		var p struct {
			Name *string
			Age  *int
			Tags []string
		}
		text := at(a, "choices", 0, "message", "content").(string)
		require.NoError(t, json.Unmarshal([]byte(text), &p), text)
		assert.NotNil(t, p.Name)
		assert.NotNil(t, p.Age)
		assert.LessOrEqual(t, at(a, "usage", "completion_tokens").(float64), float64(limit))
		streamed := ""
		for _, e := range c.events("/v1/chat/completions", chatBody(fmt.Sprintf(`%s,"max_completion_tokens":%d,"seed":%d,"stream":true`, format, limit, limit))) {
			s, _ := at(e, "choices", 0, "delta", "content").(string)
			streamed += s
		}
		assert.Equal(t, text, streamed)
	}
	var o map[string]any
	a := c.post("/v1/completions", textBody(`,"response_format":{"type":"json_object"}`))
	require.NoError(t, json.Unmarshal([]byte(at(a, "choices", 0, "text").(string)), &o))
	assert.Equal(t, "stop", at(c.post("/v1/chat/completions", chatBody(`,"response_format":{"type":"json_schema","json_schema":{"name":"k","schema":{"const":1}}}`)), "choices", 0, "finish_reason"))

	e := c.refused(400, "/v1/chat/completions", chatBody(format+`,"max_completion_tokens":3`))
	assert.Equal(t, "max_tokens", e["param"])
	for _, schema := range []string{`{"not":{}}`, `false`, `{"$ref":"#"}`, `{"type":"integer","minimum":5,"maximum":4}`, `[]`} {
		e := c.refused(400, "/v1/chat/completions", chatBody(`,"response_format":{"type":"json_schema","json_schema":{"name":"p","schema":`+schema+`}}`))
		assert.Equal(t, "response_format", e["param"], schema)
	}
	c.refused(400, "/v1/chat/completions", chatBody(`,"response_format":{"type":"yaml"}`))
	c.refused(400, "/v1/chat/completions", chatBody(`,"response_format":{"type":"json_schema"}`))
}

const tools = `,"tools":[{"type":"function","function":{"name":"person","strict":true,"parameters":` + personSchema + `}},{"type":"function","function":{"name":"now"}}]`

// A forced call has a known name and arguments that fit, streamed or not.
func TestForcedCalls(t *testing.T) {
	c := start(t, serve.Options{})
	for _, choice := range []string{`"required"`, `{"type":"function","function":{"name":"person"}}`, `{"type":"function","function":{"name":"now"}}`} {
		for seed := range 4 {
			extra := fmt.Sprintf(`%s,"tool_choice":%s,"seed":%d,"max_completion_tokens":60`, tools, choice, seed)
			a := c.post("/v1/chat/completions", chatBody(extra))
			calls := at(a, "choices", 0, "message", "tool_calls")
			require.Len(t, calls, 1)
			assert.Equal(t, "tool_calls", at(a, "choices", 0, "finish_reason"))
			assert.Nil(t, at(a, "choices", 0, "message", "content"))
			name, arguments := at(calls, 0, "function", "name").(string), at(calls, 0, "function", "arguments").(string)
			var args map[string]any
			require.NoError(t, json.Unmarshal([]byte(arguments), &args), arguments)
			assert.Contains(t, choice+"person now", name)
			if name == "person" {
				assert.Len(t, args, 3)
			}
			var gotName, gotArgs, reason string
			for _, e := range c.events("/v1/chat/completions", chatBody(extra+`,"stream":true`)) {
				s, _ := at(e, "choices", 0, "delta", "tool_calls", 0, "function", "name").(string)
				gotName += s
				s, _ = at(e, "choices", 0, "delta", "tool_calls", 0, "function", "arguments").(string)
				gotArgs += s
				if r, ok := at(e, "choices", 0, "finish_reason").(string); ok {
					reason = r
				}
			}
			assert.Equal(t, []string{name, arguments, "tool_calls"}, []string{gotName, gotArgs, reason})
		}
	}
	// The turn goes on: the call and its result are sent back.
	body := fmt.Sprintf(`{"model":%q,"max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"now","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"noon"}]%s}`, name, tools)
	c.post("/v1/chat/completions", body)
	auto := c.post("/v1/chat/completions", chatBody(tools+`,"tool_choice":"auto","seed":1`))
	assert.Nil(t, at(auto, "choices", 0, "message", "tool_calls")) // this model has not learned to call
	assert.NotEmpty(t, at(auto, "choices", 0, "message", "content"))
	assert.Equal(t, auto["choices"], c.post("/v1/chat/completions", chatBody(tools+`,"seed":1`))["choices"])
	none := c.post("/v1/chat/completions", chatBody(tools+`,"tool_choice":"none"`))
	assert.Nil(t, at(none, "choices", 0, "message", "tool_calls"))
	bad := strings.Replace(tools, `"type":"integer"`, `"not":{}`, 1)
	e := c.refused(400, "/v1/chat/completions", chatBody(bad+`,"tool_choice":"required"`))
	assert.Equal(t, "tools", e["param"])
}

// typed reads typed events to the end of the stream.
func typed(t *testing.T, body io.Reader) []map[string]any {
	var out []map[string]any
	kind := ""
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<22)
	for lines.Scan() {
		if k, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
			kind = k
		}
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
			var v map[string]any
			require.NoError(t, json.Unmarshal([]byte(data), &v))
			require.Equal(t, kind, v["type"])
			out = append(out, v)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// Responses, whole and as typed events that build the same answer.
func TestResponses(t *testing.T) {
	c := start(t, serve.Options{})
	body := func(extra string) string {
		return fmt.Sprintf(`{"model":%q,"instructions":"Be brief.","input":"And it came to pass","max_output_tokens":40,"seed":5%s}`, name, extra)
	}
	flat := `,"tools":[{"type":"function","name":"person","parameters":` + personSchema + `}],"tool_choice":{"type":"function","name":"person"}`
	format := `,"text":{"format":{"type":"json_schema","name":"p","strict":true,"schema":` + personSchema + `}}`
	for _, extra := range []string{``, flat, format, `,"input":[{"role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"function_call","call_id":"c","name":"person","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"x"}]`} {
		whole := c.post("/v1/responses", body(extra))
		assert.Equal(t, "response", whole["object"])
		require.NotEmpty(t, whole["output"])
		resp := c.do("POST", "/v1/responses", body(extra+`,"stream":true`))
		list := typed(t, resp.Body)
		resp.Body.Close()
		assert.Equal(t, "response.created", list[0]["type"])
		text, args := "", ""
		for i, e := range list {
			assert.EqualValues(t, i, e["sequence_number"])
			switch e["type"] {
			case "response.output_text.delta":
				text += e["delta"].(string)
			case "response.function_call_arguments.delta":
				args += e["delta"].(string)
			}
		}
		last := list[len(list)-1]
		assert.Contains(t, []any{"response.completed", "response.incomplete"}, last["type"])
		if extra == flat {
			assert.Equal(t, at(whole, "output", 0, "arguments"), args)
			assert.True(t, json.Valid([]byte(args)))
		} else {
			assert.Equal(t, at(whole, "output", 0, "content", 0, "text"), text)
		}
		assert.Equal(t, at(whole, "usage", "output_tokens"), at(last, "response", "usage", "output_tokens"))
	}
	for _, extra := range []string{`,"previous_response_id":"x"`, `,"input":[]`, `,"input":[{"type":"web_search_call"}]`, `,"background":true`, `,"foo":1`, `,"max_output_tokens":0`} {
		c.refused(400, "/v1/responses", body(extra))
	}
}
