package serve

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// parsed feeds a text in pieces of n bytes and joins what comes out.
func parsed(text string, n int, forced bool) (content string, calls []string) {
	c := callParser{known: map[string]bool{"now": true, "person": true}, forced: forced, inside: forced}
	var parts []toolCall
	for rest := text; rest != ""; {
		k := min(n, len(rest))
		more, found := c.add(rest[:k], k == len(rest))
		content, parts, rest = content+more, append(parts, found...), rest[k:]
	}
	for _, call := range joinCalls(parts) {
		calls = append(calls, call.Function.Name+call.Function.Arguments)
	}
	return content, calls
}

// With tool_choice auto a model writes text, calls, or both; the pieces in which its text comes change nothing.
func TestCallsInText(t *testing.T) {
	open, end := toolOpen, toolClose
	for _, c := range []struct {
		text, content string
		calls         []string
	}{
		{"plain text", "plain text", nil},
		{`a { b } "name"`, `a { b } "name"`, nil},
		{open + `{"name":"now","arguments":{}}` + end, "", []string{"now{}"}},
		{"Let me see. " + open + `{"name": "person", "arguments": {"a": "}\"]", "b": [1, {"c": 2}]}}` + end + " Done.",
			"Let me see.  Done.", []string{`person{"a": "}\"]", "b": [1, {"c": 2}]}`}},
		{open + "\n{\"name\":\"now\",\"arguments\":{}}\n" + end + "\n" + open + `{"name":"person","arguments":{"x":1}}` + end, "\n", []string{"now{}", `person{"x":1}`}},
		{open + `{"name":"nobody","arguments":{}}` + end, open + `{"name":"nobody","arguments":{}}` + end, nil}, // no tool of the request
		{open + "not json" + end, open + "not json" + end, nil},
		{"ends in " + open[:3], "ends in " + open[:3], nil},
		{open + `{"name":"person","arguments":{"x":`, "", []string{`person{"x":`}}, // cut by the limit
	} {
		for n := 1; n <= len(c.text); n++ {
			content, calls := parsed(c.text, n, false)
			if !assert.Equal(t, c.content, content, "%q in pieces of %d", c.text, n) || !assert.Equal(t, c.calls, calls, "%q in pieces of %d", c.text, n) {
				break
			}
		}
	}
	content, calls := parsed(`{"name":"now","arguments":{"a":[]}}`, 3, true)
	assert.Empty(t, strings.TrimSpace(content))
	assert.Equal(t, []string{`now{"a":[]}`}, calls)
}
