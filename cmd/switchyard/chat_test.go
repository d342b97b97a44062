package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChatCommand(t *testing.T) {
	in := "And it came to pass\n/stats\n/history\n/undo\n/undo\n/nope\n/system Be brief.\n/prompt\n/help\n\n/quit\nnever read\n"
	o := sw(in, "chat", "-n", "6")
	require.Equal(t, 0, o.code, o.err)
	assert.NotEmpty(t, strings.TrimSpace(o.out))
	for _, want := range []string{"generated", "user: And it came to pass", "nothing to take back", "unknown command /nope", "System: Be brief.", "/quit"} {
		assert.Contains(t, o.err, want)
	}
	assert.NotContains(t, o.err, "never read")
	assert.Equal(t, 2, sw("", "chat", "words").code)
	assert.Equal(t, 2, sw("", "chat", "--top-k", "-1").code)
}

// An answer that cannot be is said, and the talk goes on.
func TestChatGoesOn(t *testing.T) {
	o := sw(strings.Repeat("many words ", 400)+"\n3 * 9 =\n", "chat", "-n", "4")
	require.Equal(t, 0, o.code, o.err)
	assert.Contains(t, o.err, "room for 512")
	assert.NotEmpty(t, strings.TrimSpace(o.out))
}

func TestChatRender(t *testing.T) {
	const dir = "testdata/template"
	o := sw(`{"messages":[{"role":"user","content":"Hi <é>"}],"add_generation_prompt":true}`, "chat", "-m", dir, "--render")
	require.Equal(t, 0, o.code, o.err)
	assert.Equal(t, "<s>[user] Hi <é>\n[assistant]", o.out)
	o = sw(`{"messages":[{"role":"nobody","content":"x"}]}`, "chat", "-m", dir, "--render")
	assert.Equal(t, 1, o.code)
	assert.Empty(t, o.out)
	assert.Contains(t, o.err, "only users speak here")
	assert.Equal(t, 1, sw("{", "chat", "-m", dir, "--render").code)
	assert.Equal(t, 2, sw("{}", "chat", "--render").code)
	assert.Equal(t, 1, sw("{}", "chat", "-m", golden, "--render").code)
}

func TestRunChat(t *testing.T) {
	o := sw("", "run", "--chat", "-n", "4", "3 * 9 =")
	require.Equal(t, 0, o.code, o.err)
	assert.Contains(t, o.err, "generated 4 tokens")
}
